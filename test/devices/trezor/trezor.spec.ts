/**
 * The shipped trezor.ts with the real client library in a real Chromium, against a simulated Suite: every outcome. With TREZOR_SUITE=1
 * what needs no simulation runs against whatever listens on Suite's port, with a person at the device.
 */

import { once } from "node:events";
import { createServer } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { recoverSigner } from "../../../protocol/device-signature.ts";
import vectors from "../vectors/trezor-one_1.14.2.json" with { type: "json" };
import { asksForMessage, simulatedTrezorHands, type TrezorHands } from "./hands.ts";
import { openTrezor, type TrezorSetup } from "./open.ts";
import { answer, type SimulatedSuite } from "./suite.ts";
import { SimulatedTrezor } from "./trezor.ts";
import { openTrezorBrowser, type TrezorBrowser, type TrezorPage } from "./trezor-page.ts";

const PATH = vectors.path;
const [recorded] = vectors.cases;
const STATEMENT = recorded?.message ?? "";
const SIGNED = { value: `0x${recorded?.signature}` };
const simulated = test.skipIf(process.env["TREZOR_SUITE"] === "1");

let setup: TrezorSetup;
let browser: TrezorBrowser;
let tab: TrezorPage;
let suite: SimulatedSuite;
let trezor: SimulatedTrezor;
let hands: TrezorHands;

beforeAll(async () => {
  setup = await openTrezor();
  browser = await openTrezorBrowser(setup.port);
});
afterAll(async () => {
  await browser?.close();
  await setup?.close();
});
beforeEach(async () => {
  tab = await browser.open();
  hands = setup.hands;
  if (setup.suite === undefined) return;
  suite = setup.suite;
  use(new SimulatedTrezor({ model: "T1B1", mnemonic: vectors.mnemonic }));
  for (const list of [suite.frames, suite.origins, suite.appNames]) list.length = 0;
});
afterEach(async () => {
  // Whatever happened: no remote page, no stray request, and nothing rejected with nobody listening.
  expect(tab.strayRequests).toEqual([]);
  expect(tab.errors).toEqual([]);
  expect(new Set(tab.sockets)).toEqual(new Set(["ws://127.0.0.1:21335/connect-ws"]));
  await tab.close();
  suite.silent = false;
});

function use(device: SimulatedTrezor): void {
  trezor = device;
  suite.trezor = device;
  hands = simulatedTrezorHands(device);
}

const asked = () => hands.waitForScreen(asksForMessage);

test("a statement is signed by the key whose address it gave", async () => {
  await tab.connect();
  const address = await tab.address(PATH, false);
  const [signed] = await Promise.all([tab.sign(PATH, STATEMENT), hands.readAndSign()]);
  if (!("value" in signed) || !("value" in address)) throw new Error(JSON.stringify({ signed, address }));
  expect(recoverSigner(STATEMENT, signed.value)).toBe(address.value);
});

test("a decline is an outcome, and it can be asked again", async () => {
  await tab.connect();
  const [declined] = await Promise.all([tab.sign(PATH, STATEMENT), hands.decline()]);
  expect(declined).toMatchObject({ outcome: "declined" });
  const [signed] = await Promise.all([tab.sign(PATH, STATEMENT), hands.readAndSign()]);
  expect(signed).toHaveProperty("value");
});

test("the address is shown on the device", async () => {
  await tab.connect();
  const [address] = await Promise.all([tab.address(PATH, true), hands.confirmAddress()]);
  expect(address).toHaveProperty("value");
});

simulated.each(vectors.cases)(
  "$name: pages and signature as recorded",
  async ({ message, pages, signature, screens }) => {
    expect(await tab.connect()).toEqual({ value: { vendor: "Trezor", model: "trezor-one", appVersion: "1.14.2" } });
    const [signed, read] = await Promise.all([tab.sign(PATH, message), hands.readAndSign()]);
    expect(signed).toEqual({ value: `0x${signature}` });
    expect(read.slice(1).map((lines) => lines.slice(1, -2))).toEqual(pages);
    expect(trezor.visited).toHaveLength(screens);
  },
);

simulated("a handshake before every call, Suite sees who asks, and one press is one prompt", async () => {
  await tab.connect();
  const [address] = await Promise.all([tab.address(PATH, true), hands.confirmAddress()]);
  expect(address).toEqual({ value: vectors.address });
  await Promise.all([tab.sign(PATH, STATEMENT), hands.readAndSign()]);
  const calls = ["getFeatures", "ethereumGetAddress", "ethereumSignMessage"];
  expect(suite.frames).toEqual(calls.flatMap((call) => ["popup-handshake", call]));
  expect(suite.origins).toEqual([tab.origin]);
  expect(new Set(suite.appNames)).toEqual(new Set(["OpenCustody approvals"]));
  expect(trezor.prompts).toBe(2);
});

simulated("a second press while the device asks sends no second prompt", async () => {
  await tab.connect();
  const first = tab.sign(PATH, STATEMENT);
  await asked();
  expect(await tab.sign(PATH, STATEMENT)).toMatchObject({ outcome: "busy" });
  expect(await tab.address(PATH, false)).toMatchObject({ outcome: "busy" });
  await hands.readAndSign();
  expect(await first).toEqual(SIGNED);
  expect(trezor.prompts).toBe(1);
});

