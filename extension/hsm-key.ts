/**
 * The HSM identity's public key, of which pairing pins the thumbprint only. A P-256 signature gives two candidate keys; the one that has
 * the pinned thumbprint is the identity's, and no other can be made to have it. So even the first message, a refusal included, is
 * verified before it is believed. README.md, "Pairing". The message itself is still opened by openEnvelope under that key.
 */
import { p256 } from "@noble/curves/nist.js";
import { base64url } from "jose";
import { jwkOfPoint, type PublicJwk, thumbprint } from "../protocol/primitive.ts";

/** The public key with thumbprint `pinned` that signed this compact JWS, or undefined where no such key did. */
export function signingKeyOf(jws: string, pinned: string): PublicJwk | undefined {
  const [header = "", payload = "", signature = ""] = jws.split(".");
  const input = new TextEncoder().encode(`${header}.${payload}`);
  for (const bit of [0, 1]) {
    try {
      const signed = p256.Signature.fromBytes(base64url.decode(signature), "compact").addRecoveryBit(bit);
      const point = p256.recoverPublicKey(signed.toBytes("recovered"), input);
      const jwk = jwkOfPoint(p256.Point.fromBytes(point).toBytes(false));
      if (thumbprint(jwk) === pinned) return jwk;
    } catch {
      // No key of this candidate: the other one, or none.
    }
  }
  return undefined;
}
