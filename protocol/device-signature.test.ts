/** Spellings of addresses: what a stranger writes in the place of one is refused before it costs anything. */
import { keccak_256 } from "@noble/hashes/sha3.js";
import * as v from "valibot";
import { beforeEach, expect, test, vi } from "vitest";
import { checksumAddress, EthereumAddressSchema } from "./device-signature.ts";

vi.mock("@noble/hashes/sha3.js", async (original) => {
  const real = await original<{ keccak_256: (bytes: Uint8Array) => Uint8Array }>();
  return { ...real, keccak_256: vi.fn((bytes: Uint8Array) => real.keccak_256(bytes)) };
});
const hashed = vi.mocked(keccak_256);
beforeEach(() => {
  hashed.mockClear();
});

const ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7";

test("an address has its one spelling, which is found once", () => {
  expect(v.is(EthereumAddressSchema, ADDRESS)).toBe(true);
  expect(v.is(EthereumAddressSchema, ADDRESS.toLowerCase())).toBe(false);
  expect(checksumAddress(ADDRESS.toLowerCase())).toBe(ADDRESS);
  expect(hashed).toHaveBeenCalledTimes(1);
});

test.each([`${ADDRESS}0`, ADDRESS.slice(0, -1), "", `0x${"e".repeat(60_000)}`])(
  "what is not as long as an address is refused without a hash",
  (text) => {
    expect(v.safeParse(EthereumAddressSchema, text).success).toBe(false);
    expect(hashed).not.toHaveBeenCalled();
  },
);

test.each([`0x${"z".repeat(40)}`, `0x${"e".repeat(41)}`, `0x${"e".repeat(60_000)}`])(
  "nothing but an address is kept",
  (text) => {
    for (let n = 0; n < 2; n += 1) checksumAddress(text);
    expect(hashed).toHaveBeenCalledTimes(2);
  },
);
