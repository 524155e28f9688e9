/**
 * Makes seal.json: what opens under one receiving key, and what does not. The JWEs are put together by hand from RFC 7516 and
 * RFC 7518 section 4.6 with a fixed ephemeral key and iv, not by `seal`: so they come out the same everywhere, a second
 * implementation stands behind them, and what is refused for its header would open if the header were let through.
 */
import { createCipheriv } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { bytesToNumberBE, numberToBytesBE } from "@noble/curves/utils.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { base64url } from "jose";
import { jwkOfPoint, thumbprint } from "../primitive.ts";
import { SEAL_SIZES } from "../seal.ts";
import { ADA, BOB, bytesOf, STRANGER } from "./keys.ts";

const MALFORMED = "ERR_SEAL_MALFORMED";
const OPEN = "ERR_SEAL_OPEN";
const J = JSON.stringify;

const secret = bytesOf("P-256 key of a receiver of seals", 32);
const RECEIVER = jwkOfPoint(p256.getPublicKey(secret, false));
const ephemeral = bytesOf("ephemeral P-256 key of a seal", 32);
const { kty, crv, x, y } = jwkOfPoint(p256.getPublicKey(ephemeral, false));
const EPK = { x, crv, kty, y };
const HEADER = { alg: "ECDH-ES", enc: "A256GCM", kid: thumbprint(RECEIVER), epk: EPK };
/** A seal asks nothing of what is in it but the form of a JWS. */
const INPUT = [J({ alg: "ES256", typ: "oc-example+jws", kid: ADA.signer.kid }), '{"v":1}']
  .map((text) => base64url.encode(text))
  .join(".");
const JWS = `${INPUT}.${base64url.encode(await ADA.signer.sign(utf8ToBytes(INPUT)))}`;
const padded = (text: string, size = 2048, by = "=") => text.padEnd(size, by);
/** A text in the form of a JWS, of so many characters. */
const jwsOf = (length: number) => `${"e30.".repeat(2)}${"A".repeat(length - 8)}`;

interface Recipe {
  /** The header's exact text. */
  readonly header?: string;
  readonly plaintext?: string | Uint8Array;
  /** The agreed secret: the x coordinate of the shared point. */
  readonly agreed?: Uint8Array;
  readonly bits?: 128 | 192 | 256;
  readonly apu?: Uint8Array;
  readonly apv?: Uint8Array;
}

function sharedWith(point: Uint8Array, by = ephemeral): Uint8Array {
  return p256.getSharedSecret(by, point, false).subarray(1, 33);
}

/** Concat KDF for one hash: RFC 7518 section 4.6.2. */
function contentKey({ agreed, bits = 256, apu = new Uint8Array(), apv = new Uint8Array() }: Recipe): Uint8Array {
  const z = agreed ?? sharedWith(p256.getPublicKey(secret, false));
  const u32 = (value: number) => numberToBytesBE(value, 4);
  const counted = [utf8ToBytes(`A${bits}GCM`), apu, apv].flatMap((field) => [u32(field.length), field]);
  return sha256(concatBytes(u32(1), z, ...counted, u32(bits))).subarray(0, bits / 8);
}

type Parts = [header: string, encryptedKey: string, iv: string, ciphertext: string, tag: string];

function partsOf(recipe: Recipe = {}): Parts {
  const { header = J(HEADER), plaintext = padded(JWS), bits = 256 } = recipe;
  const protectedHeader = base64url.encode(header);
  const iv = bytesOf("iv of a seal", 12);
  const cipher = createCipheriv(`aes-${bits}-gcm`, contentKey(recipe), iv);
  cipher.setAAD(utf8ToBytes(protectedHeader));
  const ciphertext = concatBytes(cipher.update(plaintext), cipher.final());
  return [
    protectedHeader,
    "",
    base64url.encode(iv),
    base64url.encode(ciphertext),
    base64url.encode(cipher.getAuthTag()),
  ];
}

const forge = (recipe?: Recipe) => partsOf(recipe).join(".");
const headed = (members: object) => forge({ header: J({ ...HEADER, ...members }) });
const withText = (plaintext: string | Uint8Array) => forge({ plaintext });
const [h, k, iv, c, t] = partsOf();
const [, , , c2, t2] = partsOf({ plaintext: padded(jwsOf(100)) });
const whole = J(HEADER);
const without = (name: string) => forge({ header: J({ ...HEADER, [name]: undefined }) });
const cut = (part: string, bytes: number) => base64url.encode(base64url.decode(part).subarray(0, bytes));
/** The part with its lowest bit of that byte turned. */
const turned = (part: string, at: number) =>
  base64url.encode(base64url.decode(part).map((b, i) => (i === at ? b ^ 1 : b)));
const coordinate = (value: bigint) => base64url.encode(numberToBytesBE(value, 32));
const ordinate = bytesToNumberBE(base64url.decode(y));
const P = p256.Point.Fp.ORDER;
/** A point whose x is so small that x + p fits into 32 bytes too. */
const LOW = p256.Point.fromHex(`02${"05".padStart(64, "0")}`);

