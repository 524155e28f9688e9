/**
 * Signatures as the rest of the agent uses them: made by the HSM, brought to the one form that is released, and verified under the
 * known public key before they leave. A signature that does not verify is never returned.
 *
 * Decides nothing about what may be signed. Implements protocol/README.md, "Keys".
 */

import { createHash } from "node:crypto";
import { Fault } from "../../protocol/error.ts";
import { recover } from "../secp256k1.ts";
import { lowS, verifies } from "./ecdsa.ts";
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
  if (!verifies("P-256", key.publicKey, message, signature)) throw wrong();
  return signature;
}

/** Signs a digest of exactly 32 bytes for a chain that recovers the signer. ERR_HSM_DIGEST, ERR_HSM_SIGNATURE. */
export async function signRecoverable(
  hsm: SigningHsm,
  key: SigningKey,
  digest: Uint8Array,
): Promise<RecoverableSignature> {
  requireCurve(key, "secp256k1");
  const normal = lowS(await hsm.sign(key.id, digest));
  if (normal === undefined) throw wrong();
  const { r, s, compact } = normal;
  /*
   * The bit is sought for the s that is released, so it is flipped wherever s was. Finding it is the verification: recovery takes the
   * point R with x = r and this parity and gives Q = (sR - zG)/r; to verify (r, s) under Q is to see whether (zG + rQ)/s has x = r, and
   * with that Q it is R itself. So a signature that recovers to the known key is valid under it, and one that is valid under it
   * recovers to it from one of the two points with x = r. Ids 2 and 3 stand for an x above the group's order: no chain takes one.
   */
  for (const yParity of [0, 1] as const) {
    const recovered = recover(compact, yParity, digest);
    if (recovered !== undefined && equals(recovered, key.publicKey)) return { r, s, yParity };
  }
  throw wrong();
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
