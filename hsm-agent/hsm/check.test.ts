/** `hsm check` against SoftHSM by itself, behind p11-kit (which hides mechanisms), and behind a module that fails on command. */

import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Fault } from "../../protocol/error.ts";
import { startP11Kit } from "../../test/harness/p11-kit.ts";
import { makeShim, type Shim } from "../../test/harness/pkcs11-shim.ts";
import { makeSoftHsm, type SoftHsm } from "../../test/softhsm.ts";
import { type CheckOptions, checkHsm } from "./check.ts";
import { TOLD } from "./check-attributes.ts";
import { printReport } from "./check-print.ts";
import { REPORT, type Report, STEPS, type Verdict } from "./check-wire.ts";
import { generateKey } from "./keys.ts";
import { openHsm } from "./owner.ts";
import type { Module, Session, Template } from "./pkcs11.ts";

let soft: SoftHsm;
beforeEach(() => {
  soft = makeSoftHsm();
});
afterEach(() => soft.dispose());

const check = (changes: Partial<CheckOptions> = {}): Promise<Report> =>
  checkHsm({ module: soft.module, token: { label: soft.tokenLabel }, pin: soft.pin, env: soft.env, ...changes });

/** SoftHSM keeps each object in a file, the token itself too. */
function objects(): string[] {
  const folder = join(dirname(soft.env.SOFTHSM2_CONF), "tokens");
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".object"))
    .toSorted();
}

function verdict(report: Report, capability: Verdict["capability"]): Verdict["verdict"] | undefined {
  return report.verdicts.find((one) => one.capability === capability)?.verdict;
}

test("on SoftHSM everything that the product needs works, and nothing is left", async () => {
  const hsm = await openHsm({ module: soft.module, token: { label: soft.tokenLabel }, pin: soft.pin, env: soft.env });
  const key = await hsm.generateKey({ curve: "P-256", label: "somebody's", backup: "none" });
  await hsm.writeAnchor("an anchor");
  const before = objects();
  expect(before.length).toBeGreaterThan(3);
  const asked: string[] = [];
  const report = await check({ onStep: (step) => asked.push(step) });
  expect(asked).toEqual([...STEPS, "cleanup"]);
  expect(report.cleanup).toEqual({ ok: true, answer: { removed: 0, left: [], doubtful: [] } });
  expect(objects()).toEqual(before);
  expect([await hsm.findKey(key.id), await hsm.readAnchor()]).toEqual([key, "an anchor"]);
  await hsm.close();

  expect(report.works).toBe(true);
  expect(report.verdicts.map(({ verdict }) => verdict)).toEqual([
    "works",
    "works",
    "works",
    "works with a remark",
    "works with a remark",
  ]);
  for (const step of STEPS) expect([step, report.steps[step].ok]).toEqual([step, true]);
  const { steps } = report;
  expect(steps.token).toMatchObject({ answer: { manufacturer: "SoftHSM project", pin: "ok" } });
  expect(steps.secp256k1).toMatchObject({
    answer: { point: "DER", ecdsa: { works: true }, ecdsaSha256: { works: false }, signatures: 16 },
  });
  expect(steps.ed25519).toMatchObject({ answer: { eddsa: { works: true }, params: "identifier" } });
  expect(steps.anchor).toMatchObject({ answer: { changed: { works: false } } });
  expect(steps["wrap-aes-kw"]).toMatchObject({ answer: { wrap: { works: true }, unwrap: { works: true } } });
  expect(steps["wrap-aes-kwp"]).toMatchObject({ answer: { wrap: { works: false } } });
  expect(steps["wrap-rsa-oaep"]).toMatchObject({ answer: { wrap: { works: false } } });
  expect(steps.trusted).toMatchObject({ answer: { guards: { works: true }, user: { works: false } } });
  expect(steps.login).toMatchObject({ answer: { second: "C_Login: CKR_USER_ALREADY_LOGGED_IN 0x100" } });

  // What --json prints is the schema's, and nothing else.
  const printed: unknown = JSON.parse(JSON.stringify(report));
  expect(v.parse(REPORT, printed)).toEqual(report);
  expect(v.safeParse(REPORT, { ...report, more: 1 }).success).toBe(false);
  expect(JSON.stringify(report)).not.toContain(soft.pin);
  const lines = printReport(printed);
  expect(lines.join("\n")).toContain("CKM_EDDSA: works");
  expect(lines.at(-1)).toBe("This HSM can hold the identity, Ethereum vaults and the anchor.");
});