const FORMS: [string, string][] = [
  ["nothing", ""],
  ["a JWS that is not sealed", JWS],
  ["four parts", [h, k, iv, c].join(".")],
  ["six parts", [h, k, iv, c, t, ""].join(".")],
  ["no header", ["", k, iv, c, t].join(".")],
  ["an encrypted key", [h, "AAAA", iv, c, t].join(".")],
  ["no iv", [h, k, "", c, t].join(".")],
  ["an iv of 11 bytes", [h, k, cut(iv, 11), c, t].join(".")],
  ["an iv of 16 bytes", [h, k, `${iv}AAAAAA`.slice(0, 22), c, t].join(".")],
  ["no ciphertext", [h, k, iv, "", t].join(".")],
  ["no tag", [h, k, iv, c, ""].join(".")],
  ["a tag of 12 bytes", [h, k, iv, c, cut(t, 12)].join(".")],
  ["a tag of 17 bytes", [h, k, iv, c, `${t.slice(0, 20)}AAA`].join(".")],
  ["padding after the tag", `${[h, k, iv, c, t].join(".")}==`],
  ["padding after the ciphertext", [h, k, iv, `${c}=`, t].join(".")],
  ["a line break at the end", `${[h, k, iv, c, t].join(".")}\n`],
  ["unused bits in the ciphertext", [h, k, iv, looser(c), t].join(".")],
  ["unused bits in the tag", [h, k, iv, c, looser(t)].join(".")],
  ["the alphabet of plain base64", [h, k, iv, c.replaceAll("-", "+").replaceAll("_", "/"), t].join(".")],
  ["the JSON serialisation", J({ protected: h, iv, ciphertext: c, tag: t })],
  ["a plaintext of 2047 bytes", withText(padded(JWS, 2047))],
  ["a plaintext of 2049 bytes", withText(padded(jwsOf(2049), 2049))],
];

const HEADERS: [string, string][] = [
  ["alg none", headed({ alg: "none" })],
  ["alg dir", headed({ alg: "dir" })],
  ["alg ECDH-ES+A256KW", headed({ alg: "ECDH-ES+A256KW" })],
  ["alg RSA-OAEP-256", headed({ alg: "RSA-OAEP-256" })],
  ["alg in small letters", headed({ alg: "ecdh-es" })],
  ["no alg", without("alg")],
  ["enc A128GCM", forge({ header: J({ ...HEADER, enc: "A128GCM" }), bits: 128 })],
  ["enc A192GCM", forge({ header: J({ ...HEADER, enc: "A192GCM" }), bits: 192 })],
  ["enc A256CBC-HS512", headed({ enc: "A256CBC-HS512" })],
  ["no enc", without("enc")],
  ["zip", headed({ zip: "DEF" })],
  ["crit", headed({ crit: ["exp"], exp: 9_999_999_999 })],
  ["apu", forge({ header: J({ ...HEADER, apu: "QWRh" }), apu: utf8ToBytes("Ada") })],
  ["apv", forge({ header: J({ ...HEADER, apv: "SFNN" }), apv: utf8ToBytes("HSM") })],
  ["a key in the header", headed({ jwk: BOB.jwk })],
  ["a key URL", headed({ jku: "https://evil.example/" })],
  ["a certificate", headed({ x5c: ["AAAA"] })],
  ["typ", headed({ typ: "JOSE" })],
  ["an unknown member", headed({ x: 1 })],
  ["a member named __proto__", forge({ header: whole.replace(/\}$/, ',"__proto__":{}}') })],
  ["members in another order", forge({ header: J({ enc: HEADER.enc, alg: HEADER.alg, kid: HEADER.kid, epk: EPK }) })],
  ["a member twice", forge({ header: whole.replace("{", '{"alg":"ECDH-ES",') })],
  ["white space in the header", forge({ header: whole.replace(",", ", ") })],
  ["an escaped letter in the header", forge({ header: whole.replace("ECDH", "\\u0045CDH") })],
  ["a byte order mark", forge({ header: `\u{feff}${whole}` })],
  ["a header that is not JSON", forge({ header: whole.slice(0, -1) })],
  ["a header that is a list", forge({ header: `[${whole}]` })],
  ["a header that is null", forge({ header: "null" })],
  ["no kid", without("kid")],
  ["a kid of 31 bytes", headed({ kid: cut(HEADER.kid, 31) })],
  ["a kid with unused bits", headed({ kid: looser(HEADER.kid) })],
  ["no epk", without("epk")],
  ["an epk with d", headed({ epk: { ...EPK, d: base64url.encode(ephemeral) } })],
  ["an epk with an unknown member", headed({ epk: { ...EPK, use: "enc" } })],
  ["an epk in another order", headed({ epk: { kty, crv, x, y } })],
  ["an epk without y", headed({ epk: { x, crv, kty } })],
  ["an epk on P-384", headed({ epk: { ...EPK, crv: "P-384" } })],
  ["an epk of another kind", headed({ epk: { ...EPK, kty: "OKP" } })],
  ["an epk with an x of 31 bytes", headed({ epk: { ...EPK, x: cut(x, 31) } })],
  ["an epk with unused bits", headed({ epk: { ...EPK, y: looser(y) } })],
];

