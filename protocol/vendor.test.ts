import * as v from "valibot";
import { expect, test } from "vitest";
import { sumOfDemands, unmetDemands, type VendorDemand, VendorDemandsSchema } from "./vendor.ts";

const EACH: VendorDemand[] = [
  { vendor: "Ledger", atLeast: 1 },
  { vendor: "Trezor", atLeast: 1 },
];

test("two of one kind leave the other kind unmet", () => {
  expect(unmetDemands(EACH, ["Ledger", "Ledger"])).toEqual([{ vendor: "Trezor", atLeast: 1 }]);
  expect(unmetDemands(EACH, ["Trezor"])).toEqual([{ vendor: "Ledger", atLeast: 1 }]);
  expect(unmetDemands(EACH, ["Trezor", "Ledger"])).toEqual([]);
  expect(unmetDemands([{ vendor: "Trezor", atLeast: 2 }], ["Trezor", null])).toEqual([
    { vendor: "Trezor", atLeast: 1 },
  ]);
  expect(unmetDemands([], [])).toEqual([]);
});

test("no vendor twice, none that is unknown, no demand of nobody", () => {
  const fits = (value: unknown) => v.is(VendorDemandsSchema, value);
  expect(fits(EACH)).toBe(true);
  expect(fits([...EACH, EACH[0]])).toBe(false);
  expect(fits([{ vendor: "Nano", atLeast: 1 }])).toBe(false);
  expect(fits([{ vendor: "Ledger", atLeast: 0 }])).toBe(false);
  expect(sumOfDemands(EACH)).toBe(2);
});
