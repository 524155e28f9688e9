/**
 * Makes envelope.json: one valid message of each type, and withdrawals with exactly one fault each. `step` is the step of
 * README.md, "Verifying an envelope", that must refuse it.
 */
import { p256 } from "@noble/curves/nist.js";
import { base64url } from "jose";
import { ACT } from "../charter.ts";
import { WITHDRAWAL } from "../message.ts";
import { CHARTERS } from "./charter.ts";
import { ADA, BOB, DAN, HSM, INVITE, OLGA, STRANGER, type VectorKey } from "./keys.ts";
import { BRIDGE, NOW, sampleOf, samples, WITHDRAWAL_PAYLOAD } from "./sample.ts";

const HEADER = { alg: "ES256", typ: WITHDRAWAL.typ, kid: ADA.signer.kid };
const whole = JSON.stringify(WITHDRAWAL_PAYLOAD);

function encode(text: string): string {
  return base64url.encode(new TextEncoder().encode(text));
}

/** Signs any header and payload, as an attacker who holds the key could. */
async function forge(header: string, payload: string | Uint8Array, key: VectorKey = ADA): Promise<string> {
  const input = `${encode(header)}.${typeof payload === "string" ? encode(payload) : base64url.encode(payload)}`;
  return `${input}.${base64url.encode(await key.signer.sign(new TextEncoder().encode(input)))}`;
}

async function withHeader(header: object): Promise<string> {
  return await forge(JSON.stringify(header), whole);
}

async function withPayload(change: object): Promise<string> {
  return await forge(JSON.stringify(HEADER), JSON.stringify({ ...WITHDRAWAL_PAYLOAD, ...change }));
}

async function withText(payload: string | Uint8Array): Promise<string> {
  return await forge(JSON.stringify(HEADER), payload);
}

interface Refused {
  readonly what: string;
  readonly step: number;
  readonly jws: string;
  readonly code: string;
}

async function malformed(): Promise<Refused[]> {
  const good = (await sampleOf(WITHDRAWAL, WITHDRAWAL_PAYLOAD, ADA)).jws;
  const [h = "", p = "", s = ""] = good.split(".");
  const texts: [string, string][] = [
    ["nothing", ""],
    ["one part", h],
    ["two parts", `${h}.${p}`],
    ["four parts", `${good}.${s}`],
    ["an empty header", `.${p}.${s}`],
    ["an empty payload", `${h}..${s}`],
    ["no signature", `${h}.${p}.`],
    ["padding", `${h}.${p}.${s}==`],
    ["base64 instead of base64url", `${h}.${p}+.${s}`],
    ["white space before it", ` ${good}`],
    ["white space after it", `${good}\n`],
    ["unused bits that are not zero", `${h}.${p}.${s.slice(0, -1)}${s.endsWith("A") ? "B" : "D"}`],
    ["JSON serialisation", JSON.stringify({ protected: h, payload: p, signature: s })],
  ];
  return texts.map(([what, jws]) => ({ what, step: 1, jws, code: "ERR_ENVELOPE_MALFORMED" }));
}