const DO_NOT_OPEN: [string, string][] = [
  [
    "sealed to a stranger under our kid",
    forge({ agreed: sharedWith(p256.getPublicKey(base64url.decode(STRANGER.d), false)) }),
  ],
  ["an epk off the curve", headed({ epk: { ...EPK, y: coordinate(ordinate ^ 1n) } })],
  ["an epk of zeros", headed({ epk: { ...EPK, x: coordinate(0n), y: coordinate(0n) } })],
  [
    "an epk whose x is not reduced",
    forge({ header: J({ ...HEADER, epk: lowEpk(LOW.x + P) }), agreed: sharedWith(LOW.toBytes(false), secret) }),
  ],
  [
    "the epk's other half, which agrees on the same secret",
    [base64url.encode(J({ ...HEADER, epk: { ...EPK, y: coordinate(P - ordinate) } })), k, iv, c, t].join("."),
  ],
  ["an iv with a bit turned", [h, k, turned(iv, 0), c, t].join(".")],
  ["a ciphertext with its first bit turned", [h, k, iv, turned(c, 0), t].join(".")],
  ["a ciphertext with a bit of its padding turned", [h, k, iv, turned(c, 2047), t].join(".")],
  ["a tag with a bit turned", [h, k, iv, c, turned(t, 15)].join(".")],
  ["another message's tag", [h, k, iv, c, t2].join(".")],
  ["another message's ciphertext", [h, k, iv, c2, t].join(".")],
];

const PLAINTEXTS: [string, string][] = [
  ["more padding than it needs", withText(padded(JWS, 4096))],
  ["padding of spaces", withText(padded(JWS, 2048, " "))],
  ["padding of zeros", withText(padded(JWS, 2048, "\0"))],
  ["padding before it", withText(JWS.padStart(2048, "="))],
  ["something after the padding", withText(`${padded(JWS, 2047)}A`)],
  ["something within the padding", withText(padded(`${JWS}=.`))],
  ["a line break before the padding", withText(padded(`${JWS}\n`))],
  ["only padding", withText(padded(""))],
  ["text that is no JWS", withText(padded("SEND"))],
  ["a JWS without a signature", withText(padded("e30.e30."))],
  ["a JWS without a payload", withText(padded("e30..AA"))],
  ["JSON in it", withText(padded('{"v":1}'))],
  ["a sealed message in it", withText(padded("e30..AAAAAAAAAAAAAAAA.AA.AAAAAAAAAAAAAAAAAAAAAA"))],
  ["a byte order mark in it", withText(padded(`\u{feff}${JWS}`, 2046))],
  ["a byte that is no ASCII", withText(utf8ToBytes(padded(JWS)).map((byte, at) => (at === 9 ? byte | 128 : byte)))],
  ["a byte that is no ASCII in the padding", withText(utf8ToBytes(padded(JWS)).fill(255, 2047))],
];

/** The same bytes with an unused bit set. */
function looser(part: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return part.slice(0, -1) + alphabet.charAt(alphabet.indexOf(part.slice(-1)) + 1);
}

function lowEpk(abscissa: bigint): object {
  return { ...EPK, x: coordinate(abscissa), y: coordinate(LOW.y) };
}

const refused = (list: [string, string][], code: string) => list.map(([what, body]) => ({ what, body, code }));
const strangers = {
  header: J({ ...HEADER, kid: BOB.signer.kid }),
  agreed: sharedWith(p256.getPublicKey(base64url.decode(BOB.d), false)),
};

export const SEALS = {
  /** For these vectors only. */
  receiver: { ...RECEIVER, d: base64url.encode(secret) },
  sizes: SEAL_SIZES,
  valid: [
    { what: "a short message", jws: JWS, body: forge() },
    { what: "one that needs no padding", jws: jwsOf(2048), body: withText(jwsOf(2048)) },
    {
      what: "one that is a character too long for that size",
      jws: jwsOf(2049),
      body: withText(padded(jwsOf(2049), 4096)),
    },
    {
      what: "one whose epk has a small x",
      jws: JWS,
      body: forge({ header: J({ ...HEADER, epk: lowEpk(LOW.x) }), agreed: sharedWith(LOW.toBytes(false), secret) }),
    },
  ],
  refused: [
    ...refused(FORMS, MALFORMED),
    ...refused(HEADERS, MALFORMED),
    { what: "sealed to a key that is not kept", body: forge(strangers), code: "ERR_SEAL_KEY" },
    ...refused(DO_NOT_OPEN, OPEN),
    ...refused(PLAINTEXTS, MALFORMED),
  ],
};
