/** The owner when the HSM is really lost: behind `p11-kit server`, and behind a module that fails on command. */

import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type ErrorCode, Fault, isFault } from "../../protocol/error.ts";
import { type P11Kit, startP11Kit } from "../../test/harness/p11-kit.ts";
import { makeShim, type Order, type Shim } from "../../test/harness/pkcs11-shim.ts";
import { until } from "../../test/harness/retry.ts";
import { isAlive, makeSoftHsm, type SoftHsm } from "../../test/softhsm.ts";
import { type Hsm, type HsmOptions, openHsm } from "./owner.ts";
import { signRecoverable } from "./signer.ts";
import type { HsmKey } from "./wire.ts";

let soft: SoftHsm;
const open: Hsm[] = [];

beforeAll(() => {
  soft = makeSoftHsm();
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((hsm) => hsm.close()));
});

afterAll(() => soft.dispose());

type Source = Pick<HsmOptions, "module" | "timeouts" | "probe"> & { readonly env: Readonly<Record<string, string>> };

async function start({ module, env, timeouts = {}, probe = 15_000 }: Source): Promise<Hsm> {
  const backoff = { first: 20, most: 200 };
  const token = { label: soft.tokenLabel };
  const hsm = await openHsm({ module, token, pin: soft.pin, env, backoff, timeouts, probe });
  open.push(hsm);
  return hsm;
}

const makeKey = (hsm: Hsm) => hsm.generateKey({ curve: "secp256k1", label: "Treasury-1", backup: "none" });

function pidOf(hsm: Hsm): number {
  const pid = hsm.pid();
  if (pid === undefined) throw new Error("the HSM has no process");
  return pid;
}

/** One signature over a fresh digest, verified here. */
async function sign(hsm: Hsm, { id, publicKey }: HsmKey): Promise<void> {
  const digest = randomBytes(32);
  const signature = await hsm.sign(id, digest);
  const options = { prehash: false, lowS: false };
  if (!secp256k1.verify(signature, digest, publicKey, options)) throw new Error("a wrong signature was given out");
}

/** Why a signature could not be had. Fails where there was one. */
async function refusal(hsm: Hsm, key: HsmKey): Promise<ErrorCode> {
  const error: unknown = await sign(hsm, key).then(
    () => new Error("it signed"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof Fault)) throw error;
  return error.code;
}

/** It comes back by itself. Anything but a fault, a wrong signature above all, ends the wait. */
async function signsAgain(hsm: Hsm, key: HsmKey): Promise<void> {
  for (;;) {
    try {
      return await sign(hsm, key);
    } catch (error) {
      if (!isFault(error)) throw error;
      await sleep(20);
    }
  }
}

/** A client whose server is away may say that there is no token. */
const AWAY: readonly ErrorCode[] = ["ERR_HSM_DOWN", "ERR_HSM_TIMEOUT", "ERR_HSM_TOKEN"];

/** Eight callers, each signing again and again until `stop`, which resolves with all that they got. */
function load(hsm: Hsm, key: HsmKey) {
  const stopped = new AbortController();
  const got = { signed: 0, refused: new Set<ErrorCode>() };
  const callers = Array.from({ length: 8 }, async () => {
    while (!stopped.signal.aborted) {
      try {
        await sign(hsm, key);
        got.signed += 1;
      } catch (error) {
        if (!isFault(error)) throw error;
        got.refused.add(error.code);
        await sleep(5);
      }
    }
  });
  return {
    got,
    stop: async () => {
      stopped.abort();
      await Promise.all(callers);
      return got;
    },
  };
}

describe("behind p11-kit", () => {
  let kit: P11Kit;
  beforeAll(async () => {
    kit = await startP11Kit(soft);
  });
  afterAll(() => kit.dispose());

  test("killed under load, again and again: the next signature fails, none is wrong, and it comes back", async () => {
    const hsm = await start(kit);
    const key = await makeKey(hsm);
    const work = load(hsm, key);
    for (let round = 0; round < 3; round += 1) {
      const before = work.got.signed;
      await until(() => work.got.signed > before + 20);
      const pid = pidOf(hsm);
      await kit.kill();
      expect(AWAY).toContain(await refusal(hsm, key));
      expect(kit.processes()).toEqual([]);
      // While nothing listens, nothing signs.
      const atLoss = work.got.signed;
      for (let tries = 0; tries < 3; tries += 1) expect(AWAY).toContain(await refusal(hsm, key));
      expect(work.got.signed).toBe(atLoss);
      await kit.start();
      await signsAgain(hsm, key);
      expect(pidOf(hsm)).not.toBe(pid);
      await until(() => !isAlive(pid));
    }
    const { refused } = await work.stop();
    for (const code of refused) expect(AWAY).toContain(code);
    // Looked up in the new server, attributes and self-test and all.
    expect(await hsm.findKey(key.id)).toEqual(key);
  });

  test("hung: every call is given up after its limit, and it comes back when the HSM does", async () => {
    const hsm = await start({ ...kit, timeouts: { open: 8_000, sign: 1_000, other: 5_000 } });
    const key = await makeKey(hsm);
    const pid = pidOf(hsm);
    kit.hang();
    const codes = await Promise.all(Array.from({ length: 20 }, () => refusal(hsm, key)));
    expect(new Set(codes)).toEqual(new Set(["ERR_HSM_TIMEOUT"]));
    // The process is stuck in a native call, and is gone all the same.
    await until(() => !isAlive(pid));
    expect(AWAY).toContain(await refusal(hsm, key));
    kit.resume();
    await signsAgain(hsm, key);
    expect(await hsm.findKey(key.id)).toEqual(key);
  });

  test("killed while nobody asks: it is found, and comes back without anybody asking", async () => {
    const hsm = await start({ ...kit, probe: 100 });
    const key = await makeKey(hsm);
    const states: string[] = [];
    hsm.onState(({ state }) => states.push(state));
    await kit.kill();
    await until(() => hsm.state() === "down");
    expect(AWAY).toContain(hsm.health().lastFault?.code);
    await kit.start();
    await until(() => hsm.state() === "up");
    expect(states).toEqual(expect.arrayContaining(["down", "starting", "up"]));
    expect(hsm.health().restarts).toBeGreaterThan(0);
    await sign(hsm, key);
  });

  test("closed while the HSM is away: no process is left", async () => {
    const hsm = await start(kit);
    const pid = pidOf(hsm);
    await kit.kill();
    await hsm.close();
    expect(isAlive(pid)).toBe(false);
    await kit.start();
  });
});

