/** One client of the bridge in the bench: logs in, and hands over frames as texts. */
import { randomBytes } from "node:crypto";
import { WebSocket } from "ws";
import { keyOf } from "../harness/bridge-client.ts";
import { makeLogin, type PrivateJwk, URL_OF_BRIDGE } from "./bridge-people.ts";

export interface Entry {
  readonly port: number;
  readonly key: PrivateJwk;
  /** Thumbprint of the agent that the login names, and its card where the agent itself logs in. */
  readonly agent: string;
  readonly card: string | null;
}

/** Through the proxy that the bridge is told of: from an address of its own, where none is named. */
export function dial(port: number, from = randomBytes(4).join(".")): WebSocket {
  const host = new URL(URL_OF_BRIDGE).host;
  return new WebSocket(`ws://127.0.0.1:${port}/`, {
    perMessageDeflate: false,
    headers: { host, "x-forwarded-for": from },
  });
}

/** The next message, or undefined where the connection ends instead. */
export async function next(socket: WebSocket): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const onMessage = (data: Buffer): void => {
      socket.off("close", onClose);
      resolve(data.toString("latin1"));
    };
    const onClose = (): void => {
      socket.off("message", onMessage);
      resolve(undefined);
    };
    socket.once("message", onMessage);
    socket.once("close", onClose);
  });
}

/** Connects and logs in. Throws where the bridge refuses. */
export async function enter({ port, key, agent, card }: Entry, from?: string): Promise<WebSocket> {
  const socket = dial(port, from);
  socket.on("error", () => undefined);
  const { nonce } = JSON.parse((await next(socket)) ?? "{}") as { nonce?: string };
  if (nonce === undefined) throw new Error("no hello");
  socket.send(await makeLogin(await keyOf(key), agent, nonce, card));
  const answer = await next(socket);
  if (answer?.includes('"t":"ready"') !== true) throw new Error(`not admitted: ${answer}`);
  return socket;
}
