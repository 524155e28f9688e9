/** The simulated Trezor against the recordings, and the pages that its screen is known to have. */

import { expect, test } from "vitest";
import vectors from "../vectors/trezor-one_1.14.2.json" with { type: "json" };
import { messageText, simulatedTrezorHands } from "./hands.ts";
import { SimulatedTrezor } from "./trezor.ts";

const one = (mnemonic = vectors.mnemonic) => new SimulatedTrezor({ model: "T1B1", mnemonic });
const text = (screens: string[][]) => screens.slice(1).map((lines) => lines.slice(1, -2));

test.each(vectors.cases)(
  "$name: pages, screens and signature as recorded",
  async ({ message, pages, screens, signature }) => {
    const trezor = one();
    const hands = simulatedTrezorHands(trezor);
    const [result, read] = await Promise.all([trezor.signMessage(vectors.path, message), hands.readAndSign()]);
    expect(result).toEqual({ success: true, payload: { address: vectors.address, signature } });
    expect(text(read)).toEqual(pages);
    expect(read).toHaveLength(screens);
    expect(read).toEqual(trezor.visited);
    expect(read[0]).toEqual(["Confirm message signing?", ...cut(vectors.address), "Cancel", "Confirm"]);
    expect(read.map((lines) => lines.at(-1))).toEqual(["Confirm", ...pages.slice(1).map(() => "Next"), "Sign"]);
  },
);

const cut = (address: string) => [address.slice(0, 18), address.slice(18, 36), address.slice(36)];

test.each([
  [64, 2],
  [300, 6],
  [800, 13],
  [1024, 16],
])("%i bytes are %i screens", async (length, screens) => {
  const trezor = one();
  const [, read] = await Promise.all([
    trezor.signMessage(vectors.path, "x".repeat(length)),
    simulatedTrezorHands(trezor).readAndSign(),
  ]);
  expect(read).toHaveLength(screens);
});

test("1,025 bytes fail on a Trezor One with nothing shown", async () => {
  const trezor = one();
  expect(await trezor.signMessage(vectors.path, "x".repeat(1025))).toMatchObject({ code: "Failure_DataError" });
  expect(trezor.prompts).toBe(0);
});

test.each(["two\nlines", "caffè"])("%j is shown as hex, 32 bytes a page", async (message) => {
  const trezor = one();
  const long = `${message}${"x".repeat(40)}`;
  const [, read] = await Promise.all([
    trezor.signMessage(vectors.path, long),
    simulatedTrezorHands(trezor).readAndSign(),
  ]);
  expect(read[1]?.[0]).toBe("Sign binary message?");
  expect(read[1]?.slice(1, -2).join("")).toHaveLength(64);
  expect(messageText(read)).toBe(Buffer.from(long).toString("hex"));
});

test("it signs nothing before the last page, and nothing when declined there", async () => {
  const trezor = one();
  const asked = trezor.signMessage(vectors.path, "x".repeat(300));
  for (let page = 1; page < 6; page += 1) trezor.press("right");
  expect(trezor.screen().at(-1)).toBe("Sign");
  expect(trezor.signatures).toBe(0);
  trezor.press("left");
  expect(await asked).toMatchObject({ code: "Failure_ActionCancelled" });
  expect(trezor.signatures).toBe(0);
});

test("a Safe lets a person leave pages unread, and says so", async () => {
  const trezor = new SimulatedTrezor({ model: "T3B1", mnemonic: vectors.mnemonic });
  const message = "x".repeat(800);
  const [result, read] = await Promise.all([
    trezor.signMessage(vectors.path, message),
    simulatedTrezorHands(trezor).readAndSign({ skip: true }),
  ]);
  expect(result.success).toBe(true);
  expect(messageText(read).length).toBeLessThan(message.length);
  expect(trezor.visited).toEqual(read);
});

test("one question at a time; the address is shown where that is asked; a passphrase is another wallet", async () => {
  const trezor = one();
  const hands = simulatedTrezorHands(trezor);
  const shown = trezor.getAddress(vectors.path, true);
  expect(await trezor.signMessage(vectors.path, "x")).toMatchObject({ code: "Device_CallInProgress" });
  expect(await hands.confirmAddress()).toBe(vectors.address);
  expect(await shown).toMatchObject({ payload: { address: vectors.address } });
  expect(trezor.prompts).toBe(1);
  trezor.usePassphrase("other");
  expect(trezor.address()).not.toBe(vectors.address);
  expect(await trezor.getAddress(vectors.path, false)).toMatchObject({ payload: { address: trezor.address() } });
});

test("locked, unplugged and taken back while it asks", async () => {
  const trezor = one();
  for (const [act, code] of [
    [() => trezor.lock(), "Failure_PinCancelled"],
    [() => trezor.unplug(), "Device_Disconnected"],
    [() => trezor.cancel(), "Method_Interrupted"],
  ] as const) {
    trezor.plug();
    const asked = trezor.signMessage(vectors.path, "x");
    act();
    expect(await asked).toMatchObject({ code });
    expect(trezor.asking).toBe(false);
  }
  trezor.lock();
  expect(await trezor.signMessage(vectors.path, "x")).toMatchObject({ code: "Failure_PinExpected" });
  trezor.unplug();
  expect(await trezor.signMessage(vectors.path, "x")).toMatchObject({ code: "Device_NotFound" });
  expect(trezor.features()).toMatchObject({ code: "Device_NotFound" });
});
