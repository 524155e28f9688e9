/**
 * Whose connection an upgrade is, for counting strangers: an address, of IPv6 the network of 64 bits that one customer
 * gets. Pure. It admits nobody. protocol/README.md, "Upgrade".
 */
import { isIP, isIPv6 } from "node:net";

/** What an upgrade tells about where it comes from. */
export interface Arrival {
  /** Of the socket: the client, or the proxy before the bridge. */
  readonly remoteAddress: string | undefined;
  readonly forwardedFor: readonly string[] | undefined;
}

/**
 * The client's address. `trusted`: how many proxies stand before the bridge, of which each appends the address that it
 * was called from to X-Forwarded-For; what stands left of theirs anybody can write. 0: the header is not looked at.
 */
export function remoteOf({ remoteAddress, forwardedFor }: Arrival, trusted: number): string {
  const hops = (forwardedFor ?? []).flatMap((line) => line.split(",")).map((hop) => hop.trim());
  const named = trusted === 0 ? undefined : hops.at(-trusted);
  // Whoever comes past the proxies, or through one that does not say, is counted by the socket.
  return networkOf(named !== undefined && isIP(named) !== 0 ? named : (remoteAddress ?? ""));
}

function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=[0-9.]+$)/i, "");
  if (!isIPv6(plain) || plain.includes("%")) return plain;
  // A URL has the one spelling of each address: lower case, no leading zeros, the longest run of zeros as "::".
  const [head = "", tail] = new URL(`http://[${plain}]`).hostname.slice(1, -1).split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  return `${[...left, ...zeros, ...right].slice(0, 4).join(":")}::/64`;
}
