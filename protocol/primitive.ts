/** The exact spellings of the values that messages are made of. README.md, "Values". One spelling for each value. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { base64url } from "jose";
import * as v from "valibot";

const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** base64url without padding of exactly `bytes` bytes, in its one canonical spelling (unused bits zero). */
export function base64urlOf(bytes: number) {
  const length = Math.ceil((bytes * 8) / 6);
  const spareBits = length * 6 - bytes * 8;
  const last = BASE64URL.split("")
    .filter((_, index) => index % (1 << spareBits) === 0)
    .join("");
  return v.pipe(
    v.string(),
    v.regex(
      new RegExp(`^[A-Za-z0-9_-]{${length - 1}}[${last.replace("-", "\\-")}]$`),
      `must be base64url of ${bytes} bytes`,
    ),
  );
}

/** Lower-case hex of exactly `bytes` bytes. */
export function hexOf(bytes: number) {
  return v.pipe(
    v.string(),
    v.regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`), `must be ${bytes * 2} lower-case hex digits`),
  );
}

/** Lower-case hex of any whole number of bytes up to `maxBytes`, at least one. */
export function hexUpTo(maxBytes: number) {
  return v.pipe(v.string(), v.regex(/^(?:[0-9a-f]{2})+$/, "must be lower-case hex"), v.maxLength(maxBytes * 2));
}

/** RFC 7638 SHA-256 thumbprint of a public key, base64url: how keys are named in messages. */
export const ThumbprintSchema = base64urlOf(32);

/** Seconds since 1970, a whole number. */
export const SecondsSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(1_600_000_000), v.maxValue(9_999_999_999));

/** A version or sequence number: 1, 2, 3, … */
export const OrdinalSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(1));

/** Public half of a P-256 key (RFC 7517, RFC 7518 section 6.2), with no further members. */
export const PublicJwkSchema = v.strictObject({
  kty: v.literal("EC"),
  crv: v.literal("P-256"),
  x: base64urlOf(32),
  y: base64urlOf(32),
});
export type PublicJwk = v.InferOutput<typeof PublicJwkSchema>;

/** RFC 7638 thumbprint of a P-256 public key, base64url. */
export function thumbprint(jwk: PublicJwk): string {
  // Members in lexical order, no white space: RFC 7638 section 3.
  const canonical = `{"crv":"${jwk.crv}","kty":"${jwk.kty}","x":"${jwk.x}","y":"${jwk.y}"}`;
  return base64url.encode(sha256(new TextEncoder().encode(canonical)));
}

/** The same thumbprint as people compare it: 64 hex digits. */
export function fingerprint(thumb: string): string {
  return bytesToHex(base64url.decode(thumb));
}

/** Inverse of `fingerprint`. */
export function thumbprintOfFingerprint(hex: string): string {
  return base64url.encode(hexToBytes(hex));
}

/** JWK of an uncompressed P-256 point (65 bytes, 04 x y). */
export function jwkOfPoint(point: Uint8Array): PublicJwk {
  return {
    kty: "EC",
    crv: "P-256",
    x: base64url.encode(point.subarray(1, 33)),
    y: base64url.encode(point.subarray(33, 65)),
  };
}

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** A request id: 80 random bits as 16 characters of Crockford base32. */
export const RequestIdSchema = v.pipe(
  v.string(),
  v.regex(/^[0-9A-HJKMNP-TV-Z]{16}$/, "a request id is 16 characters of Crockford base32"),
);

/** Request id of 10 random bytes. */
export function requestIdOf(random: Uint8Array): string {
  if (random.length !== 10) throw new RangeError("a request id needs 10 bytes");
  const bits = BigInt(`0x${bytesToHex(random)}`);
  let id = "";
  for (let shift = 75n; shift >= 0n; shift -= 5n) id += CROCKFORD[Number((bits >> shift) & 31n)];
  return id;
}

/** SHA-256 as lower-case hex. */
export function sha256Hex(bytes: Uint8Array): string {
  return bytesToHex(sha256(bytes));
}