test("through p11-kit, which hides Ed25519 and the wraps, the check says so", async () => {
  const kit = await startP11Kit(soft);
  try {
    const before = objects();
    const report = await check(kit);
    expect(report.works).toBe(true);
    for (const needed of ["identity", "ethereum", "anchor"] as const) expect(verdict(report, needed)).toBe("works");
    for (const hidden of ["backup", "solana"] as const) expect(verdict(report, hidden)).toBe("does not work");
    const { mechanisms, ed25519 } = report.steps;
    expect(mechanisms.ok && mechanisms.answer.map(({ name }) => name)).toContain("CKM_ECDSA");
    expect(mechanisms.ok && mechanisms.answer.map(({ name }) => name)).not.toContain("CKM_EDDSA");
    expect(ed25519).toMatchObject({ answer: { generate: { works: false, reason: /CKR_MECHANISM/ } } });
    expect(objects()).toEqual(before);
    await kit.kill();
    const away = await check(kit);
    expect(away.works).toBe(false);
    expect(away.steps.token.ok).toBe(false);
  } finally {
    await kit.dispose();
  }
});

test("a module that cannot be loaded and a token that is not there are answers", async () => {
  const noModule = await check({ module: join(dirname(soft.pinFile), "none.so") });
  expect([noModule.works, noModule.steps.library.ok, noModule.steps.login.ok]).toEqual([false, false, false]);
  expect(v.parse(REPORT, noModule)).toEqual(noModule);
  const noToken = await check({ token: { label: "none" } });
  expect([noToken.works, noToken.steps.slots.ok, noToken.steps.token.ok]).toEqual([false, true, false]);
  expect(noToken.steps.login).toMatchObject({
    reason: expect.stringContaining('no token with label "none"') as string,
  });
  expect(printReport(noToken).at(-1)).toContain("cannot");
});

test("what the check says that a key is told is what keys.ts tells it", async () => {
  for (const backup of ["none", "wrap"] as const) {
    const told: Template[] = [];
    const module = {
      generateEcKeyPair: (_session: Session, _public: Template, privateKey: Template) => {
        told.push(privateKey);
        return Promise.reject(new Fault("ERR_HSM_DOWN", "seen enough"));
      },
    } as unknown as Module;
    const request = { curve: "secp256k1", label: "x", backup } as const;
    const made = generateKey(module, Buffer.alloc(8) as Session, Buffer.alloc(16), request);
    await expect(made).rejects.toThrow("seen enough");
    const { TOKEN: _token, ID: _id, LABEL: _label, ...rest } = told[0] ?? {};
    expect(rest).toEqual(TOLD[backup]);
  }
});

