/** The shipped trezor.ts and what can come back over Suite's port: every code, other forms, noise, another wallet, another process. */

import { expect } from "vitest";
import { recoverSigner } from "../../../protocol/device-signature.ts";
import vectors from "../vectors/trezor-one_1.14.2.json" with { type: "json" };
import { simulatedTrezorHands } from "./hands.ts";
import {
  asked,
  hands,
  PATH,
  SIGNATURE,
  SIGNED,
  STATEMENT,
  setStage,
  simulated,
  suite,
  tab,
  trezor,
  use,
} from "./stage.ts";
import { answer } from "./suite.ts";
import { SimulatedTrezor } from "./trezor.ts";

setStage();

simulated("another passphrase is another address, and no signature of it is the enrolled one's", async () => {
  await tab.connect();
  trezor.usePassphrase("hidden");
  expect(await tab.address(PATH, false)).toEqual({ value: trezor.address() });
  const [signed] = await Promise.all([tab.sign(PATH, STATEMENT), hands.readAndSign()]);
  expect(recoverSigner(STATEMENT, "value" in signed ? signed.value : "")).not.toBe(vectors.address);
});

simulated("a statement of 1,024 bytes is asked, one of 1,025 never reaches Suite", async () => {
  await tab.connect();
  const [signed] = await Promise.all([tab.sign(PATH, "x".repeat(1024)), hands.readAndSign()]);
  expect(signed).toHaveProperty("value");
  const before = suite.frames.length;
  expect(await tab.sign(PATH, "x".repeat(1025))).toMatchObject({ outcome: "too-long" });
  expect(suite.frames).toHaveLength(before);
});

const CODES = {
  Failure_ActionCancelled: "declined",
  Method_Cancel: "cancelled",
  Method_Interrupted: "cancelled",
  Method_PermissionsNotGranted: "no-permission",
  Device_NotFound: "not-connected",
  Transport_Missing: "not-connected",
  Device_Disconnected: "unplugged",
  Device_UsedElsewhere: "in-use",
  Device_CallInProgress: "busy",
  Failure_Busy: "busy",
  Failure_DataError: "too-long",
  Method_DataOverflowModelOne: "too-long",
  Failure_PinExpected: "locked",
  Failure_PinCancelled: "locked",
  Failure_PinInvalid: "locked",
  Device_InvalidState: "wrong-device",
  Device_FwException: "firmware-too-old",
  Device_MissingCapability: "firmware-too-old",
  Device_MissingCapabilityBtcOnly: "wrong-app",
  Failure_NotInitialized: "wrong-app",
  Failure_ProcessError: "unknown",
  Something_New: "unknown",
};
simulated("every code is an outcome, its code kept, and the next press asks again", async () => {
  await tab.connect();
  for (const [code, outcome] of Object.entries(CODES)) {
    suite.fail("ethereumSignMessage", code, "why\u0007");
    expect(await tab.sign(PATH, STATEMENT)).toEqual({ outcome, detail: `${code}: why?` });
  }
  expect(trezor.prompts).toBe(0);
  const [signed] = await Promise.all([tab.sign(PATH, STATEMENT), hands.readAndSign()]);
  expect(signed).toEqual(SIGNED);
});

simulated("locked while it asks, and before", async () => {
  await tab.connect();
  const signing = tab.sign(PATH, STATEMENT);
  await asked();
  trezor.lock();
  expect(await signing).toMatchObject({ outcome: "locked" });
  expect(await tab.address(PATH, false)).toMatchObject({ outcome: "locked" });
});

