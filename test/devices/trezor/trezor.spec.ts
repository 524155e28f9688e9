/**
 * The shipped trezor.ts with the real client library in a real Chromium, against a simulated Suite: asked, signed, declined, taken back.
 * With TREZOR_SUITE=1 what needs no simulation runs against whatever listens on Suite's port, with a person at the device.
 */

import { expect, test } from "vitest";
import { recoverSigner } from "../../../protocol/device-signature.ts";
import vectors from "../vectors/trezor-one_1.14.2.json" with { type: "json" };
import { asked, hands, idle, PATH, SIGNED, STATEMENT, setStage, simulated, suite, tab, trezor, use } from "./stage.ts";
import { SimulatedTrezor } from "./trezor.ts";

setStage();

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
  await idle();
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

simulated("a Safe signs, and the pages that its owner left out are seen", async () => {
  use(new SimulatedTrezor({ model: "T3B1", mnemonic: vectors.mnemonic }));
  await tab.connect();
  const [signed, read] = await Promise.all([tab.sign(PATH, STATEMENT), hands.readAndSign()]);
  expect(signed).toEqual(SIGNED);
  expect(trezor.visited).toEqual(read);
});
