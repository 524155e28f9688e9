/**
 * Does a signature of the HSM verify under a known public key? Native code on both curves: node:crypto for P-256, ../secp256k1.ts for
 * secp256k1. Any s is accepted, the upper half of the order too; which one is released is the caller's business (signer.ts).
 *
 * The public keys are the agent's own, checked points from the HSM (keys.ts). Implements protocol/README.md, "Keys".
 */
import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import * as native from "../secp256k1.ts";
import type { Curve } from "./wire.ts";

/** An identity or two are in use at a time, and one key is made after the other. */
const MOST_KEYS = 16;
const keys = new Map<string, KeyObject>();

/** `publicKey` is an uncompressed point, `signature` r || s; the message is hashed here. What is malformed does not verify. */
export function verifies(curve: Curve, publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return curve === "P-256"
    ? verifiesEs256(publicKey, message, signature)
    : verifiesSecp256k1(publicKey, createHash("sha256").update(message).digest(), signature);
}

/** ES256 as JOSE has it: 64 bytes r || s over the SHA-256 of the message. */
function verifiesEs256(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  const key = keyOf(publicKey);
  return key !== undefined && verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, signature);
}

function verifiesSecp256k1(publicKey: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean {
  const normal = lowS(signature);
  return normal !== undefined && native.verify(normal.compact, digest, publicKey);
}

/** The same signature with s in the lower half of secp256k1's order; undefined where r or s is not in [1, n). */
export function lowS(signature: Uint8Array): { r: bigint; s: bigint; compact: Uint8Array } | undefined {
  if (signature.length !== 64) return undefined;
  const r = toNumber(signature.subarray(0, 32));
  const s = toNumber(signature.subarray(32));
  if (r === 0n || r >= ORDER || s === 0n || s >= ORDER) return undefined;
  if (s <= ORDER / 2n) return { r, s, compact: signature };
  const compact = Uint8Array.from(signature);
  compact.set(Buffer.from((ORDER - s).toString(16).padStart(64, "0"), "hex"), 32);
  return { r, s: ORDER - s, compact };
}

/** Of secp256k1. */
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

function toNumber(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex")}`);
}

/** Making a key object costs as much as using it. Undefined where the bytes are no point of P-256. */
function keyOf(publicKey: Uint8Array): KeyObject | undefined {
  const point = Buffer.from(publicKey);
  const name = point.toString("latin1");
  const known = keys.get(name);
  if (known !== undefined) return known;
  if (point.length !== 65 || point[0] !== 4) return undefined;
  const [x, y] = [point.subarray(1, 33).toString("base64url"), point.subarray(33).toString("base64url")];
  try {
    const made = createPublicKey({ format: "jwk", key: { kty: "EC", crv: "P-256", x, y } });
    if (keys.size >= MOST_KEYS) keys.clear();
    keys.set(name, made);
    return made;
  } catch {
    return undefined;
  }
}
