/**
 * Whether something listens where Trezor Suite does. It says nothing to it and asks nothing: trezor.ts alone talks to Suite.
 * README.md, "Devices".
 */
const ADDRESS = "ws://127.0.0.1:21335/connect-ws";
/** A running Suite takes the connection at once. Milliseconds. */
const AT_ONCE = 1000;
/**
 * After a refused connection Firefox holds the next one back, the longer the more were refused, up to a minute. Giving up sooner
 * would make it wait for ever. Milliseconds.
 */
export const HELD_BACK = 60_000;

/** True where a connection comes about in time; false at once where it is refused. */
export async function suiteAnswers(within = AT_ONCE): Promise<boolean> {
  const socket = new WebSocket(ADDRESS);
  try {
    return await new Promise<boolean>((resolve) => {
      socket.addEventListener("open", () => resolve(true));
      socket.addEventListener("error", () => resolve(false));
      setTimeout(() => resolve(false), within);
    });
  } finally {
    socket.close();
  }
}

/** What the browser lets this page do about programs on this computer; "granted" where it has no such permission. */
export async function localNetworkPermission(): Promise<PermissionState> {
  try {
    return (await navigator.permissions.query({ name: "local-network-access" as PermissionName })).state;
  } catch {
    return "granted";
  }
}
