/** signed-transaction.ts against a chain library, which makes the transactions. */
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import fc from "fast-check";
import { keccak256, serializeTransaction } from "viem/utils";
import { describe, expect, test } from "vitest";
import { checkSigned, gasOf } from "./signed-transaction.ts";

const SECRET = hexToBytes("11".repeat(32));
const KEY = bytesToHex(secp256k1.getPublicKey(SECRET, false));
const ORDER = secp256k1.Point.Fn.ORDER;
const word = (value: bigint) => `0x${value.toString(16).padStart(64, "0")}` as const;

const transactions = fc.record({
  chainId: fc.integer({ min: 1, max: 2 ** 40 }),
  nonce: fc.nat(),
  maxPriorityFeePerGas: fc.bigInt(0n, 10n ** 12n),
  maxFeePerGas: fc.bigInt(10n ** 12n, 10n ** 15n),
  gas: fc.bigInt(0n, 30_000_000n),
  value: fc.bigInt(0n, 2n ** 200n),
  data: fc.uint8Array({ maxLength: 400 }).map((bytes) => `0x${bytesToHex(bytes)}` as const),
});
type Made = typeof transactions extends fc.Arbitrary<infer T> ? T : never;

function make(fields: Made, change: { r?: bigint; s?: bigint; flip?: boolean } = {}) {
  const transaction = { type: "eip1559", to: `0x${"52".repeat(20)}`, ...fields } as const;
  const unsigned = serializeTransaction(transaction);
  const raw = secp256k1.sign(keccak_256(hexToBytes(unsigned.slice(2))), SECRET, {
    prehash: false,
    format: "recovered",
  });
  const signature = secp256k1.Signature.fromBytes(raw, "recovered");
  const { r = signature.r, s = signature.s, flip = false } = change;
  const yParity = ((signature.recovery ?? 0) ^ Number(flip)) as 0 | 1;
  return {
    unsigned: unsigned.slice(2),
    raw: serializeTransaction(transaction, { r: word(r), s: word(s), yParity }),
    s: signature.s,
  };
}

test("what a library signs is accepted, with its hash and its gas", () => {
  fc.assert(
    fc.property(transactions, (fields) => {
      const { unsigned, raw } = make(fields);
      expect(checkSigned(unsigned, raw, KEY)).toBe(keccak256(raw));
      const { gas, maxFeePerGas, maxPriorityFeePerGas } = fields;
      expect(gasOf(unsigned)).toEqual({ limit: gas, maxFeePerGas, maxPriorityFeePerGas });
    }),
  );
});

test("the same bytes with anything changed are refused", () => {
  fc.assert(
    fc.property(transactions, fc.nat(), fc.integer({ min: 1, max: 255 }), (fields, place, change) => {
      const { unsigned, raw } = make(fields);
      const bytes = hexToBytes(raw.slice(2));
      const at = place % bytes.length;
      bytes[at] = (bytes[at] ?? 0) ^ change;
      expect(() => checkSigned(unsigned, `0x${bytesToHex(bytes)}`, KEY)).toThrow();
      expect(() => checkSigned(unsigned, `${raw}00`, KEY)).toThrow();
      expect(() => checkSigned(unsigned, raw.slice(0, -2), KEY)).toThrow();
    }),
  );
});

test("so is every other transaction", () => {
  fc.assert(
    fc.property(transactions, transactions, (one, other) => {
      fc.pre(make(one).unsigned !== make(other).unsigned);
      expect(() => checkSigned(make(one).unsigned, make(other).raw, KEY)).toThrow();
    }),
  );
});

describe("a signature", () => {
  const fields: Made = {
    chainId: 1,
    nonce: 7,
    maxPriorityFeePerGas: 1n,
    maxFeePerGas: 2n,
    gas: 21_000n,
    value: 5n,
    data: "0x",
  };
  const { unsigned, raw, s } = make(fields);
  const refused = (other: string, code: string) =>
    expect(() => checkSigned(unsigned, other, KEY)).toThrow(expect.objectContaining({ name: "Fault", code }));
  test("with a high s is refused, though it recovers to the key", () => {
    refused(make(fields, { s: ORDER - s, flip: true }).raw, "ERR_HSM_SIGNATURE");
  });
  test("with the other parity, or an r or s that no signature has, is refused", () => {
    for (const change of [{ flip: true }, { r: ORDER }, { s: ORDER }, { r: 5n }])
      refused(make(fields, change).raw, "ERR_HSM_SIGNATURE");
    for (const change of [{ r: 0n }, { s: 0n }])
      expect(() => checkSigned(unsigned, make(fields, change).raw, KEY)).toThrow();
  });
  test("of another key is refused", () => {
    const other = bytesToHex(secp256k1.getPublicKey(hexToBytes("22".repeat(32)), false));
    expect(() => checkSigned(unsigned, raw, other)).toThrow(expect.objectContaining({ code: "ERR_HSM_SIGNATURE" }));
  });
  test.each([
    ["nothing", "0x"],
    ["the unsigned bytes", `0x${unsigned}`],
    ["another type", raw.replace("0x02", "0x01")],
    ["a list that says to be longer", raw.replace(/^0x02f8(..)/, "0x02f8ff")],
    ["a length with a leading zero", raw.replace(/^0x02f8/, "0x02f900")],
    ["a list of a length beyond all", `0x02ff${"f".repeat(16)}`],
    ["a string for the list", raw.replace(/^0x02f8/, "0x02b8")],
  ])("%s is none", (_what, other) => {
    refused(other, "ERR_TX_MALFORMED");
  });
});
