/** Changes that somebody without the key can make to a signed envelope. protocol/README.md, "Envelopes". */
import { base64url } from "jose";
import type { Key } from "./bridge-client.ts";

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

/** What a payload says. */
export function claimsOf(jws: string): Record<string, unknown> {
  const value: unknown = JSON.parse(new TextDecoder().decode(base64url.decode(jws.split(".")[1] ?? "")));
  if (typeof value !== "object" || value === null) throw new Error("the payload is not an object");
  return { ...value };
}

function changed(part: string, change: Record<string, unknown>): string {
  const value: unknown = JSON.parse(new TextDecoder().decode(base64url.decode(part)));
  return base64url.encode(new TextEncoder().encode(JSON.stringify({ ...Object(value), ...change })));
}