describe("behind a module that fails on command", () => {
  let shim: Shim;
  beforeAll(() => {
    shim = makeShim(soft);
  });
  afterEach(() => shim.order({}));
  afterAll(() => shim.dispose());

  const CKR = {
    GENERAL_ERROR: 0x5,
    DEVICE_ERROR: 0x30,
    KEY_HANDLE_INVALID: 0x60,
    SESSION_HANDLE_INVALID: 0xb3,
    TOKEN_NOT_PRESENT: 0xe0,
    USER_NOT_LOGGED_IN: 0x101,
  } as const;

  test.each<[string, Record<string, Order>]>([
    ["the device fails", { C_Sign: CKR.DEVICE_ERROR }],
    ["the module fails without saying why", { C_Sign: CKR.GENERAL_ERROR }],
    ["the session is dead", { C_SignInit: CKR.SESSION_HANDLE_INVALID, C_Sign: CKR.SESSION_HANDLE_INVALID }],
    ["the token is gone", { C_SignInit: CKR.TOKEN_NOT_PRESENT, C_OpenSession: CKR.TOKEN_NOT_PRESENT }],
    ["the login is lost", { C_SignInit: CKR.USER_NOT_LOGGED_IN }],
    ["the module ends its process", { C_Sign: "crash" }],
  ])("%s: the call is rejected, and a new process signs with the same key", async (_, orders) => {
    const hsm = await start(shim);
    const key = await makeKey(hsm);
    const pid = pidOf(hsm);
    const before = shim.carriedOut();
    shim.order(orders);
    expect(await refusal(hsm, key)).toBe("ERR_HSM_DOWN");
    expect(shim.carriedOut()).toBeGreaterThan(before);
    expect(AWAY).toContain(await refusal(hsm, key));
    shim.order({});
    await signsAgain(hsm, key);
    expect(pidOf(hsm)).not.toBe(pid);
    await until(() => !isAlive(pid));
  });

  test("a session that is dead once: the same process opens others, and logs in, and signs", async () => {
    const hsm = await start(shim);
    const key = await makeKey(hsm);
    const pid = pidOf(hsm);
    shim.order({ C_Sign: CKR.SESSION_HANDLE_INVALID });
    expect(await refusal(hsm, key)).toBe("ERR_HSM_DOWN");
    shim.order({});
    await signsAgain(hsm, key);
    expect([pidOf(hsm), hsm.health().restarts]).toEqual([pid, 0]);
  });

  test("a call hangs: it is given up after its limit, its process is ended, and a new one signs", async () => {
    const hsm = await start({ ...shim, timeouts: { sign: 1_000 } });
    const key = await makeKey(hsm);
    const pid = pidOf(hsm);
    shim.order({ C_Sign: "hang" });
    const codes = await Promise.all(Array.from({ length: 20 }, () => refusal(hsm, key)));
    expect(new Set(codes)).toEqual(new Set(["ERR_HSM_TIMEOUT"]));
    expect(shim.carriedOut()).toBeGreaterThan(0);
    await until(() => !isAlive(pid));
    shim.order({});
    await signsAgain(hsm, key);
  });

  test("somebody logs the token out: it is a loss, not a missing key, and a new login signs with the same key", async () => {
    const hsm = await start(shim);
    const key = await makeKey(hsm);
    const before = shim.carriedOut();
    shim.order({ C_SignInit: "logout" });
    for (let tries = 0; tries < 3; tries += 1) expect(await refusal(hsm, key)).toBe("ERR_HSM_DOWN");
    expect(shim.carriedOut()).toBeGreaterThan(before);
    shim.order({});
    await signsAgain(hsm, key);
  });

  test("a handle is dead: the key is looked up again, and that one call says so where it does not help", async () => {
    const hsm = await start(shim);
    const key = await makeKey(hsm);
    const before = shim.carriedOut();
    shim.order({ C_SignInit: CKR.KEY_HANDLE_INVALID });
    expect(await refusal(hsm, key)).toBe("ERR_HSM_KEY_MISSING");
    expect(shim.carriedOut()).toBeGreaterThan(before + 1);
    shim.order({});
    await sign(hsm, key);
  });

  test("a wrong signature is never released, and a key that signs wrongly is never offered", async () => {
    const hsm = await start(shim);
    const key = await makeKey(hsm);
    const known = (await hsm.keys()).length;
    shim.order({ C_Sign: "wrong" });
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, () => signRecoverable(hsm, key, randomBytes(32))),
    );
    for (const result of results) {
      expect(result).toMatchObject({ status: "rejected", reason: { code: "ERR_HSM_SIGNATURE" } });
    }
    await expect(makeKey(hsm)).rejects.toMatchObject({ code: "ERR_HSM_SIGNATURE" });
    shim.order({});
    await signRecoverable(hsm, key, randomBytes(32));
    expect(await hsm.keys()).toHaveLength(known);
  });
});