simulated("closing while the device asks settles the call and takes the prompt back", async () => {
  await tab.connect();
  const signing = tab.sign(PATH, STATEMENT);
  await asked();
  await tab.disconnect();
  expect(await signing).toMatchObject({ outcome: "cancelled" });
  await hands.waitForScreen((lines) => lines[0] === "Trezor");
  expect(suite.frames.at(-1)).toBe("core-call-cancel");
  expect(await tab.sign(PATH, STATEMENT)).toMatchObject({ outcome: "unplugged" });
  await tab.connect();
  const [signed] = await Promise.all([tab.sign(PATH, STATEMENT), hands.readAndSign()]);
  expect(signed).toEqual(SIGNED);
  expect(trezor.prompts).toBe(2);
});

simulated("taken back in Suite's window", async () => {
  await tab.connect();
  const signing = tab.sign(PATH, STATEMENT);
  await asked();
  trezor.cancel();
  expect(await signing).toMatchObject({ outcome: "cancelled", detail: "Method_Interrupted: Popup closed" });
});

simulated("Suite not running: said at once, waiting for no timer", async () => {
  await suite.stop();
  await tab.page.clock.install();
  await tab.page.clock.pauseAt(Date.now() + 60_000);
  expect(await tab.connect()).toMatchObject({ outcome: "suite-missing" });
  await suite.start();
});

simulated("a program that hangs on Suite's port: said after one second", async () => {
  await suite.stop();
  const sockets = new Set<{ destroy(): void }>();
  const hanging = createServer((socket) => void sockets.add(socket.on("error", () => undefined)));
  hanging.listen(suite.port, "127.0.0.1");
  await once(hanging, "listening");
  await tab.page.clock.install();
  await tab.page.clock.pauseAt(Date.now() + 60_000);
  let told: unknown;
  const connecting = tab.connect().then((how) => {
    told = how;
  });
  await expect.poll(() => tab.sockets.length).toBe(1);
  await tab.page.clock.runFor(999);
  expect(told).toBeUndefined();
  await tab.page.clock.runFor(1);
  await connecting;
  expect(told).toMatchObject({ outcome: "suite-missing" });
  for (const socket of sockets) socket.destroy();
  hanging.close();
  await once(hanging, "close");
  await suite.start();
});

simulated("a program that takes the connection and never shakes hands", async () => {
  suite.silent = true;
  expect(await tab.connect()).toMatchObject({ outcome: "suite-missing" });
  expect(trezor.prompts).toBe(0);
});

simulated("Suite gone while the device asks; it comes back, and the person asks again", async () => {
  await tab.connect();
  const signing = tab.sign(PATH, STATEMENT);
  await asked();
  await suite.stop();
  expect(await signing).toMatchObject({ outcome: "unplugged", detail: /^Desktop_ConnectionMissing/ });
  await hands.waitForScreen((lines) => lines[0] === "Trezor");
  expect(await tab.sign(PATH, STATEMENT)).toMatchObject({ outcome: "unplugged" });
  await suite.start();
  expect(trezor.prompts).toBe(1);
  const [signed] = await Promise.all([tab.sign(PATH, STATEMENT), hands.readAndSign()]);
  expect(signed).toEqual(SIGNED);
  expect(trezor.prompts).toBe(2);
});

simulated("unplugged while it asks, not there, and plugged in again", async () => {
  await tab.connect();
  const signing = tab.sign(PATH, STATEMENT);
  await asked();
  trezor.unplug();
  expect(await signing).toMatchObject({ outcome: "unplugged" });
  expect(await tab.connect()).toMatchObject({ outcome: "not-connected" });
  trezor.plug();
  expect(await tab.connect()).toHaveProperty("value");
  expect(trezor.prompts).toBe(1);
});

simulated("a slow reader is kept in touch by pings, and may sign in the fifth minute", async () => {
  await tab.page.clock.install();
  await tab.connect();
  const signing = tab.sign(PATH, STATEMENT);
  await asked();
  await pass(295);
  expect(suite.frames.filter((frame) => frame === "ping").length).toBeGreaterThanOrEqual(4);
  await hands.readAndSign();
  expect(await signing).toEqual(SIGNED);
  expect(trezor.prompts).toBe(1);
});

simulated("who does not answer for five minutes is told so, and the prompt is taken back", async () => {
  await tab.page.clock.install();
  await tab.connect();
  const signing = tab.sign(PATH, STATEMENT);
  await asked();
  await pass(310);
  expect(await signing).toMatchObject({ outcome: "timed-out" });
  await hands.waitForScreen((lines) => lines[0] === "Trezor");
  expect(trezor.prompts).toBe(1);
});

/** Seconds of the page's clock, in steps that leave room for a ping's answer. */
async function pass(seconds: number): Promise<void> {
  for (let at = 0; at < seconds; at += 5) {
    const pings = suite.frames.filter((frame) => frame === "ping").length;
    await tab.page.clock.runFor(5000);
    if (suite.frames.filter((frame) => frame === "ping").length > pings) await tab.page.evaluate(() => undefined);
  }
}

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

const payload = { address: vectors.address, signature: recorded?.signature };
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
    payload: { ...payload, signature: `${recorded?.signature.slice(0, -2)}00` },
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

simulated("the browser's permission for local addresses is denied", async () => {
  await tab.close();
  tab = await browser.open(async (context) => {
    await context.addInitScript(() => {
      navigator.permissions.query = async () => ({ state: "denied" }) as PermissionStatus;
    });
  });
  await suite.stop();
  expect(await tab.connect()).toMatchObject({ outcome: "local-network-blocked" });
  await suite.start();
});

simulated("a Safe signs, and the pages that its owner left out are seen", async () => {
  use(new SimulatedTrezor({ model: "T3B1", mnemonic: vectors.mnemonic }));
  await tab.connect();
  const [signed, read] = await Promise.all([tab.sign(PATH, STATEMENT), hands.readAndSign()]);
  expect(signed).toEqual(SIGNED);
  expect(trezor.visited).toEqual(read);
});
