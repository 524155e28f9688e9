/** Envelopes and seals as no honest library writes them: every part is the caller's. protocol/README.md, "Envelopes", "Sealing". */
import { createCipheriv, createECDH, createHash, randomBytes } from "node:crypto";
import { base64url } from "jose";
import { type PublicJwk, thumbprint } from "../../protocol/primitive.ts";
import { SEAL_SIZES } from "../../protocol/seal.ts";
import type { Key } from "../harness/bridge-client.ts";
import { withSealedBit } from "../harness/forgery.ts";

export function encode(text: string | Uint8Array): string {
  return base64url.encode(typeof text === "string" ? new TextEncoder().encode(text) : text);
}

export function decode(part: string): string {
  return new TextDecoder().decode(base64url.decode(part));
}

/** Header and payload of a JWS, as text. */
export function textsOf(jws: string): { header: string; payload: string; signature: Uint8Array } {
  const [header = "", payload = "", signature = ""] = jws.split(".");
  return { header: decode(header), payload: decode(payload), signature: base64url.decode(signature) };
}

/** Any header and payload, signed by `key` as an honest one would be. */
export async function signedText(header: string, payload: string | Uint8Array, key: Key): Promise<string> {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${encode(await key.signer.sign(new TextEncoder().encode(input)))}`;
}

/** The same message with another header or payload, signed anew by `key`, whose `kid` it keeps. */
export async function resigned(
  jws: string,
  key: Key,
  change: { header?: (text: string) => string; payload?: (text: string) => string | Uint8Array },
): Promise<string> {
  const { header, payload } = textsOf(jws);
  return await signedText(change.header?.(header) ?? header, change.payload?.(payload) ?? payload, key);
}

/** A text of JSON with members overwritten, in the place where they stood. */
export function edited(members: Record<string, unknown>): (text: string) => string {
  return (text) => JSON.stringify({ ...(JSON.parse(text) as object), ...members });
}

/** Order of the P-256 group. */
const P256_N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** The same message with the other signature that is valid for it: (r, n − s). */
export function withTwin(jws: string): string {
  const { signature } = textsOf(jws);
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).toString("hex")}`);
  const twin = Buffer.from((P256_N - s).toString(16).padStart(64, "0"), "hex");
  return withSignature(jws, Buffer.concat([signature.subarray(0, 32), twin]));
}

export function withSignature(jws: string, signature: Uint8Array): string {
  return `${jws.slice(0, jws.lastIndexOf("."))}.${encode(signature)}`;
}

/** The 64 bytes of a signature in ASN.1, as other libraries write it. */
export function inDer(signature: Uint8Array): Uint8Array {
  const integer = (bytes: Uint8Array) => {
    const short = bytes.subarray(bytes.findIndex((byte) => byte !== 0));
    const value = (short[0] ?? 0) > 127 ? [0, ...short] : [...short];
    return [2, value.length, ...value];
  };
  const both = [...integer(signature.subarray(0, 32)), ...integer(signature.subarray(32))];
  return Uint8Array.from([48, both.length, ...both]);
}

export interface SealChange {
  /** Members of the header; `undefined` leaves one out. */
  readonly header?: Record<string, unknown>;
  /** The header as text, from what it would be. */
  readonly text?: (header: string) => string;
  readonly encryptedKey?: string;
  readonly ivBytes?: number;
  readonly tagBytes?: number;
}

/** A compact JWE by ECDH-ES that opens, with whatever plaintext and header: the header is authenticated as it is. */
export function sealedBytes(plaintext: Uint8Array, to: PublicJwk, change: SealChange = {}): string {
  const ecdh = createECDH("prime256v1");
  const own = ecdh.generateKeys();
  const secret = ecdh.computeSecret(Buffer.from([4, ...base64url.decode(to.x), ...base64url.decode(to.y)]));
  const epk = { x: encode(own.subarray(1, 33)), crv: "P-256", kty: "EC", y: encode(own.subarray(33)) };
  const { enc: named } = change.header ?? {};
  const enc = typeof named === "string" ? named : "A256GCM";
  const members = { alg: "ECDH-ES", enc: "A256GCM", kid: thumbprint(to), epk, ...change.header };
  const header = encode(change.text?.(JSON.stringify(members)) ?? JSON.stringify(members));
  const bits = enc === "A128GCM" ? 128 : 256;
  const key = concatKdf(secret, enc, bits);
  const iv = randomBytes(change.ivBytes ?? 12);
  const cipher = createCipheriv(`aes-${bits}-gcm` as "aes-256-gcm", key, iv, { authTagLength: change.tagBytes ?? 16 });
  cipher.setAAD(Buffer.from(header, "ascii"));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return [header, change.encryptedKey ?? "", encode(iv), encode(ciphertext), encode(cipher.getAuthTag())].join(".");
}

/** Alterations of a sealed body: a bit in every part and at many places, and parts of one in another. */
export function alterations(body: string, other: string): string[] {
  const sizes = body.split(".").map((part) => base64url.decode(part).length);
  const steps = [
    [0, 7],
    [2, 1],
    [3, 97],
    [4, 1],
  ] as const;
  const flipped = steps.flatMap(([part, step]) =>
    Array.from({ length: Math.ceil((sizes[part] ?? 0) / step) }, (_, at) => withSealedBit(body, part, at * step)),
  );
  const [mine, theirs] = [body.split("."), other.split(".")];
  const mixed = [0, 2, 3, 4].map((part) => mine.with(part, theirs[part] ?? "").join("."));
  const head = JSON.parse(decode(mine[0] ?? "")) as object;
  const renamed = mine.with(0, encode(JSON.stringify({ ...head, kid: "A".repeat(43) }))).join(".");
  return [...flipped, ...mixed, renamed, body.slice(0, -1), `${body}A`, body.slice(1)];
}

/** A text padded as a seal pads it. */
export function padded(text: string, filler = "="): Uint8Array {
  const size = SEAL_SIZES.find((length) => text.length <= length) ?? text.length;
  return new TextEncoder().encode(text.padEnd(size, filler));
}

/** RFC 7518 section 4.6.2, for direct agreement without party information. */
function concatKdf(secret: Uint8Array, enc: string, bits: number): Uint8Array {
  const number = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const parts = [number(1), secret, number(enc.length), Buffer.from(enc), number(0), number(0), number(bits)];
  return createHash("sha256")
    .update(Buffer.concat(parts))
    .digest()
    .subarray(0, bits / 8);
}