const payload = { address: vectors.address, signature: SIGNATURE };
const NOT_ANSWERS: Record<string, (id: string) => object> = {
  "a failure in the form of version 9": (id) => ({ id, success: false, payload: { error: "Cancelled" } }),
  "the same with a code there": (id) => ({ id, success: false, payload: { error: "x", code: "Device_Disconnected" } }),
  "a failure with a signature": (id) => ({ id, success: false, payload }),
  "no payload": (id) => ({ id, success: true }),
  "nothing but an id": (id) => ({ id }),
  "an empty payload": (id) => ({ id, success: true, payload: {} }),
  "a list": (id) => ({ id, success: true, payload: [payload] }),
  "a short signature": (id) => ({ id, success: true, payload: { ...payload, signature: "1c" } }),
  "a signature with another last byte": (id) => ({
    id,
    success: true,
    payload: { ...payload, signature: `${SIGNATURE.slice(0, -2)}00` },
  }),
  "a signature that is a number": (id) => ({ id, success: true, payload: { ...payload, signature: 1 } }),
};
simulated("an answer of another form is unknown, never a success", async () => {
  await tab.connect();
  for (const [what, frame] of Object.entries(NOT_ANSWERS)) {
    suite.plan("ethereumSignMessage", (id) => [frame(id)]);
    expect(await tab.sign(PATH, STATEMENT), what).toMatchObject({ outcome: "unknown" });
  }
  for (const address of ["", "0x12", vectors.address.slice(2), 7]) {
    suite.plan("ethereumGetAddress", (id) => [{ id, success: true, payload: { address } }]);
    expect(await tab.address(PATH, false)).toMatchObject({ outcome: "unknown" });
  }
  expect(trezor.prompts).toBe(0);
});

simulated("noise, answers to nobody and answers twice change nothing", async () => {
  await tab.connect();
  const forged = { success: true, payload: { address: vectors.address, signature: "00".repeat(65) } };
  suite.plan(
    "ethereumSignMessage",
    (id, result) => ["{", "null", "[]", { id: "999", ...forged }, { ...forged }, answer(id, result), { id, ...forged }],
    { asksDevice: true },
  );
  const [signed] = await Promise.all([tab.sign(PATH, STATEMENT), hands.readAndSign()]);
  expect(signed).toEqual(SIGNED);
  const [again] = await Promise.all([tab.sign(PATH, STATEMENT), hands.readAndSign()]);
  expect(again).toEqual(SIGNED);
  expect(trezor.prompts).toBe(2);
});

simulated("another process on Suite's port can only give a signature that does not verify", async () => {
  await tab.connect();
  const other = new SimulatedTrezor({ model: "T1B1", mnemonic: vectors.mnemonic });
  other.usePassphrase("theirs");
  const [theirs] = await Promise.all([other.signMessage(PATH, STATEMENT), simulatedTrezorHands(other).readAndSign()]);
  suite.plan("ethereumSignMessage", (id) => [answer(id, theirs)]);
  const signed = await tab.sign(PATH, STATEMENT);
  expect(recoverSigner(STATEMENT, "value" in signed ? signed.value : "")).not.toBe(vectors.address);
});

simulated.each([
  ["T1B1", "1.10.3", { outcome: "firmware-too-old" }],
  ["T1B1", "1.10.4", { value: { model: "trezor-one" } }],
  ["T2T1", "2.3.4", { outcome: "firmware-too-old" }],
  ["T2T1", "2.3.5", { value: { model: "trezor-t" } }],
  ["T2B1", "2.6.3", { value: { model: "trezor-safe-3" } }],
  ["T3B1", "2.8.9", { value: { model: "trezor-safe-3" } }],
  ["T3T1", "2.8.9", { value: { model: "trezor-safe-5" } }],
] as const)("%s with firmware %s", async (model, firmware, told) => {
  use(new SimulatedTrezor({ model, firmware, mnemonic: vectors.mnemonic }));
  expect(await tab.connect()).toMatchObject(told);
});

simulated("a Trezor that cannot sign as it is, and one that is not known", async () => {
  const features = { internal_model: "T1B1", major_version: 1, minor_version: 14, patch_version: 2 };
  for (const [change, outcome] of [
    [{ bootloader_mode: true }, "wrong-app"],
    [{ initialized: false }, "wrong-app"],
    [{ internal_model: "T9Z9" }, "unknown"],
    [{ major_version: "1" }, "unknown"],
  ] as const) {
    suite.plan("getFeatures", (id) => [{ id, success: true, payload: { ...features, ...change } }]);
    expect(await tab.connect()).toMatchObject({ outcome });
  }
});
