/** Signatures by SoftHSM through the real child, and what becomes of an HSM that signs wrongly. */

import { createHash, createPublicKey, randomBytes, verify } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeSoftHsm, type SoftHsm } from "../../test/softhsm.ts";
import { type Hsm, openHsm } from "./owner.ts";
import { signEs256, signRecoverable } from "./signer.ts";
import type { HsmKey } from "./wire.ts";

let soft: SoftHsm;
let hsm: Hsm;
let identity: HsmKey;
let vault: HsmKey;

beforeAll(async () => {
  soft = makeSoftHsm();
  hsm = await openHsm({ module: soft.module, token: { label: soft.tokenLabel }, pin: soft.pin, env: soft.env });
  identity = await hsm.generateKey({ curve: "P-256", label: "identity", backup: "none" });
  vault = await hsm.generateKey({ curve: "secp256k1", label: "Treasury-1", backup: "none" });
});

afterAll(async () => {
  await hsm?.close();
  soft?.dispose();
});

const HALF = secp256k1.Point.Fn.ORDER / 2n;

test("200 vault signatures are low s and recover to the vault; some had to be normalised", async () => {
  const high: boolean[] = [];
  const counting: Pick<Hsm, "sign"> = {
    sign: async (id, digest) => {
      const raw = await hsm.sign(id, digest);
      high.push(secp256k1.Signature.fromBytes(raw, "compact").s > HALF);
      return raw;
    },
  };
  const parities = new Set<number>();
  await Promise.all(
    Array.from({ length: 200 }, async () => {
      const digest = randomBytes(32);
      const { r, s, yParity } = await signRecoverable(counting, vault, digest);
      expect(s <= HALF).toBe(true);
      const signature = new secp256k1.Signature(r, s, yParity);
      expect(signature.recoverPublicKey(digest).toBytes(false)).toEqual(vault.publicKey);
      parities.add(yParity);
    }),
  );
  expect(high).toHaveLength(200);
  const normalised = high.filter(Boolean).length;
  expect(normalised).toBeGreaterThan(0);
  expect(normalised).toBeLessThan(200);
  expect(parities).toEqual(new Set([0, 1]));
});

test("an ES256 signature verifies with another library, under the hash of the message", async () => {
  const message = Buffer.from("header.payload");
  const signature = await signEs256(hsm, identity, message);
  expect(signature).toHaveLength(64);
  const point = Buffer.from(identity.publicKey);
  const [x, y] = [point.subarray(1, 33).toString("base64url"), point.subarray(33).toString("base64url")];
  const key = createPublicKey({ format: "jwk", key: { kty: "EC", crv: "P-256", x, y } });
  expect(verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, signature)).toBe(true);
});

test.each([0, 31, 33, 64])("a digest of %i bytes is refused before the HSM sees it", async (length) => {
  const digest = new Uint8Array(length);
  await expect(signRecoverable(hsm, vault, digest)).rejects.toMatchObject({ code: "ERR_HSM_DIGEST" });
  await expect(hsm.sign(vault.id, digest)).rejects.toMatchObject({ code: "ERR_HSM_DIGEST" });
});

test("a key on the other curve is refused", async () => {
  await expect(signRecoverable(hsm, identity, randomBytes(32))).rejects.toMatchObject({ code: "ERR_HSM_UNSUPPORTED" });
  await expect(signEs256(hsm, vault, randomBytes(9))).rejects.toMatchObject({ code: "ERR_HSM_UNSUPPORTED" });
});

/** An HSM with keys of its own that gives whatever it likes as a signature. */
const secret = new Uint8Array(32).fill(7);
const fake = (ecdsa: typeof p256, curve: HsmKey["curve"]): HsmKey => ({
  id: "00".repeat(16),
  curve,
  publicKey: ecdsa.getPublicKey(secret, false),
  label: "fake",
  backup: "none",
});
const good = (ecdsa: typeof p256, digest: Uint8Array) =>
  Uint8Array.from(ecdsa.sign(digest, secret, { prehash: false, lowS: true }));

const WRONG: [string, (signature: Uint8Array, ecdsa: typeof p256) => Uint8Array][] = [
  ["over another digest", (_, ecdsa) => good(ecdsa, randomBytes(32))],
  ["of zeros", () => new Uint8Array(64)],
  ["of ones", () => new Uint8Array(64).fill(255)],
  ["too short", (signature) => signature.subarray(1)],
  ["too long", (signature) => Uint8Array.from([...signature, 0])],
  ["empty", () => new Uint8Array()],
  ["with one bit flipped", (signature) => signature.map((byte, place) => (place === 40 ? byte ^ 1 : byte))],
];

test.each(WRONG)("a signature %s is never returned", async (_, alter) => {
  const digest = randomBytes(32);
  const vaultHsm = { sign: async () => alter(good(secp256k1, digest), secp256k1) };
  const recoverable = signRecoverable(vaultHsm, fake(secp256k1, "secp256k1"), digest);
  await expect(recoverable).rejects.toMatchObject({ code: "ERR_HSM_SIGNATURE" });
  const hash = createHash("sha256").update(digest).digest();
  const identityHsm = { sign: async () => alter(good(p256, hash), p256) };
  const es256 = signEs256(identityHsm, fake(p256, "P-256"), digest);
  await expect(es256).rejects.toMatchObject({ code: "ERR_HSM_SIGNATURE" });
});

test("both forms of s give the same signature; ES256 keeps the HSM's own", async () => {
  const digest = randomBytes(32);
  const low = good(secp256k1, digest);
  const { r, s } = secp256k1.Signature.fromBytes(low, "compact");
  const high = new secp256k1.Signature(r, secp256k1.Point.Fn.ORDER - s).toBytes("compact");
  const key = fake(secp256k1, "secp256k1");
  const [one, other] = await Promise.all(
    [low, high].map((raw) => signRecoverable({ sign: async () => raw }, key, digest)),
  );
  expect(one).toEqual(other);
  expect(one).toMatchObject({ r, s });

  const hash = createHash("sha256").update("m").digest();
  const p = p256.Signature.fromBytes(good(p256, hash), "compact");
  const raw = new p256.Signature(p.r, p256.Point.Fn.ORDER - p.s).toBytes("compact");
  expect(await signEs256({ sign: async () => raw }, fake(p256, "P-256"), Buffer.from("m"))).toEqual(raw);
});
