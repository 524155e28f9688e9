import { expect, test } from "vitest";
import { canReach, supportsLedger } from "./support.ts";

const FIREFOX = { userAgent: "Gecko" };
const CHROMIUM = { userAgent: "Gecko", usb: {} };

test("a Ledger is reached where there is WebUSB, a Trezor everywhere", () => {
  expect([FIREFOX, CHROMIUM].map((browser) => supportsLedger(browser))).toEqual([false, true]);
  expect([FIREFOX, CHROMIUM].map((browser) => canReach("Ledger", browser))).toEqual([false, true]);
  expect([FIREFOX, CHROMIUM].map((browser) => canReach("Trezor", browser))).toEqual([true, true]);
});
