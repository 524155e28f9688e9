/**
 * Seals: a signed envelope inside a compact JWE (RFC 7516; RFC 7518: ECDH-ES on P-256, A256GCM) to the receiver's receiving
 * key, in one canonical spelling. README.md, "Sealing".
 * A seal hides, and no more: anybody can seal to a public key, and whoever opened a message can seal it to somebody else.
 * Who wrote it and for whom is in the JWS alone, and `openEnvelope` has to be asked afterwards.
 * The rest of protocol/ is pure; `seal` and `makeSealKey` need randomness by nature and take it from WebCrypto.
 */
import { base64url, CompactEncrypt, compactDecrypt, decodeProtectedHeader, importJWK } from "jose";
import * as v from "valibot";
import { Fault } from "./error.ts";
import { base64urlOf, type PublicJwk, PublicJwkSchema, ThumbprintSchema, thumbprint } from "./primitive.ts";

/** Lengths that a padded plaintext may have, in bytes: all that a sealed message tells about the length of what is in it. */
export const SEAL_SIZES: readonly number[] = [2048, 4096, 8192, 16_384, 32_768, 65_536, 96_000];

const ALG = "ECDH-ES";
const ENC = "A256GCM";
const KEY = { name: "ECDH", namedCurve: "P-256" };
const { kty, crv, x, y } = PublicJwkSchema.entries;

/** The members in their canonical order, which is the one in which jose writes them. */
const HeaderSchema = v.strictObject({
  alg: v.literal(ALG),
  enc: v.literal(ENC),
  kid: ThumbprintSchema,
  epk: v.strictObject({ x, crv, kty, y }),
});
const IvSchema = base64urlOf(12);
const TagSchema = base64urlOf(16);

/** A compact JWS; `=` is no part of its alphabet, so where the padding begins is never in doubt. */
const JWS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/**
 * Seals a compact JWS to the holder of `to`. Each call makes a new ephemeral key, so the same JWS never looks the same twice.
 * @throws RangeError where the JWS is longer than the largest of SEAL_SIZES, TypeError where it is no compact JWS; what
 *   WebCrypto throws where `to` is no point of the curve
 */
export async function seal(jws: string, to: PublicJwk): Promise<string> {
  if (!JWS.test(jws)) throw new TypeError("only a compact JWS is sealed");
  const size = sizeOf(jws);
  if (size === undefined) throw new RangeError("a message is too long to be sealed");
  return await new CompactEncrypt(new TextEncoder().encode(jws.padEnd(size, "=")))
    .setProtectedHeader({ alg: ALG, enc: ENC, kid: thumbprint(to) })
    .encrypt(await importJWK({ ...to }, ALG));
}

/**
 * Opens a sealed message and returns the JWS in it, which nobody has verified yet. The numbers are those of README.md,
 * "Sealing". `keyOf` gives the private key of a thumbprint, as long as it is kept.
 * @throws Fault ERR_SEAL_*
 */
export async function unseal(body: string, keyOf: (kid: string) => CryptoKey | undefined): Promise<string> {
  // 1. to 3. The form, before any key is touched.
  const { kid } = peekSeal(body);
  // 4. The key is one that is kept here.
  const key = keyOf(kid);
  if (key === undefined) {
    throw new Fault("ERR_SEAL_KEY", "A message is sealed to a key that is not kept any more; it is asked for again.");
  }
  // 5. It opens: `epk` is a point of the curve, and nothing was altered, the header included.
  let plaintext: Uint8Array;
  try {
    const algorithms = { keyManagementAlgorithms: [ALG], contentEncryptionAlgorithms: [ENC] };
    ({ plaintext } = await compactDecrypt(body, key, algorithms));
  } catch (cause) {
    throw new Fault("ERR_SEAL_OPEN", "A sealed message does not open; it was altered or is another's.", { cause });
  }
  // 6. In it is a compact JWS, padded to the smallest size that holds it. Other bytes than ASCII become U+FFFD, which is refused.
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(plaintext);
  const jws = text.slice(0, text.indexOf("=") === -1 ? text.length : text.indexOf("="));
  const size = JWS.test(jws) ? sizeOf(jws) : undefined;
  if (size === undefined || text !== jws.padEnd(size, "=")) throw malformed();
  return jws;
}

/**
 * The thumbprint of the key that a message claims to be sealed to, unverified: only to choose.
 * @throws Fault ERR_SEAL_MALFORMED where the message has not the one form that it can have
 */
export function peekSeal(body: string): { kid: string } {
  // 1. Five parts: a header, nothing (the agreed key is used as it is), 12 bytes of iv, the ciphertext, 16 bytes of tag.
  const [header = "", encryptedKey, iv, ciphertext = "", tag, ...more] = body.split(".");
  const isWhole = encryptedKey === "" && v.is(IvSchema, iv) && v.is(TagSchema, tag) && more.length === 0;
  if (!isWhole) throw malformed();
  // 2. The ciphertext is canonical base64url of one of the sizes.
  const length = canonicalLength(ciphertext);
  if (length === undefined || !SEAL_SIZES.includes(length)) throw malformed();
  // 3. The header has exactly these members and values, in their one spelling. `epk` has the form of a key.
  const parsed = v.safeParse(HeaderSchema, decodeHeader(body));
  if (!parsed.success || base64url.encode(JSON.stringify(parsed.output)) !== header) throw malformed();
  return { kid: parsed.output.kid };
}

/** A new receiving key. Its private half can be exported only if `extractable`: for an agent that keeps it in a file. */
export async function makeSealKey(extractable: boolean): Promise<CryptoKeyPair> {
  // oxlint-disable-next-line no-restricted-properties -- a key is random by nature, and this one is made in the same way everywhere
  return await crypto.subtle.generateKey(KEY, extractable, ["deriveBits"]);
}

/**
 * The public half of a receiving key, to be given to whoever seals. Takes a pair, its public half, or a private half that is
 * extractable.
 * @throws what WebCrypto throws where a lone private half is not extractable; ValiError where the key is on another curve
 */
export async function publicSealJwk(key: CryptoKeyPair | CryptoKey): Promise<PublicJwk> {
  const jwk = await crypto.subtle.exportKey("jwk", "publicKey" in key ? key.publicKey : key);
  return v.parse(PublicJwkSchema, { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y });
}

function sizeOf(jws: string): number | undefined {
  return SEAL_SIZES.find((size) => jws.length <= size);
}

function decodeHeader(body: string): unknown {
  try {
    return decodeProtectedHeader(body);
  } catch (cause) {
    throw malformed(cause);
  }
}

/** Bytes that canonical base64url stands for, or undefined where it is not canonical. */
function canonicalLength(part: string): number | undefined {
  try {
    const bytes = base64url.decode(part);
    return base64url.encode(bytes) === part ? bytes.length : undefined;
  } catch {
    return undefined;
  }
}

function malformed(cause?: unknown): Fault {
  const message = "A message is not sealed in the one form that belongs here; it was not used.";
  return new Fault("ERR_SEAL_MALFORMED", message, { cause });
}
