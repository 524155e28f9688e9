/** Messages as a script makes and reads them: signed, sealed to a card's key, opened again. It checks what a careful reader would. */
import { p256 } from "@noble/curves/nist.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { base64url } from "jose";
import { type Claims, type MessageType, openEnvelope, peekEnvelope, signEnvelope } from "../../protocol/envelope.ts";
import { DEVELOPMENT_BRIDGE } from "../../protocol/invite.ts";
import { CARD, type Card } from "../../protocol/message.ts";
import { jwkOfPoint, type PublicJwk, thumbprint } from "../../protocol/primitive.ts";
import { isView } from "../../protocol/view.ts";
import { type Key, newJti, now } from "./bridge-client.ts";

/** A message of `key` to `audience`, valid for an hour or until `exp`. */
export async function message<T extends Claims>(
  type: MessageType<T>,
  key: Key,
  audience: string,
  body: Omit<T, keyof Claims>,
  exp = now() + 3600,
): Promise<string> {
  const claims: Claims = { v: 1, iss: key.signer.kid, aud: [audience], jti: newJti(), iat: now(), exp };
  // The schema of `type` checks the whole; TypeScript cannot add the two halves of a generic.
  return await signEnvelope(type, { ...claims, ...body } as unknown as T, key.signer);
}

/** The type of an envelope, or what a view has in its place. */
export function typOf(text: string): string {
  return isView(text) ? "oc-view" : peekEnvelope(text).typ;
}

/** What a payload says, unverified. */
export function claimsOf(jws: string): Record<string, unknown> {
  const value: unknown = JSON.parse(new TextDecoder().decode(base64url.decode(jws.split(".")[1] ?? "")));
  if (typeof value !== "object" || value === null) throw new Error("the payload is not an object");
  return { ...value };
}

/** The P-256 key with this thumbprint, if it signed `jws`: out of the signature itself. */
export function signerOf(jws: string, kid: string): PublicJwk | undefined {
  const [header = "", payload = "", signature = ""] = jws.split(".");
  const digest = sha256(new TextEncoder().encode(`${header}.${payload}`));
  const parsed = p256.Signature.fromBytes(base64url.decode(signature), "compact");
  for (const recovery of [0, 1]) {
    try {
      const jwk = jwkOfPoint(parsed.addRecoveryBit(recovery).recoverPublicKey(digest).toBytes(false));
      if (thumbprint(jwk) === kid) return jwk;
    } catch {
      // No point for this bit.
    }
  }
  return undefined;
}

/** The identity that a request for a rotation names. */
export function nextKeyOf(jws: string): PublicJwk | undefined {
  const { verb, change } = claimsOf(jws);
  return verb === "ROTATE" ? (change as { to: PublicJwk }).to : undefined;
}

/** Whether it has expired: an old message is left alone, and is no forgery. */
export function isPast(jws: string): boolean {
  return Number(claimsOf(jws)["exp"]) <= now();
}

export function jtiOf(jws: string): string {
  return String(claimsOf(jws)["jti"]);
}

/** The card in `jws`, if the HSM identity with this thumbprint signed it for the bridge. */
export async function openCard(jws: string, hsm: string): Promise<Card> {
  const claimed = claimsOf(jws)["hsm"] as PublicJwk;
  const keyOf = (kid: string) => (kid === hsm && thumbprint(claimed) === hsm ? claimed : undefined);
  return (await openEnvelope(jws, { type: CARD, keyOf, audience: DEVELOPMENT_BRIDGE, now: now() })).payload;
}

/** Id of the frame that carries message `jti` sealed to the key `kid`. protocol/README.md, "Sealing". */
export function frameIdOf(jti: string, kid: string): string {
  return base64url.encode(sha256(new TextEncoder().encode(`${jti} ${kid}`)).subarray(0, 16));
}
