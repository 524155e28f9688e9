/** Both verifiers answer alike, on thousands of random and hostile inputs; and what is loaded where the binding is not what it should be. */
import { randomBytes } from "node:crypto";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { type Curve, loadCurve, NOBLE, recover, verifier, verify } from "./secp256k1.ts";

const ORDER = secp256k1.Point.Fn.ORDER;
const PRIME = secp256k1.Point.Fp.ORDER;
const native: Curve = { recover, verify };
const hex = (bytes: Uint8Array | undefined) => (bytes === undefined ? "nothing" : Buffer.from(bytes).toString("hex"));
const number = (value: bigint) => Buffer.from(value.toString(16).padStart(64, "0"), "hex");
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });

/** Asks both everything about one input, and says what they said. */
function both(signature: Uint8Array, digest: Uint8Array, publicKey: Uint8Array): string[] {
  const say = ({ recover, verify }: Curve) => [
    ...[0, 1, 2, 3].map((id) => hex(recover(signature, id, digest))),
    `${verify(signature, digest, publicKey)}`,
  ];
  const answers = say(native);
  expect(answers).toEqual(say(NOBLE));
  return answers;
}

let secret: Uint8Array;
let publicKey: Uint8Array;
beforeAll(() => {
  secret = secp256k1.utils.randomSecretKey();
  publicKey = secp256k1.getPublicKey(secret, false);
});

const sign = (digest: Uint8Array) => secp256k1.sign(digest, secret, { prehash: false, lowS: true, extraEntropy: true });

test("on x64 Linux the binding is the native one", () => {
  const hasBuild = process.platform === "linux" && process.arch === "x64";
  expect(verifier).toBe(hasBuild ? "native" : "noble");
});

test("signatures: both recover the signer under one id of two, and verify", () => {
  fc.assert(
    fc.property(bytes32, (digest) => {
      const answers = both(sign(digest), digest, publicKey);
      expect(answers.slice(0, 2).filter((key) => key === hex(publicKey))).toHaveLength(1);
      expect(answers[4]).toBe("true");
    }),
    { numRuns: 300 },
  );
});

test("signatures with one thing wrong", () => {
  const alter = fc.constantFrom<(r: bigint, s: bigint) => [bigint, bigint]>(
    (r, s) => [r, ORDER - s],
    (r, s) => [ORDER - r, s],
    (r, s) => [s, r],
    (r, s) => [r + 1n, s],
    (r, s) => [r, s ^ 1n],
    (r) => [r, 0n],
    (_, s) => [0n, s],
    (r) => [r, ORDER],
    (_, s) => [ORDER, s],
    (r) => [r, ORDER - 1n],
    (r) => [r, ORDER / 2n],
    (r) => [r, ORDER / 2n + 1n],
    (_, s) => [PRIME - ORDER, s],
    (_, s) => [PRIME - ORDER - 1n, s],
    (_, s) => [PRIME - ORDER + 1n, s],
    (_, s) => [1n, s],
    (_, s) => [PRIME, s],
    (r, s) => [(r + ORDER) % (1n << 256n), s],
  );
  fc.assert(
    fc.property(bytes32, alter, (digest, change) => {
      const { r, s } = secp256k1.Signature.fromBytes(sign(digest), "compact");
      const answers = both(Buffer.concat(change(r, s).map(number)), digest, publicKey);
      expect(answers[4]).toBe("false");
    }),
    { numRuns: 600 },
  );
});

/** Small numbers, and those around the borders of the group and of the field. */
const edge = fc.oneof(
  fc.bigInt({ min: 0n, max: 16n }),
  fc
    .tuple(
      fc.constantFrom(ORDER, ORDER / 2n, PRIME, PRIME - ORDER, 1n << 255n, (1n << 256n) - 20n),
      fc.integer({ min: -8, max: 8 }),
    )
    .map(([at, by]) => at + BigInt(by)),
  fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }),
);

test("any r, s and digest, on a key that is one or is not", () => {
  const point = fc.constantFrom(
    () => publicKey,
    () => Uint8Array.from(publicKey, (byte, at) => (at === 64 ? byte ^ 1 : byte)),
    () => Uint8Array.from(publicKey, (byte, at) => (at === 0 ? 6 + ((publicKey[64] ?? 0) & 1) : byte)),
    () => new Uint8Array(65),
    () => Uint8Array.from([4, ...new Uint8Array(64)]),
    () => new Uint8Array(65).fill(0xff),
    () => Uint8Array.from([4, ...number(PRIME), ...number(1n)]),
    () => secp256k1.getPublicKey(secret, true),
    () => new Uint8Array(),
  );
  const digests = fc.oneof(bytes32, edge.map(number));
  fc.assert(
    fc.property(edge, edge, digests, point, (r, s, digest, key) => {
      both(Buffer.concat([number(r), number(s)]), digest, key());
    }),
    { numRuns: 1_500 },
  );
});

test("wrong lengths and recovery ids are refused by both, and neither throws", () => {
  const digest = randomBytes(32);
  const good = sign(digest);
  const lengths = [0, 1, 31, 33, 63, 64, 65, 128];
  for (const length of lengths) {
    if (length !== 64) expect(both(new Uint8Array(length).fill(1), digest, publicKey)[4]).toBe("false");
    expect(both(good, new Uint8Array(length), publicKey)[4]).toBe("false");
    if (length !== 65) expect(both(good, digest, new Uint8Array(length).fill(4))[4]).toBe("false");
  }
  for (const id of [-1, 4, 27, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 32]) {
    for (const { recover } of [native, NOBLE]) expect(recover(good, id, digest)).toBeUndefined();
  }
});

test("parts of larger buffers are read at their place, and nothing that was given is changed", () => {
  const digest = randomBytes(32);
  const all = Buffer.concat([randomBytes(7), sign(digest), digest, publicKey, randomBytes(3)]);
  const before = Buffer.from(all);
  const [signature, inner, key] = [all.subarray(7, 71), all.subarray(71, 103), all.subarray(103, 168)];
  expect(both(signature, inner, key)[4]).toBe("true");
  expect(all).toEqual(before);
});

const lying = (change: Record<string, unknown>) => async () => {
  const { default: binding } = await import("secp256k1/bindings.js");
  return { ...(binding as object), ...change };
};

test.each<[string, () => Promise<unknown>]>([
  ["is not there", () => Promise.reject(new Error("no build"))],
  ["is something else", async () => ({ ecdsaRecover: "x" })],
  ["is nothing", async () => undefined],
  ["verifies everything", lying({ ecdsaVerify: () => true })],
  ["verifies nothing", lying({ ecdsaVerify: () => false })],
  ["answers truthy instead of true", lying({ ecdsaVerify: () => 1 })],
  ["recovers without a result", lying({ ecdsaRecover: () => {} })],
  ["always throws", lying({ ecdsaRecover: () => assertNever() })],
])("a binding that %s is not used: the reference is, and says so", async (_, bring) => {
  const curve = await loadCurve(bring);
  expect(curve.verifier).toBe("noble");
  expect(curve.verify).toBe(NOBLE.verify);
  expect(curve.recover).toBe(NOBLE.recover);
});

test("the binding as it is passes", async () => {
  expect((await loadCurve(lying({}))).verifier).toBe(verifier);
});

function assertNever(): never {
  throw new Error("refused");
}
