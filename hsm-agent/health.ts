/**
 * Health and metrics for whoever watches the agent's host: `GET /healthz` and `GET /metrics`, on loopback or on a Unix socket of mode 0600,
 * off unless configured. Reads only, says how many and never who; what the figures are is metrics.ts. README.md, "Health and metrics".
 */
import { chmodSync, lstatSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Fault, isFault } from "../protocol/error.ts";
import type { HealthAddress } from "./config.ts";
import { claimSocket } from "./lock.ts";

/** How the agent is, in words. The first word of each is the good one. */
export interface HealthReport {
  readonly record: "ok" | "failed";
  readonly hsm: "up" | "down" | "starting";
  readonly bridge: "online" | "offline";
  readonly clock: "ok" | "in doubt";
  /** Whether this record may be an older one: a browser knows more than it, or it was restored. */
  readonly log: "ok" | "behind" | "restored";
  /** People whose browsers have shown what they know of the log since the start. */
  readonly witnesses: { readonly needed: number; readonly seen: number };
}

/** What is served. Either may throw: then the answer is 503 or 500 and says no more. */
export interface Watched {
  readonly report: () => HealthReport;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
}

export interface HealthListener {
  /** The port, or the path of the socket. */
  readonly at: number | string;
  /** Ends it, whoever is connected; a socket is removed. */
  close(): Promise<void>;
}

/** Milliseconds. */
const TIMEOUT = 5_000;
const IDLE = 10_000;
const CONNECTIONS_MAX = 16;
/** A web page that had its own name resolve to this machine would come with that name. */
const LOCAL_HOST = /^(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?$/i;

/** Whether a request that people approve now would be signed, and its proposer told. A freeze is no illness: people decided it. */
export function isHealthy({ record, hsm, bridge, clock, log, witnesses }: HealthReport): boolean {
  return (
    record === "ok" &&
    hsm === "up" &&
    bridge === "online" &&
    clock === "ok" &&
    log === "ok" &&
    witnesses.seen >= witnesses.needed
  );
}

/** Serves until closed. @throws Fault ERR_CONFIG where the address cannot be had */
export async function startHealth(address: HealthAddress, watched: Watched): Promise<HealthListener> {
  const bounds = { maxHeaderSize: 4096, headersTimeout: TIMEOUT, requestTimeout: TIMEOUT };
  const server = createServer({ ...bounds, connectionsCheckingInterval: 1_000 }, (request, response) => {
    const local = "socket" in address || LOCAL_HOST.test(request.headers.host ?? "");
    void answer(request, watched, local).then((reply) => send(response, reply));
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.setTimeout(IDLE);
  const at = "socket" in address ? await listenAt(server, address.socket) : await listenOn(server, address);
  return {
    at,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

async function answer(request: IncomingMessage, watched: Watched, local: boolean): Promise<Reply> {
  if (!local) return refusal(403, "ask by this machine's address");
  if (request.url !== "/healthz" && request.url !== "/metrics") return refusal(404, "not found");
  if (request.method !== "GET") return refusal(405, "only GET");
  if (request.url === "/metrics") {
    try {
      return { status: 200, type: watched.metrics.contentType, body: await watched.metrics.text() };
    } catch {
      return refusal(500, "the agent could not read its figures");
    }
  }
  try {
    const report = watched.report();
    const ok = isHealthy(report);
    return json(ok ? 200 : 503, { ok, ...report });
  } catch {
    return refusal(503, "the agent could not read its state");
  }
}

function json(status: number, body: object): Reply {
  return { status, type: "application/json", body: `${JSON.stringify(body)}\n` };
}

function refusal(status: number, problem: string): Reply {
  return json(status, { ok: false, problem });
}

function send(response: ServerResponse, { status, type, body }: Reply): void {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    connection: "close",
    ...(status === 405 ? { allow: "GET" } : {}),
  });
  response.end(body);
}

async function listenOn(server: Server, address: { host: string; port: number }): Promise<number> {
  await listening(server, `${address.host} port ${address.port}`, () => server.listen(address));
  const at = server.address();
  return typeof at === "object" && at !== null ? at.port : address.port;
}

async function listenAt(server: Server, path: string): Promise<string> {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there !== undefined && !there.isSocket())
    throw new Fault("ERR_CONFIG", `health.socket names ${path}, and something else is there; name another path.`);
  // An agent that was killed leaves its socket behind.
  await claimSocket(path).catch((error: unknown) => {
    if (!isFault(error, "ERR_AGENT_RUNNING")) throw error;
    throw new Fault("ERR_CONFIG", `health.socket names ${path}, where another program answers; name another path.`);
  });
  await listening(server, path, () => {
    // Bound within the call: nobody else can connect before the mode is set.
    const previous = process.umask(0o177);
    try {
      server.listen(path);
    } finally {
      process.umask(previous);
    }
  });
  chmodSync(path, 0o600);
  return path;
}

async function listening(server: Server, where: string, listen: () => void): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new Fault("ERR_CONFIG", `Health cannot be served at ${where}; is it taken? Correct "health".`, { cause })),
    );
    server.once("listening", resolve);
    listen();
  });
}