async function wrongHeader(): Promise<Refused[]> {
  const { alg, typ, kid } = HEADER;
  const headers: [string, object, string][] = [
    ["alg none", { alg: "none", typ, kid }, "ERR_ENVELOPE_ALG"],
    ["alg HS256", { alg: "HS256", typ, kid }, "ERR_ENVELOPE_ALG"],
    ["alg es256", { alg: "es256", typ, kid }, "ERR_ENVELOPE_ALG"],
    ["alg ES256K", { alg: "ES256K", typ, kid }, "ERR_ENVELOPE_ALG"],
    ["alg as a list", { alg: ["ES256"], typ, kid }, "ERR_ENVELOPE_ALG"],
    ["no alg", { typ, kid }, "ERR_ENVELOPE_HEADER"],
    ["no typ", { alg, kid }, "ERR_ENVELOPE_HEADER"],
    ["no kid", { alg, typ }, "ERR_ENVELOPE_HEADER"],
    ["a typ of nobody's", { alg, typ: "JWT", kid }, "ERR_ENVELOPE_HEADER"],
    ["a kid that is no thumbprint", { alg, typ, kid: "ada" }, "ERR_ENVELOPE_HEADER"],
    ["a key in the header", { ...HEADER, jwk: ADA.jwk }, "ERR_ENVELOPE_HEADER"],
    ["a key's URL", { ...HEADER, jku: "https://keys.example/" }, "ERR_ENVELOPE_HEADER"],
    ["a certificate", { ...HEADER, x5c: ["MIIB"] }, "ERR_ENVELOPE_HEADER"],
    ["crit", { ...HEADER, crit: ["exp"] }, "ERR_ENVELOPE_HEADER"],
    ["zip", { ...HEADER, zip: "DEF" }, "ERR_ENVELOPE_HEADER"],
    ["b64", { ...HEADER, b64: false }, "ERR_ENVELOPE_HEADER"],
    ["members in another order", { typ, alg, kid }, "ERR_ENVELOPE_HEADER"],
  ];
  const spaced = await forge(`{ "alg":"ES256","typ":"${typ}","kid":"${kid}"}`, whole);
  return [
    ...(await Promise.all(
      headers.map(async ([what, header, code]) => ({ what, step: 2, jws: await withHeader(header), code })),
    )),
    { what: "white space in the header", step: 2, jws: spaced, code: "ERR_ENVELOPE_HEADER" },
    { what: "a header that is not JSON", step: 2, jws: await forge("{", whole), code: "ERR_ENVELOPE_MALFORMED" },
    { what: "a header that is a list", step: 2, jws: await forge("[]", whole), code: "ERR_ENVELOPE_MALFORMED" },
  ];
}

async function wrongKey(): Promise<Refused[]> {
  const good = await withText(whole);
  const [h = "", p = "", s = ""] = good.split(".");
  const input = new TextEncoder().encode(`${h}.${p}`);
  const bytes = base64url.decode(s);
  const der = p256.Signature.fromBytes(bytes, "compact").toBytes("der");
  const signatures: [string, string][] = [
    ["another key's signature", base64url.encode(await BOB.signer.sign(input))],
    ["a bit turned over in the signature", base64url.encode(bytes.with(40, (bytes[40] ?? 0) ^ 1))],
    ["a signature in DER", base64url.encode(der)],
    ["a signature of 63 bytes", base64url.encode(bytes.subarray(1))],
    ["a signature of zeros", base64url.encode(new Uint8Array(64))],
  ];
  const altered = `${h}.${encode(whole.replace(WITHDRAWAL_PAYLOAD.request, "0000000000000000"))}.${s}`;
  const code = "ERR_ENVELOPE_SIGNATURE";
  return [
    {
      what: "another type",
      step: 3,
      jws: await withHeader({ ...HEADER, typ: "oc-approval+jws" }),
      code: "ERR_ENVELOPE_TYPE",
    },
    {
      what: "a key that is not pinned",
      step: 4,
      jws: (await sampleOf(WITHDRAWAL, { ...WITHDRAWAL_PAYLOAD, iss: STRANGER.signer.kid }, STRANGER)).jws,
      code: "ERR_ENVELOPE_KEY",
    },
    ...signatures.map(([what, signature]) => ({ what, step: 4, jws: `${h}.${p}.${signature}`, code })),
    { what: "an altered payload", step: 4, jws: altered, code },
  ];
}

