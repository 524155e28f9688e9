import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fingerprint } from "../protocol/primitive.ts";
import { Agent, Client, makeKey, newId, URL_OF_BRIDGE } from "./testing.ts";

const MAIN = new URL("main.ts", import.meta.url).pathname;
let folder: string;
let agent: Agent;
const running = new Set<ChildProcess>();
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "bridge-main-"));
  agent = await Agent.make();
});
afterEach(async () => {
  for (const child of running) {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  rmSync(folder, { recursive: true });
});

function configure(changes: Record<string, unknown> = {}): string {
  const path = join(folder, "bridge.json");
  const config = {
    url: URL_OF_BRIDGE,
    listen: { host: "127.0.0.1", port: 0 },
    data: "data",
    agents: [fingerprint(agent.hsm.id)],
  };
  writeFileSync(path, JSON.stringify({ ...config, health: { socket: "health.sock" }, ...changes }));
  return path;
}

function run(...parameters: string[]): ChildProcess {
  const child = spawn(process.execPath, [MAIN, ...parameters], { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

async function start(path: string): Promise<{ child: ChildProcess; port: number }> {
  const child = run("--config", path);
  if (child.stdout === null) throw new Error("no stdout");
  for await (const line of createInterface(child.stdout)) {
    const entry = JSON.parse(line) as { msg: string; port: number };
    if (entry.msg === "listening") {
      child.stdout.resume();
      return { child, port: entry.port };
    }
  }
  throw new Error("the bridge did not start");
}

async function outcome(child: ChildProcess): Promise<{ code: unknown; stderr: string }> {
  let stderr = "";
  child.stderr?.on("data", (data: Buffer) => {
    stderr += data.toString();
  });
  const [code] = (await once(child, "close")) as [unknown];
  return { code, stderr };
}

async function loginAgent(port: number): Promise<Client> {
  const client = new Client(port);
  expect(await client.login(agent.link, agent, {}, await agent.card())).toEqual({ v: 1, t: "ready", card: null });
  return client;
}

test("killed after it accepted, it still delivers, once, in order, to whom the roster names", async () => {
  const alice = await makeKey();
  const path = configure();
  let bridge = await start(path);
  const first = await loginAgent(bridge.port);
  first.send({ v: 1, t: "roster", jws: await agent.roster(1, [alice]) });
  expect(await first.next()).toEqual({ v: 1, t: "enrolled", n: 1 });
  await first.leave();
  let member = new Client(bridge.port);
  await member.login(alice, agent);
  const ids = [newId(), newId(), newId()];
  for (const id of ids) expect(await member.post(agent.hsm.id, "x", id)).toEqual({ v: 1, t: "accepted", id });
  bridge.child.kill("SIGKILL");
  await once(bridge.child, "exit");

  bridge = await start(path);
  member = new Client(bridge.port);
  expect(await member.login(alice, agent)).toEqual({ v: 1, t: "ready", card: await agent.card() });
  expect(await member.post(agent.hsm.id, "x", ids[2])).toMatchObject({ t: "accepted" });
  let receiver = await loginAgent(bridge.port);
  for (const [at, id] of ids.entries()) expect(await receiver.next()).toMatchObject({ t: "deliver", seq: at + 1, id });
  receiver.send({ v: 1, t: "ack", seq: 2 });
  expect(await receiver.quiet()).toBe(true);
  bridge.child.kill("SIGKILL");
  await once(bridge.child, "exit");

  bridge = await start(path);
  receiver = await loginAgent(bridge.port);
  expect(await receiver.next()).toMatchObject({ t: "deliver", seq: 3, id: ids[2] });
  expect(await receiver.quiet()).toBe(true);
});

test.each(["SIGINT", "SIGTERM"] as const)("on %s it says goodbye and exits 0", async (signal) => {
  const { child, port } = await start(configure());
  const [client, stranger] = [await loginAgent(port), new Client(port)];
  await stranger.nonce();
  const ended = outcome(child);
  child.kill(signal);
  expect(await Promise.all([client.closed, stranger.closed])).toEqual([1001, 1001]);
  expect(await ended).toEqual({ code: 0, stderr: "" });
  expect(existsSync(join(folder, "health.sock"))).toBe(false);
});

test("it ends though peers do not read, do not speak, or keep their half open", async () => {
  const alice = await makeKey();
  const { child, port } = await start(configure());
  const first = await loginAgent(port);
  first.send({ v: 1, t: "roster", jws: await agent.roster(1, [alice]) });
  expect(await first.next()).toMatchObject({ t: "enrolled" });
  const deaf = new Client(port);
  await deaf.login(alice, agent);
  deaf.socket.pause();
  // More than the window's megabyte, so that some of it stays in the bridge.
  for (let i = 0; i < 20; i++) expect(await first.post(alice.id, "x".repeat(100_000))).toMatchObject({ t: "accepted" });
  const silent = new Client(port);
  await silent.nonce();
  silent.socket.pause();
  const host = new URL(URL_OF_BRIDGE).host;
  const stuck = [
    "",
    "GET / HTTP/1.1\r\nHost:",
    `GET / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 10\r\n\r\nx`,
    `GET /no HTTP/1.1\r\nHost: ${host}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n`,
  ].map((text) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    socket.on("error", () => undefined);
    socket.write(text);
    return socket;
  });
  for (const socket of stuck) if (socket.connecting) await once(socket, "connect");
  // Answered only after what was sent before it was seen.
  expect(await first.quiet()).toBe(true);
  const ended = outcome(child);
  child.kill("SIGTERM");
  expect(await ended).toEqual({ code: 0, stderr: "" });
  for (const socket of [...stuck, deaf.socket, silent.socket]) {
    if ("terminate" in socket) socket.terminate();
    else socket.destroy();
  }
});

test("health on a Unix socket of the owner's, also in place of one that a killed bridge left", async () => {
  const path = configure();
  const { child } = await start(path);
  child.kill("SIGKILL");
  await once(child, "exit");
  await start(path);
  const socketPath = join(folder, "health.sock");
  expect(statSync(socketPath).mode & 0o777).toBe(0o600);
  const body = await new Promise<string>((resolve, reject) => {
    request({ socketPath, path: "/healthz" }, (response) => {
      response.on("data", (data: Buffer) => resolve(data.toString()));
    })
      .on("error", reject)
      .end();
  });
  expect(JSON.parse(body)).toEqual({ connections: 0, agentsOnline: 0, mailboxDepth: 0 });
});

test("what is wrong with the configuration is one sentence and code 2", async () => {
  const path = configure({ debug: true });
  expect(await outcome(run("--config", path))).toEqual({
    code: 2,
    stderr: `In the configuration file ${path}, debug: is not a known key.\n`,
  });
  expect(await outcome(run("--config", join(folder, "none.json")))).toMatchObject({ code: 2 });
  expect(await outcome(run("--verbose"))).toEqual({
    code: 2,
    stderr: "The bridge takes --config FILE and nothing else.\n",
  });
});

test("a second bridge on the same folder, or on a port that is taken, does not start", async () => {
  const { port } = await start(configure());
  expect(await outcome(run("--config", configure()))).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("another bridge") as string,
  });
  const taken = configure({ data: "other", listen: { host: "127.0.0.1", port }, health: undefined });
  expect(await outcome(run("--config", taken))).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("cannot listen") as string,
  });
});
