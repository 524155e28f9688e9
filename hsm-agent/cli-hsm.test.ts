/** `opencustody hsm check` as a program: its exit status, which PIN it takes, and Ctrl-C. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeShim } from "../test/harness/pkcs11-shim.ts";
import { until } from "../test/harness/retry.ts";
import { makeSoftHsm, type SoftHsm } from "../test/softhsm.ts";
import { REPORT } from "./hsm/check-wire.ts";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));
let soft: SoftHsm;
let folder: string;
beforeEach(() => {
  soft = makeSoftHsm();
  folder = dirname(soft.pinFile);
});
afterEach(() => soft.dispose());

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[], env: Readonly<Record<string, string>>): [ChildProcess, Promise<Ran>] {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, to which Ctrl-C goes as a whole.
    detached: true,
  });
  const out = { stdout: "", stderr: "" };
  child.stdout.on("data", (data) => (out.stdout += String(data)));
  child.stderr.on("data", (data) => (out.stderr += String(data)));
  const ended = new Promise<Ran>((resolve) => child.once("close", (code) => resolve({ code, ...out })));
  return [child, ended];
}

async function run(...args: string[]): Promise<Ran> {
  const [, ended] = start(["--json", "hsm", "check", ...args], soft.env);
  return await ended;
}

function configure(changes: Readonly<Record<string, unknown>> = {}): string {
  const file = join(folder, "opencustody.json");
  const hsm = { module: soft.module, token: { label: soft.tokenLabel }, pin: { file: soft.pinFile }, ...changes };
  writeFileSync(file, JSON.stringify({ data: "agent", hsm, bridge: { url: "ws://127.0.0.1:8787/" } }));
  return file;
}

test("without a configuration, all is named; with one, nothing need be", async () => {
  const named = ["--module", soft.module, "--token-label", soft.tokenLabel, "--pin-file", soft.pinFile];
  const first = await run(...named);
  expect([first.code, first.stderr]).toEqual([0, ""]);
  expect(v.parse(REPORT, JSON.parse(first.stdout)).works).toBe(true);
  expect(await run()).toMatchObject({ code: 2, stderr: expect.stringContaining("ERR_CONFIG") as string });
  configure();
  const second = await run();
  expect([second.code, v.parse(REPORT, JSON.parse(second.stdout)).works]).toEqual([0, true]);
});

test("what would not work is exit status 1, with the report", async () => {
  configure({ token: { label: "none" } });
  const { code, stdout, stderr } = await run();
  expect([code, v.parse(REPORT, JSON.parse(stdout)).works]).toEqual([1, false]);
  expect(stderr).toContain("ERR_HSM_UNSUPPORTED");
});

test("the configured PIN is not tried on a token that is not the configured one", async () => {
  soft.addToken("another");
  configure();
  const shim = makeShim(soft);
  shim.order({ C_Login: "note" });
  const args = ["--json", "hsm", "check", "--module", shim.module, "--token-label", "another"];
  const [, ended] = start(args, shim.env);
  // It asks, and here is no terminal.
  expect(await ended).toMatchObject({ code: 2, stderr: expect.stringContaining("ERR_SECRET") as string });
  const [, own] = start([...args.slice(0, -1), soft.tokenLabel], shim.env);
  expect((await own).code).toBe(0);
  expect(shim.carriedOut("C_Login")).toBe(1 + 1);
  shim.dispose();
});

test("Ctrl-C while keys are in the token and a call hangs: they are destroyed, and the report says what was not asked", async () => {
  const objects = () =>
    readdirSync(join(folder, "tokens"), { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".object"),
    );
  const before = objects();
  const shim = makeShim(soft);
  // Nothing can be destroyed until Ctrl-C, so the keys of two steps are there when the next one hangs.
  shim.order({ C_DestroyObject: 0x5, C_CreateObject: "hang" });
  const named = ["--module", shim.module, "--token-label", soft.tokenLabel, "--pin-file", soft.pinFile];
  const [child, ended] = start(["--json", "hsm", "check", ...named], shim.env);
  await until(() => shim.carriedOut("C_CreateObject") > 0);
  expect(objects()).toHaveLength(before.length + 4);
  shim.order({});
  process.kill(-(child.pid ?? 0), "SIGINT");
  const { code, stdout } = await ended;
  const report = v.parse(REPORT, JSON.parse(stdout));
  expect([code, report.works]).toEqual([1, false]);
  expect(report.steps.anchor).toEqual({ ok: false, reason: "did not answer within 5 s after the check was stopped" });
  expect(report.cleanup).toMatchObject({ ok: true, answer: { removed: 4, left: [] } });
  expect(report.steps["wrap-rsa-oaep"]).toEqual({ ok: false, reason: "not asked: the check was stopped" });
  expect(objects()).toEqual(before);
  shim.dispose();
});
