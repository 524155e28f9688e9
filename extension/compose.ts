/** The claims of a message that we are about to sign. README.md, "Envelopes". Reads no clock: `now` is given, in seconds. */
import { base64url } from "jose";
import type { Claims, Signer } from "../protocol/envelope.ts";

/** Claims of a new message from `from` to `to`, for `seconds` from now. */
export function claimsFor(from: Signer, to: string, now: number, seconds: number): Claims & { aud: string[] } {
  const jti = base64url.encode(crypto.getRandomValues(new Uint8Array(16)));
  return { v: 1, iss: from.kid, aud: [to], jti, iat: now, exp: now + seconds };
}

/** Whole seconds since 1970. */
export function clock(): number {
  return Math.floor(Date.now() / 1000);
}
