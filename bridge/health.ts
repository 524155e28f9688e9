/** Health and metrics: a listener of its own that says how many, never who. Off unless it is configured. protocol/README.md, "Bridge". */
import { chmodSync, lstatSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { HealthAddress } from "./config.ts";
import { listen } from "./listen.ts";
import type { Metrics } from "./metrics.ts";

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** The body of `GET /healthz`, with 200; with 503 once the store has failed. */
export interface Health {
  readonly connections: number;
  readonly agentsOnline: number;
  /** Messages waiting, in memory and in the store. */
  readonly mailboxDepth: number;
  readonly storeFailed?: boolean;
}

export interface HealthListener {
  readonly server: Server;
  /** Port, or path of the socket. */
  readonly at: number | string;
}

/** @throws Fault ERR_CONFIG where the address cannot be had */
export async function startHealth(
  address: HealthAddress,
  measure: () => Health,
  metrics: Metrics,
): Promise<HealthListener> {
  const answers: Readonly<Record<string, () => Promise<Answer>>> = {
    "/healthz": async () => {
      const health = measure();
      const status = health.storeFailed === true ? 503 : 200;
      return { status, type: "application/json", body: `${JSON.stringify(health)}\n` };
    },
    "/metrics": async () => ({ status: 200, type: metrics.contentType, body: await metrics.text() }),
  };
  const nothing = async (): Promise<Answer> => ({ status: 404, type: "application/json", body: "{}\n" });
  const server = createServer(
    { maxHeaderSize: 4096, headersTimeout: 5000, requestTimeout: 5000 },
    (request, response) => {
      const path = request.method === "GET" ? (request.url ?? "") : "";
      const answer = Object.hasOwn(answers, path) ? answers[path] : undefined;
      (answer ?? nothing)().then(
        ({ status, type, body }) => {
          response.writeHead(status, { "content-type": type, "cache-control": "no-store", connection: "close" });
          response.end(body);
        },
        () => response.destroy(),
      );
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
