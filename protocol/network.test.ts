import * as v from "valibot";
import { expect, test } from "vitest";
import { DecimalSchema, NetworkIdSchema, NetworkSchema } from "./network.ts";

test.each([
  [
    "a network id",
    NetworkIdSchema,
    ["eip155:1", "eip155:11155111"],
    ["eip155:0", "eip155:01", "eip155:", "EIP155:1", "eip155:1 ", "solana:1"],
  ],
  [
    "an amount",
    DecimalSchema,
    ["0", "1", "0.5", "10.00", "250000.000001"],
    ["", "01", "-1", "+1", "1.", ".5", "1e3", "1,000", " 1"],
  ],
])("%s", (_what, schema, valid, refused) => {
  expect(valid.filter((text) => !v.is(schema, text))).toEqual([]);
  expect(refused.filter((text) => v.is(schema, text))).toEqual([]);
});

test("decimals are 0 to 36", () => {
  const network = { id: "eip155:1", name: "Ethereum", symbol: "ETH" };
  expect([0, 18, 36].filter((decimals) => !v.is(NetworkSchema, { ...network, decimals }))).toEqual([]);
  expect([-1, 37, 1.5, "18"].filter((decimals) => v.is(NetworkSchema, { ...network, decimals }))).toEqual([]);
});
