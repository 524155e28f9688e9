/**
 * Signatures as the rest of the agent uses them: made by the HSM, brought to the one form that is released, and verified under the
 * known public key before they leave. A signature that does not verify is never returned.
 *
 * Decides nothing about what may be signed. Implements protocol/README.md, "Keys".
 */

import { createHash } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { Fault } from "../../protocol/error.ts";
import type { Hsm } from "./owner.ts";
import type { Curve, HsmKey } from "./wire.ts";

type SigningHsm = Pick<Hsm, "sign">;
/** Which key signs, and the public key under which its signature must verify. */
type SigningKey = Pick<HsmKey, "id" | "curve" | "publicKey">;

/** A recoverable secp256k1 signature; `s` is in the lower half of the group order, `yParity` belongs to that `s`. */
export interface RecoverableSignature {
  readonly r: bigint;
  readonly s: bigint;
  readonly yParity: 0 | 1;
}

/** ES256 over `message` (hashed here: not every module has CKM_ECDSA_SHA256). 64 bytes r || s. ERR_HSM_SIGNATURE. */
export async function signEs256(hsm: SigningHsm, key: SigningKey, message: Uint8Array): Promise<Uint8Array> {
  requireCurve(key, "P-256");
  const digest = createHash("sha256").update(message).digest();
  const signature = await hsm.sign(key.id, digest);
  // JWS has no rule about high s, so the HSM's own is kept.
  if (!verifies(() => p256.verify(signature, digest, key.publicKey, { prehash: false, lowS: false }))) throw wrong();
  return signature;
}

/** Signs a digest of exactly 32 bytes for a chain that recovers the signer. ERR_HSM_DIGEST, ERR_HSM_SIGNATURE. */
export async function signRecoverable(
  hsm: SigningHsm,
  key: SigningKey,
  digest: Uint8Array,
): Promise<RecoverableSignature> {
  requireCurve(key, "secp256k1");
  const raw = await hsm.sign(key.id, digest);
  const { r, s } = lowS(raw);
  const signature = new secp256k1.Signature(r, s);
  const compact = signature.toBytes("compact");
  if (!verifies(() => secp256k1.verify(compact, digest, key.publicKey, { prehash: false, lowS: true }))) throw wrong();
  // The bit is sought for the s that is released, so it is flipped wherever s was.
  for (const yParity of [0, 1] as const) {
    if (verifies(() => equals(recover(signature, yParity, digest), key.publicKey))) return { r, s, yParity };
  }
  throw wrong();
}

function lowS(raw: Uint8Array): { r: bigint; s: bigint } {
  try {
    const { r, s } = secp256k1.Signature.fromBytes(raw, "compact");
    const order = secp256k1.Point.Fn.ORDER;
    return { r, s: s > order / 2n ? order - s : s };
  } catch {
    throw wrong();
  }
}

function recover(signature: InstanceType<typeof secp256k1.Signature>, yParity: 0 | 1, digest: Uint8Array): Uint8Array {
  return signature.addRecoveryBit(yParity).recoverPublicKey(digest).toBytes(false);
}

/** noble throws where a signature is malformed or a point does not exist; both mean: it does not verify. */
function verifies(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}

function equals(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function requireCurve(key: SigningKey, curve: Curve): void {
  if (key.curve === curve) return;
  throw new Fault("ERR_HSM_UNSUPPORTED", `This signature needs a ${curve} key; the one named is on ${key.curve}.`);
}

function wrong(): Fault {
  return new Fault(
    "ERR_HSM_SIGNATURE",
    "The HSM's signature does not verify under the key's public key; it was dropped. Check the HSM before going on.",
  );
}
