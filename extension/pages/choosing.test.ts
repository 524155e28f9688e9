import { expect, test } from "vitest";
import type { StoredDevice } from "../store.ts";
import { askable, deviceName } from "./choosing.ts";

const base = { path: "m/44'/60'/7'/0/0", state: "enrolled", problem: null } as const;
const nano: StoredDevice = { ...base, address: "0xA", vendor: "Ledger", model: "nano-s-plus" };
const one: StoredDevice = { ...base, address: "0xB", vendor: "Trezor", model: "trezor-one" };

test("a device is named by its model, and by its owner's word before it", () => {
  expect(deviceName(one)).toBe("Trezor One");
  expect(deviceName({ ...one, label: "Desk" })).toBe("Desk (Trezor One)");
});

test("the one used last comes first, and one that cannot be reached not at all", () => {
  const all = () => true;
  expect(askable([nano, one], all)).toEqual([nano, one]);
  expect(askable([nano, { ...one, usedAt: 5 }], all)[0]?.address).toBe("0xB");
  expect(askable([nano, one], (vendor) => vendor === "Trezor")).toEqual([one]);
});

test("where a quorum still needs a kind, a device of that kind comes first", () => {
  const trezor = (vendor: string) => vendor === "Trezor";
  expect(askable([{ ...nano, usedAt: 9 }, one], () => true, trezor)[0]).toEqual(one);
});