describe("behind a module that fails on command", () => {
  let shim: Shim;
  beforeEach(() => {
    shim = makeShim(soft);
  });
  afterEach(() => shim.dispose());

  test("a call hangs: the step did not answer, and the rest goes on", async () => {
    const before = objects();
    shim.order({ C_CreateObject: "hang" });
    const report = await check({ ...shim, limits: { make: 8_000 } });
    expect(shim.carriedOut()).toBe(1);
    expect(report.steps.anchor).toEqual({ ok: false, reason: "did not answer within 8 s" });
    for (const step of STEPS) expect([step, report.steps[step].ok]).toEqual([step, step !== "anchor"]);
    expect([report.works, verdict(report, "anchor"), verdict(report, "ethereum")]).toEqual([
      false,
      "does not work",
      "works",
    ]);
    expect(report.cleanup).toMatchObject({ ok: true, answer: { left: [], doubtful: [expect.any(String)] } });
    expect(objects()).toEqual(before);
  });

  test("a call ends the process: the step says so, and the rest goes on", async () => {
    shim.order({ C_UnwrapKey: "crash" });
    const report = await check(shim);
    expect(shim.carriedOut()).toBe(2);
    expect(report.steps["wrap-aes-kw"]).toEqual({ ok: false, reason: "the module ended its process (SIGSEGV)" });
    expect([report.steps.trusted.ok, report.works, verdict(report, "backup")]).toEqual([true, true, "does not work"]);
  });

  test("wrong signatures: nothing is called working, and nothing is left", async () => {
    const before = objects();
    shim.order({ C_Sign: "wrong" });
    const report = await check(shim);
    expect(shim.carriedOut()).toBeGreaterThan(5);
    expect(report.works).toBe(false);
    for (const needed of ["identity", "ethereum", "solana"] as const) {
      expect([needed, verdict(report, needed)]).toEqual([needed, "does not work"]);
    }
    expect(objects()).toEqual(before);
  });

  test("a template attribute is refused: the table says which, and that it was told alone", async () => {
    // CKR_ATTRIBUTE_TYPE_INVALID to every key: none passes, and the check survives it.
    shim.order({ C_GenerateKeyPair: 0x12 });
    const report = await check(shim);
    const { attributes } = report.steps;
    expect(
      attributes.ok && attributes.answer.attributes.find(({ attribute }) => attribute === "COPYABLE"),
    ).toMatchObject({ result: "refused", reason: "C_GenerateKeyPair: CKR_ATTRIBUTE_TYPE_INVALID 0x12" });
    expect([verdict(report, "identity"), report.works]).toEqual(["does not work", false]);
  });

  test("what cannot be removed is named, found by the next check, and removed by nobody but its owner", async () => {
    const before = objects();
    shim.order({ C_DestroyObject: 0x5 });
    const report = await check(shim);
    const left = report.cleanup.ok ? report.cleanup.answer.left : [];
    expect(left).toEqual([
      expect.stringMatching(/^label "OpenCustody check [0-9a-f]{16}"$/),
      expect.stringMatching(/^CKA_ID [0-9a-f]{32}$/),
      expect.stringMatching(/^CKA_ID [0-9a-f]{32}$/),
    ]);
    expect(printReport(report).join("\n")).toContain(`NOT REMOVED: ${left.join(", ")}`);
    const after = objects();
    expect(after.length).toBeGreaterThan(before.length);
    shim.order({});
    const next = await check(shim);
    const { leftovers } = next.steps;
    const ids = leftovers.ok ? leftovers.answer.map(({ id }) => `CKA_ID ${id}`) : [];
    expect(ids).toEqual(expect.arrayContaining(left.slice(1)));
    expect(objects()).toEqual(after);
  });

  test("what a step could not remove is removed at the end, and so when the check is stopped", async () => {
    const before = objects();
    shim.order({ C_DestroyObject: 0x5 });
    const stop = new AbortController();
    const report = await check({
      ...shim,
      signal: stop.signal,
      onStep: (step) => {
        if (step === "token-secp256k1") stop.abort();
        if (step === "cleanup") shim.order({});
      },
    });
    expect(shim.carriedOut("C_DestroyObject")).toBeGreaterThan(0);
    expect(report.steps["token-secp256k1"].ok).toBe(true);
    expect(report.steps.anchor).toEqual({ ok: false, reason: "not asked: the check was stopped" });
    expect(report.cleanup).toEqual({ ok: true, answer: { removed: 4, left: [], doubtful: [] } });
    expect(objects()).toEqual(before);
  });

  test.each([
    ["a wrong PIN", { C_Login: "note" }, "not-the-pin", 1],
    ["a login that hangs", { C_Login: "hang" }, undefined, 1],
    ["one try that is left", { C_Login: "note", C_GetTokenInfo: "final" }, undefined, 0],
  ] as const)("%s: the PIN is tried so often and no more", async (_, orders, pin, tries) => {
    shim.order(orders);
    const report = await check({ ...shim, pin: pin ?? soft.pin, limits: { open: 8_000 } });
    expect(shim.carriedOut("C_Login")).toBe(tries);
    expect([report.works, report.steps.mechanisms.ok, report.steps.login.ok]).toEqual([false, true, false]);
    expect(report.steps.p256).toMatchObject({ reason: expect.stringContaining("there is no login") as string });
    expect(JSON.stringify(report)).not.toContain(pin ?? soft.pin);
  });
});
