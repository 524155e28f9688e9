/** Changes that somebody without the key can make to a signed envelope, or to a sealed message. protocol/README.md, "Envelopes", "Sealing". */
import { base64url, CompactEncrypt, importJWK } from "jose";
import { type PublicJwk, thumbprint } from "../../protocol/primitive.ts";
import { SEAL_SIZES } from "../../protocol/seal.ts";
import type { Key } from "./bridge-client.ts";

/** Seals any text to a key, as everybody can who knows it: padded as a message would be, whatever it is. */
export async function sealAnything(text: string, to: PublicJwk): Promise<string> {
  const size = SEAL_SIZES.find((length) => text.length <= length) ?? text.length;
  return await new CompactEncrypt(new TextEncoder().encode(text.padEnd(size, "=")))
    .setProtectedHeader({ alg: "ECDH-ES", enc: "A256GCM", kid: thumbprint(to) })
    .encrypt(await importJWK({ ...to }, "ECDH-ES"));
}

/** Turns over one bit of a sealed message: part 0 the header, 2 the iv, 3 the ciphertext, 4 the tag. */
export function withSealedBit(body: string, part: 0 | 2 | 3 | 4, at: number): string {
  const parts = body.split(".");
  const bytes = base64url.decode(parts[part] ?? "");
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  parts[part] = base64url.encode(bytes);
  return parts.join(".");
}

/** Overwrites members of a sealed message's header. */
export function withSealedHeader(body: string, change: Record<string, unknown>): string {
  const [header = "", ...rest] = body.split(".");
  return [changed(header, change), ...rest].join(".");
}

/** Overwrites members of the payload and keeps the signature. */
export function withClaims(jws: string, change: Record<string, unknown>): string {
  const [header = "", payload = "", signature = ""] = jws.split(".");
  return `${header}.${changed(payload, change)}.${signature}`;
}

/** Overwrites members of the header and keeps the signature. */
export function withHeader(jws: string, change: Record<string, unknown>): string {
  const [header = "", payload = "", signature = ""] = jws.split(".");
  return `${changed(header, change)}.${payload}.${signature}`;
}

/** Turns over one bit of the payload (part 1) or of the signature (part 2), `at` so many bytes from its start. */
export function withBit(jws: string, part: 1 | 2, at: number): string {
  const parts = jws.split(".");
  const bytes = base64url.decode(parts[part] ?? "");
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  parts[part] = base64url.encode(bytes);
  return parts.join(".");
}

export function withoutSignature(jws: string): string {
  return jws.slice(0, jws.lastIndexOf(".") + 1);
}

/** Signs the same payload, or a changed one, with another key; header and issuer name that key, or still the first one (`as`). */
export async function signedBy(key: Key, jws: string, as = key.signer.kid, change = {}): Promise<string> {
  const forged = withClaims(withHeader(jws, { kid: as }), { iss: as, ...change });
  const input = forged.slice(0, forged.lastIndexOf("."));
  return `${input}.${base64url.encode(await key.signer.sign(new TextEncoder().encode(input)))}`;
}

function changed(part: string, change: Record<string, unknown>): string {
  const value: unknown = JSON.parse(new TextDecoder().decode(base64url.decode(part)));
  return base64url.encode(new TextEncoder().encode(JSON.stringify({ ...Object(value), ...change })));
}