async function wrongPayload(): Promise<Refused[]> {
  const code = "ERR_ENVELOPE_PAYLOAD";
  const { v, iss, ...rest } = WITHDRAWAL_PAYLOAD;
  const { digest: _, ...withoutDigest } = WITHDRAWAL_PAYLOAD;
  const texts: [string, string | Uint8Array][] = [
    ["not JSON", "{"],
    ["null", "null"],
    ["a list", "[]"],
    ["not UTF-8", Uint8Array.from([...new TextEncoder().encode(whole), 0xff])],
    ["a byte order mark", `\ufeff${whole}`],
    ["white space at the end", `${whole} `],
    ["white space inside", whole.replace('"v":1', '"v": 1')],
    ["a member twice", whole.replace("{", '{"v":1,')],
    ["a number in another form", whole.replace('"v":1', '"v":1.0')],
    ["a string in another form", whole.replace('"digest"', '"\\u0064igest"')],
    ["members in another order", JSON.stringify({ iss, v, ...rest })],
    ["an unknown member", JSON.stringify({ ...WITHDRAWAL_PAYLOAD, x: 1 })],
    ["a member named __proto__", whole.replace(/}$/, ',"__proto__":{}}')],
    ["a member missing", JSON.stringify(withoutDigest)],
  ];
  const changes: [string, object][] = [
    ["version 2", { v: 2 }],
    ["a version in quotes", { v: "1" }],
    ["an audience that is no list", { aud: HSM.signer.kid }],
    ["no audience", { aud: [] }],
    ["a jti of 15 bytes", { jti: "AAAAAAAAAAAAAAAAAAAA" }],
    ["a jti with unused bits", { jti: `${WITHDRAWAL_PAYLOAD.jti.slice(0, -1)}B` }],
    ["a time with a fraction", { iat: NOW + 0.5 }],
    ["a time in milliseconds", { iat: NOW * 1000 }],
    ["a request id in lower case", { request: WITHDRAWAL_PAYLOAD.request.toLowerCase() }],
    ["a request id with a letter that Crockford left out", { request: `${WITHDRAWAL_PAYLOAD.request.slice(1)}U` }],
    ["a digest in upper case", { digest: WITHDRAWAL_PAYLOAD.digest.toUpperCase() }],
    ["a digest of 31 bytes", { digest: WITHDRAWAL_PAYLOAD.digest.slice(2) }],
    ["null for a text", { digest: null }],
  ];
  return [
    ...(await Promise.all(texts.map(async ([what, text]) => ({ what, step: 5, jws: await withText(text), code })))),
    ...(await Promise.all(
      changes.map(async ([what, change]) => ({ what, step: 5, jws: await withPayload(change), code })),
    )),
  ];
}

async function wrongPlace(): Promise<Refused[]> {
  const changes: [string, number, object, string][] = [
    ["another issuer than the key", 6, { iss: BOB.signer.kid }, "ERR_ENVELOPE_KEY"],
    ["another audience", 6, { aud: [BOB.signer.kid] }, "ERR_ENVELOPE_AUDIENCE"],
    ["the bridge as audience", 6, { aud: [BRIDGE] }, "ERR_ENVELOPE_AUDIENCE"],
    ["from the future", 7, { iat: NOW + 121, exp: NOW + 999 }, "ERR_ENVELOPE_TIME"],
    ["expired now", 7, { iat: NOW - 9, exp: NOW }, "ERR_ENVELOPE_EXPIRED"],
    ["expired before it was made", 7, { iat: NOW + 100, exp: NOW + 100 }, "ERR_ENVELOPE_EXPIRED"],
  ];
  return await Promise.all(
    changes.map(async ([what, step, change, code]) => ({ what, step, jws: await withPayload(change), code })),
  );
}

/** Valid on the edge: clocks may differ by 120 s, and the last second counts. */
async function edges() {
  const changes: [string, object][] = [
    ["120 s ahead of us", { iat: NOW + 120, exp: NOW + 999 }],
    ["in its last second", { iat: NOW - 9, exp: NOW + 1 }],
    ["to several", { aud: [HSM.signer.kid, BOB.signer.kid] }],
  ];
  return await Promise.all(
    changes.map(async ([what, change]) => {
      const payload = JSON.stringify({ ...WITHDRAWAL_PAYLOAD, ...change });
      return { what, typ: WITHDRAWAL.typ, payload, jws: await withText(payload) };
    }),
  );
}

export const ENVELOPE = {
  now: NOW,
  /** The keys that are pinned, by nobody's choice but ours. */
  pinned: [HSM, ADA, BOB, DAN, OLGA, INVITE].map(({ jwk }) => jwk),
  hsm: HSM.signer.kid,
  member: ADA.signer.kid,
  bridge: BRIDGE,
  valid: [
    ...(await samples()).map(({ typ, payload, jws }) => ({ what: `a ${typ.slice(3, -4)}`, typ, payload, jws })),
    ...CHARTERS.rotatedByTheOld.slice(0, 1).map(({ payload, jws }) => ({ what: "an act", typ: ACT.typ, payload, jws })),
    ...(await edges()),
  ],
  refused: [
    ...(await malformed()),
    ...(await wrongHeader()),
    ...(await wrongKey()),
    ...(await wrongPayload()),
    ...(await wrongPlace()),
  ],
};
