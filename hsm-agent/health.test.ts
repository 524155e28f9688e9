import { linkSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { HealthAddress } from "./config.ts";
import { type HealthListener, type HealthReport, isHealthy, startHealth } from "./health.ts";

const WELL: HealthReport = {
  record: "ok",
  hsm: "up",
  bridge: "online",
  clock: "ok",
  log: "ok",
  witnesses: { needed: 2, seen: 2 },
};
const LOOPBACK = { host: "127.0.0.1", port: 0 };

let folder: string;
let report: () => HealthReport;
let figures: () => Promise<string>;
let open: HealthListener[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "opencustody-health-"));
  report = () => WELL;
  figures = async () => await Promise.resolve("figures 1\n");
  open = [];
});
afterEach(async () => {
  for (const listener of open) await listener.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(address: HealthAddress = LOOPBACK): Promise<HealthListener> {
  const metrics = { contentType: "text/plain; version=0.0.4", text: async () => await figures() };
  const listener = await startHealth(address, { report: () => report(), metrics });
  open.push(listener);
  return listener;
}

interface Got {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

async function ask(
  at: number | string,
  path: string,
  method = "GET",
  headers: Record<string, string> = {},
): Promise<Got> {
  const place = typeof at === "string" ? { socketPath: at } : { host: "127.0.0.1", port: at };
  return await new Promise((resolve, reject) => {
    const asked = request({ ...place, path, method, headers, agent: false }, (response) => {
      void text(response).then((body) => resolve({ status: response.statusCode, headers: response.headers, body }));
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** Sends bytes as they are, and resolves with all that comes back. */
async function raw(at: number | string, bytes: string): Promise<string> {
  const socket = typeof at === "string" ? connect(at) : connect(at, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(bytes);
  return await text(socket);
}

test("well: 200 and every part by name", async () => {
  const { at } = await start();
  const got = await ask(at, "/healthz");
  expect(got.status).toBe(200);
  expect(JSON.parse(got.body)).toEqual({ ok: true, ...WELL });
  expect(got.headers).toMatchObject({
    "content-type": "application/json",
    "cache-control": "no-store",
    connection: "close",
  });
});

const ILL: Partial<HealthReport>[] = [
  { record: "failed" },
  { hsm: "down" },
  { hsm: "starting" },
  { bridge: "offline" },
  { clock: "in doubt" },
  { log: "behind" },
  { log: "restored" },
  { witnesses: { needed: 2, seen: 1 } },
];
test.each(ILL)("ill: 503, and it says that %j", async (part) => {
  const { at } = await start();
  report = () => ({ ...WELL, ...part });
  const got = await ask(at, "/healthz");
  expect(got.status).toBe(503);
  expect(JSON.parse(got.body)).toEqual({ ok: false, ...WELL, ...part });
  report = () => WELL;
  expect((await ask(at, "/healthz")).status).toBe(200);
});

test("more have shown the log than had to: well", () => {
  expect(isHealthy({ ...WELL, witnesses: { needed: 0, seen: 0 } })).toBe(true);
  expect(isHealthy({ ...WELL, witnesses: { needed: 1, seen: 3 } })).toBe(true);
});

test("metrics are the figures as they are", async () => {
  const { at } = await start();
  const got = await ask(at, "/metrics");
  expect([got.status, got.body, got.headers["content-type"]]).toEqual([
    200,
    "figures 1\n",
    "text/plain; version=0.0.4",
  ]);
});

test("what cannot be read is said without what went wrong", async () => {
  const { at } = await start();
  report = () => {
    throw new Error("s3cret");
  };
  figures = () => Promise.reject(new Error("s3cret"));
  const [health, metrics] = [await ask(at, "/healthz"), await ask(at, "/metrics")];
  expect([health.status, metrics.status]).toEqual([503, 500]);
  expect(JSON.parse(health.body)).toMatchObject({ ok: false });
  expect(health.body + metrics.body).not.toContain("s3cret");
});

const OTHER_PATHS = ["/", "/healthz/", "/healthz?x=1", "//healthz", "/metrics/..", "/HEALTHZ", "/debug", "*"];
test.each(OTHER_PATHS)("there is nothing at %s", async (path) => {
  const { at } = await start();
  for (const method of ["GET", "POST"]) expect((await ask(at, path, method)).status).toBe(404);
});

test.each(["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE"])("%s is refused", async (method) => {
  const { at } = await start();
  for (const path of ["/healthz", "/metrics"]) {
    const got = await ask(at, path, method);
    expect([got.status, got.headers["allow"]]).toEqual([405, "GET"]);
  }
});

const HOSTS: [string, number][] = [
  ["127.0.0.1", 200],
  ["127.0.0.1:9464", 200],
  ["localhost:9464", 200],
  ["[::1]:9464", 200],
  ["attacker.example", 403],
  ["attacker.example:9464", 403],
  ["127.0.0.1.attacker.example", 403],
  ["localhost.attacker.example", 403],
  ["10.0.0.1", 403],
];
test.each(HOSTS)("a page that calls this machine %s is answered %d", async (host, status) => {
  const { at } = await start();
  expect((await ask(at, "/healthz", "GET", { host })).status).toBe(status);
});

test("headers have an end, and so has patience with half a request", async () => {
  const { at } = await start();
  expect(await raw(at, `GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(8192)}\r\n\r\n`)).toMatch(
    /^HTTP\/1.1 431 /,
  );
  expect(await raw(at, "GET /healthz HTTP/1.1\r\nHost: loc")).toMatch(/^HTTP\/1.1 408 /);
  expect(await raw(at, "nonsense\r\n\r\n")).toMatch(/^HTTP\/1.1 400 /);
  expect(await raw(at, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")).toMatch(
    /^HTTP\/1.1 200 /,
  );
});

test("a socket is its owner's only, and goes when it is closed", async () => {
  const path = join(folder, "health.sock");
  const before = process.umask();
  const listener = await start({ socket: path });
  expect([listener.at, statSync(path).mode & 0o777, process.umask()]).toEqual([path, 0o600, before]);
  expect((await ask(path, "/healthz")).status).toBe(200);
  expect((await ask(path, "/healthz", "GET", { host: "any.example" })).status).toBe(200);
  await listener.close();
  expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
});

test("a socket that a killed agent left behind is taken over; anything else is left as it is", async () => {
  const left = join(folder, "left.sock");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(left, resolve));
  await expect(start({ socket: left })).rejects.toMatchObject({
    code: "ERR_CONFIG",
    message: expect.stringContaining(left) as string,
  });
  const kept = join(folder, "kept.sock");
  // What the killed one's socket is: a name without anybody behind it.
  linkSync(left, kept);
  await new Promise((resolve) => server.close(resolve));
  await start({ socket: kept });
  expect((await ask(kept, "/healthz")).status).toBe(200);

  writeFileSync(join(folder, "file"), "money");
  mkdirSync(join(folder, "folder"));
  symlinkSync(kept, join(folder, "link"));
  for (const name of ["file", "folder", "link"])
    await expect(start({ socket: join(folder, name) })).rejects.toMatchObject({ code: "ERR_CONFIG" });
  expect(statSync(join(folder, "file")).size).toBe(5);
});

test("an address that cannot be had is refused by a sentence", async () => {
  const { at } = await start();
  await expect(start({ host: "127.0.0.1", port: Number(at) })).rejects.toMatchObject({ code: "ERR_CONFIG" });
  await expect(start({ socket: join(folder, "missing", "health.sock") })).rejects.toMatchObject({ code: "ERR_CONFIG" });
  await expect(start({ socket: join(folder, "x".repeat(200)) })).rejects.toMatchObject({ code: "ERR_CONFIG" });
});

test("closing does not wait for whoever is connected", async () => {
  const listener = await start();
  const socket = connect(Number(listener.at), "127.0.0.1");
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("connect", resolve));
  await listener.close();
  await text(socket).catch(() => "");
  await expect(ask(listener.at, "/healthz")).rejects.toThrow("ECONNREFUSED");
  open = [];
});
