/** The health endpoint: a listener of its own that says how many, never who. Off unless it is configured. */
import { chmodSync, lstatSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { HealthAddress } from "./config.ts";
import { listen } from "./listen.ts";

/** The body of `GET /healthz`. */
export interface Health {
  readonly connections: number;
  readonly agentsOnline: number;
  readonly mailboxDepth: number;
}

export interface HealthListener {
  readonly server: Server;
  /** Port, or path of the socket. */
  readonly at: number | string;
}

/** @throws Fault ERR_CONFIG where the address cannot be had */
export async function startHealth(address: HealthAddress, measure: () => Health): Promise<HealthListener> {
  const server = createServer(
    { maxHeaderSize: 4096, headersTimeout: 5000, requestTimeout: 5000 },
    (request, response) => {
      const found = request.method === "GET" && request.url === "/healthz";
      response.writeHead(found ? 200 : 404, {
        "content-type": "application/json",
        "cache-control": "no-store",
        connection: "close",
      });
      response.end(found ? `${JSON.stringify(measure())}\n` : "{}\n");
    },
  );
  server.maxConnections = 16;
  if (!("socket" in address)) return { server, at: await listen(server, address) };
  // A bridge that was killed leaves its socket behind; anything else in that place is not ours to remove.
  if (lstatSync(address.socket, { throwIfNoEntry: false })?.isSocket() === true) rmSync(address.socket);
  await listen(server, { path: address.socket });
  chmodSync(address.socket, 0o600);
  return { server, at: address.socket };
}
