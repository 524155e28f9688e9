/** How the connection comes back, against SoftHSM: by itself, found idle, within the same process first, and what it says of itself. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { makeSoftHsm, type SoftHsm } from "../../test/softhsm.ts";
import { type Hsm, type HsmOptions, openHsm } from "./owner.ts";

let soft: SoftHsm;
let folder: string;
const open: Hsm[] = [];

beforeAll(() => {
  soft = makeSoftHsm();
  folder = mkdtempSync(join(tmpdir(), "opencustody-connection-"));
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((hsm) => hsm.close()));
});

afterAll(() => {
  soft.dispose();
  rmSync(folder, { recursive: true, force: true });
});

async function start(changes: Partial<HsmOptions> = {}, program?: string): Promise<Hsm> {
  const { module, tokenLabel, pin, env } = soft;
  const hsm = await openHsm({ module, token: { label: tokenLabel }, pin, env, ...changes }, program);
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

test("it comes back without a caller, and says each change of its state", async () => {
  const hsm = await start();
  const seen: string[] = [];
  const stop = hsm.onState(({ state, since }) => {
    expect(Math.abs(Date.now() - since)).toBeLessThan(60_000);
    seen.push(state);
  });
  const first = pidOf(hsm);
  expect(hsm.health()).toMatchObject({ state: "up", failures: 0, restarts: 0, lastFault: null });
  process.kill(first, "SIGKILL");
  await until(() => hsm.state() === "up" && hsm.pid() !== first);
  await until(() => seen.length >= 3);
  expect(seen).toEqual(["down", "starting", "up"]);
  expect(hsm.health()).toMatchObject({ restarts: 1, failures: 1, lastFault: { code: "ERR_HSM_DOWN" } });
  await hsm.random(8);
  expect(hsm.health().failures).toBe(0);
  stop();
  await hsm.close();
  expect(seen).toHaveLength(3);
});

test("an HSM that hangs while nobody asks it anything is found, ended and replaced", async () => {
  const hsm = await start({ probe: 50, timeouts: { other: 300 } });
  const first = pidOf(hsm);
  process.kill(first, "SIGSTOP");
  await until(() => hsm.pid() !== undefined && hsm.pid() !== first);
  await until(() => hsm.state() === "up");
  expect(hsm.health().lastFault).toMatchObject({ code: "ERR_HSM_TIMEOUT" });
  expect(await hsm.random(8)).toHaveLength(8);
});

/** The child as it is, on a module of which the n-th C_GetSessionInfo and later ones fail until sessions are opened anew `heal` times. */
function ailing(name: string, heal: number): string {
  const program = join(folder, `${name}.mjs`);
  const [module, child] = ["../../node_modules/pkcs11js/index.js", "child.ts"].map(
    (path) => new URL(path, import.meta.url).href,
  );
  writeFileSync(
    program,
    `const { default: pkcs11js } = await import(${JSON.stringify(module)});
     const { C_GetSessionInfo, C_OpenSession } = pkcs11js.PKCS11.prototype;
     let asked = 0, opened = 0;
     pkcs11js.PKCS11.prototype.C_OpenSession = function (...of) { opened += 1; return C_OpenSession.apply(this, of); };
     pkcs11js.PKCS11.prototype.C_GetSessionInfo = function (...of) {
       if (++asked > 1 && opened <= ${heal}) throw new Error("CKR_DEVICE_ERROR:48");
       return C_GetSessionInfo.apply(this, of);
     };
     await import(${JSON.stringify(child)});`,
  );
  return program;
}

test("a session that died idle is replaced within the same process", async () => {
  const hsm = await start({ probe: 20 }, ailing("healed", 1));
  const first = pidOf(hsm);
  const seen: string[] = [];
  hsm.onState(({ state }) => seen.push(state));
  await until(() => seen.includes("up"));
  expect(seen).toEqual(["starting", "up"]);
  expect([hsm.pid(), hsm.health().restarts]).toEqual([first, 0]);
  expect(hsm.health().lastFault?.message).toContain("CKR_DEVICE_ERROR");
});

test("where new sessions do not help, a new process follows", async () => {
  const hsm = await start({ probe: 20, backoff: { first: 20, most: 20 } }, ailing("ill", 1_000));
  await until(() => hsm.health().restarts >= 2);
  expect(hsm.health().lastFault?.message).toContain("CKR_DEVICE_ERROR");
});

/** A child that does all but start its lanes: what a machine at its limit of threads answers. */
function laneless(): string {
  const program = join(folder, "laneless.mjs");
  writeFileSync(
    program,
    `process.on("disconnect", () => process.exit());
     process.on("message", ({ id, command: { call } }) => {
       const values = { open: { label: "t", serial: "1", manufacturer: "m", model: "m" }, random: new Uint8Array(8) };
       if (call !== "lane") process.send({ id, ok: true, value: values[call] ?? null });
       else process.send({ id, ok: false, code: "ERR_INTERNAL", message: "no thread" });
     });`,
  );
  return program;
}

test("where no thread can be had to sign with, each signature is refused and the HSM is not taken for well", async () => {
  const hsm = await start({ backoff: { first: 20, most: 20 }, probe: 3_600_000 }, laneless());
  const before = pidOf(hsm);
  for (const failures of [1, 2]) {
    await until(() => hsm.state() === "up");
    await expect(hsm.sign("00".repeat(16), new Uint8Array(32))).rejects.toMatchObject({ code: "ERR_HSM_DOWN" });
    expect(hsm.health()).toMatchObject({ failures, lastFault: { code: "ERR_HSM_DOWN" } });
  }
  await until(() => hsm.state() === "up");
  expect(pidOf(hsm)).not.toBe(before);
  expect(await hsm.random(8)).toHaveLength(8);
});
