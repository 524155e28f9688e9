/** The owner and its child against SoftHSM: what happens when the child is killed, stopped, or left alone. */

import { fork, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { isFault } from "../../protocol/error.ts";
import { isAlive, makeSoftHsm, type SoftHsm } from "../../test/softhsm.ts";
import { type Hsm, type HsmOptions, openHsm } from "./owner.ts";

let soft: SoftHsm;
let folder: string;
const open: Hsm[] = [];

beforeAll(() => {
  soft = makeSoftHsm();
  folder = mkdtempSync(join(tmpdir(), "opencustody-owner-"));
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((hsm) => hsm.close()));
});

afterAll(() => {
  soft.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const options = (): HsmOptions => ({
  module: soft.module,
  token: { label: soft.tokenLabel },
  pin: soft.pin,
  env: soft.env,
});

async function start(changes: Partial<HsmOptions> = {}, program?: string): Promise<Hsm> {
  const hsm = await openHsm({ ...options(), ...changes }, program);
  open.push(hsm);
  return hsm;
}

function pidOf(hsm: Hsm): number {
  const pid = hsm.pid();
  if (pid === undefined) throw new Error("the HSM has no process");
  return pid;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(10);
}

test("a key is made, found in another process, and signs", async () => {
  const hsm = await start();
  expect(hsm.state()).toBe("up");
  const { label, manufacturer } = await hsm.token();
  expect([label, manufacturer]).toEqual([soft.tokenLabel, "SoftHSM project"]);
  const key = await hsm.generateKey({ curve: "secp256k1", label: "Treasury-1", backup: "none" });
  expect(key.id).toMatch(/^[0-9a-f]{32}$/);
  expect(await hsm.random(80)).toHaveLength(80);
  const other = await start({ token: { serial: (await hsm.token()).serial } });
  expect(await other.findKey(key.id)).toEqual(key);
  expect(await other.keys()).toContainEqual(key);
  expect(await other.sign(key.id, randomBytes(32))).toHaveLength(64);
});

test("what cannot be asked is refused on this side", async () => {
  const hsm = await start();
  await expect(hsm.findKey("AB".repeat(16))).rejects.toMatchObject({ code: "ERR_HSM_KEY_MISSING" });
  await expect(hsm.sign("x", randomBytes(32))).rejects.toMatchObject({ code: "ERR_HSM_KEY_MISSING" });
  await expect(hsm.random(1025)).rejects.toMatchObject({ code: "ERR_USAGE" });
  const request = { curve: "P-256", label: "two\nlines", backup: "none" } as const;
  await expect(hsm.generateKey(request)).rejects.toMatchObject({ code: "ERR_USAGE" });
  expect(hsm.state()).toBe("up");
});

test("a wrong PIN, token or module is told apart, and leaves no process", async () => {
  const pin = "not-the-pin";
  const wrongPin = await openHsm({ ...options(), pin }).catch((error: unknown) => error);
  expect(wrongPin).toMatchObject({ code: "ERR_HSM_PIN" });
  expect(String(wrongPin)).not.toContain(pin);
  await expect(openHsm({ ...options(), token: { label: "none" } })).rejects.toMatchObject({ code: "ERR_HSM_TOKEN" });
  const module = join(folder, "none.so");
  await expect(openHsm({ ...options(), module })).rejects.toMatchObject({ code: "ERR_HSM_CONFIG" });
  soft.addToken("twins");
  soft.addToken("twins");
  const twins = openHsm({ ...options(), token: { label: "twins" } });
  await expect(twins).rejects.toThrow("2 tokens");
  await expect(start()).resolves.toBeDefined();
});

test("the PIN is neither in the child's arguments nor in its environment", async () => {
  const pid = pidOf(await start());
  for (const file of ["cmdline", "environ"]) {
    const text = readFileSync(`/proc/${pid}/${file}`, "latin1");
    expect(text.length).toBeGreaterThan(0);
    expect(text).not.toContain(soft.pin);
  }
});

test("a child killed in mid-work rejects what was under way, and the next call works", async () => {
  const hsm = await start();
  const { id } = await hsm.generateKey({ curve: "secp256k1", label: "x", backup: "none" });
  const first = pidOf(hsm);
  const work = Promise.allSettled(Array.from({ length: 200 }, () => hsm.sign(id, randomBytes(32))));
  process.kill(first, "SIGKILL");
  const results = await work;
  const lost = results.filter((result) => result.status === "rejected");
  expect(lost.length).toBeGreaterThan(0);
  expect(lost.every(({ reason }) => isFault(reason, "ERR_HSM_DOWN"))).toBe(true);
  expect(hsm.state()).toBe("down");
  expect(await hsm.sign(id, randomBytes(32))).toHaveLength(64);
  expect(hsm.state()).toBe("up");
  expect(pidOf(hsm)).not.toBe(first);
});

test("a child that stops answering is ended by the watchdog, and the next call starts another", async () => {
  const hsm = await start({ timeouts: { sign: 300 } });
  const { id } = await hsm.generateKey({ curve: "P-256", label: "x", backup: "none" });
  const first = pidOf(hsm);
  process.kill(first, "SIGSTOP");
  const results = await Promise.allSettled([hsm.sign(id, randomBytes(32)), hsm.random(8)]);
  for (const result of results) {
    expect(result).toMatchObject({ status: "rejected", reason: { code: "ERR_HSM_TIMEOUT" } });
  }
  await until(() => !isAlive(first));
  expect(await hsm.random(8)).toHaveLength(8);
  expect(pidOf(hsm)).not.toBe(first);
});

test("close lets what is under way finish, leaves no process, and may be repeated", async () => {
  const hsm = await start();
  const pid = pidOf(hsm);
  const { id } = await hsm.generateKey({ curve: "P-256", label: "x", backup: "none" });
  const signed = Promise.all(Array.from({ length: 50 }, () => hsm.sign(id, randomBytes(32))));
  await Promise.all([hsm.close(), hsm.close()]);
  expect(await signed).toHaveLength(50);
  expect(isAlive(pid)).toBe(false);
  expect(hsm.state()).toBe("down");
  await expect(hsm.random(8)).rejects.toMatchObject({ code: "ERR_HSM_DOWN" });
});

test("signals that reach the whole group do not end the child; its parent's death does", async () => {
  const owner = fileURLToPath(new URL("owner.ts", import.meta.url));
  const program = join(folder, "parent.mjs");
  writeFileSync(
    program,
    `const { openHsm } = await import(${JSON.stringify(owner)});
     process.once("message", async (options) => process.send((await openHsm(options)).pid()));`,
  );
  const parent = spawn(process.execPath, [program], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const pid = await new Promise<number>((resolve, reject) => {
    parent.once("message", (message) => resolve(Number(message)));
    parent.once("exit", () => reject(new Error("the parent ended early")));
    parent.send(options());
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.kill(pid, signal);
  await sleep(100);
  expect(isAlive(pid)).toBe(true);
  parent.kill("SIGKILL");
  await until(() => !isAlive(pid));
});

/** A child that logs each `open` in a file, and answers the n-th one with the n-th of `answers`; other calls end it. */
function pretend(name: string, answers: readonly ("ok" | "ERR_HSM_PIN" | "die")[]) {
  const log = join(folder, `${name}.log`);
  const program = join(folder, `${name}.mjs`);
  writeFileSync(
    program,
    `import { appendFileSync, readFileSync } from "node:fs";
     process.on("disconnect", () => process.exit());
     process.on("message", ({ id, command }) => {
       if (command.call === "close") return process.send({ id, ok: true, value: null });
       if (command.call !== "open") return process.exit();
       appendFileSync(${JSON.stringify(log)}, "x");
       const answer = ${JSON.stringify(answers)}[readFileSync(${JSON.stringify(log)}).length - 1];
       if (answer === "die" || answer === undefined) return process.exit();
       const value = { label: "t", serial: "1", manufacturer: "m", model: "o" };
       process.send(answer === "ok" ? { id, ok: true, value } : { id, ok: false, code: answer, message: "refused" });
     });`,
  );
  return { program, opened: () => (existsSync(log) ? readFileSync(log).length : 0) };
}

test("a PIN that was refused is never tried again", async () => {
  const { program, opened } = pretend("pin", ["ok", "ERR_HSM_PIN", "ok"]);
  const hsm = await start({}, program);
  await expect(hsm.random(8)).rejects.toMatchObject({ code: "ERR_HSM_DOWN" });
  for (let tries = 0; tries < 3; tries += 1) {
    await expect(hsm.random(8)).rejects.toMatchObject({ code: "ERR_HSM_PIN" });
  }
  expect(opened()).toBe(2);
});

test("a child that keeps dying is not started again before its time", async () => {
  const { program, opened } = pretend("dying", ["ok", "die", "ok"]);
  const hsm = await start({ backoff: { first: 3_600_000, most: 3_600_000 } }, program);
  await expect(hsm.random(8)).rejects.toMatchObject({ code: "ERR_HSM_DOWN" });
  // The first loss costs no wait.
  await expect(hsm.random(8)).rejects.toMatchObject({ code: "ERR_HSM_DOWN" });
  expect(opened()).toBe(2);
  for (let tries = 0; tries < 3; tries += 1) await expect(hsm.random(8)).rejects.toThrow(/tried again in \d+ ms/);
  expect(opened()).toBe(2);
});

test("a start that failed is tried again after its time, by itself; those who wait share one start", async () => {
  const { program, opened } = pretend("retried", ["ok", "die", "die", "ok"]);
  const hsm = await start({ backoff: { first: 1, most: 1 } }, program);
  await expect(hsm.random(8)).rejects.toMatchObject({ code: "ERR_HSM_DOWN" });
  await until(() => opened() === 4);
  expect(await Promise.all([hsm.token(), hsm.token(), hsm.token()])).toHaveLength(3);
  expect(opened()).toBe(4);
  expect(hsm.health()).toMatchObject({ state: "up", failures: 3, restarts: 3, lastFault: { code: "ERR_HSM_DOWN" } });
});

test.each([
  ["an unknown call", { id: 1, command: { call: "export", pin: "1234" } }],
  ["an unknown key", { id: 1, command: { call: "keys", all: true } }],
  [
    "a signature asked in the wrong place",
    { id: 1, command: { call: "sign", key: "00".repeat(16), digest: new Uint8Array(32) } },
  ],
  ["a lane that is none", { id: 1, command: { call: "lane", lane: 64 } }],
  ["a text", "1234"],
])("the child ends without a word on %s", async (_, message) => {
  const program = fileURLToPath(new URL("child.ts", import.meta.url));
  const child = fork(program, [], {
    execArgv: [],
    serialization: "advanced",
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const said: string[] = [];
  child.stdout?.on("data", (data: Buffer) => said.push(data.toString()));
  child.stderr?.on("data", (data: Buffer) => said.push(data.toString()));
  child.on("message", (reply) => said.push(JSON.stringify(reply)));
  child.send(message);
  const signal = await new Promise((resolve) => child.once("close", (_code, signal) => resolve(signal)));
  expect(signal).toBe("SIGKILL");
  expect(said).toEqual([]);
});
