import { base64url } from "jose";
import { expect, test } from "vitest";
import { openEnvelope, type Signer, signEnvelope } from "./envelope.ts";
import { WITHDRAWAL, type Withdrawal } from "./message.ts";
import { jwkOfPoint, type PublicJwk, thumbprint } from "./primitive.ts";

const NOW = 1_795_338_000;
const US = thumbprint(await publicJwk(await generate()));

async function generate(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
}
async function publicJwk(pair: CryptoKeyPair): Promise<PublicJwk> {
  return jwkOfPoint(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)));
}
async function makeSigner(): Promise<{ jwk: PublicJwk; signer: Signer }> {
  const pair = await generate();
  const jwk = await publicJwk(pair);
  const sign = async (data: Uint8Array) =>
    new Uint8Array(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, pair.privateKey, new Uint8Array(data)));
  return { jwk, signer: { kid: thumbprint(jwk), sign } };
}
const { jwk, signer } = await makeSigner();

const PAYLOAD: Withdrawal = {
  v: 1,
  iss: signer.kid,
  aud: [US],
  jti: base64url.encode(new Uint8Array(16)),
  iat: NOW,
  exp: NOW + 60,
  request: "01JDA7Q9T2M4XYZ0",
  digest: "ab".repeat(32),
};
const expected = {
  type: WITHDRAWAL,
  keyOf: (kid: string) => (kid === signer.kid ? jwk : undefined),
  audience: US,
  now: NOW,
};

/** Signs any header and payload text, as an attacker who holds the key could. */
async function forge(header: string, payload: string): Promise<string> {
  const text = new TextEncoder();
  const input = `${base64url.encode(text.encode(header))}.${base64url.encode(text.encode(payload))}`;
  return `${input}.${base64url.encode(await signer.sign(text.encode(input)))}`;
}
const HEADER = { alg: "ES256", typ: WITHDRAWAL.typ, kid: signer.kid };

test("what was signed opens to the same payload and bytes", async () => {
  const jws = await signEnvelope(WITHDRAWAL, PAYLOAD, signer);
  const opened = await openEnvelope(jws, expected);
  expect(opened.payload).toEqual(PAYLOAD);
  expect(new TextDecoder().decode(opened.bytes)).toBe(JSON.stringify(PAYLOAD));
});

test("a payload that does not fit its type is never signed", async () => {
  await expect(signEnvelope(WITHDRAWAL, { ...PAYLOAD, request: "short" }, signer)).rejects.toThrow("request");
});

const other = await makeSigner();
const whole = JSON.stringify(PAYLOAD);
const good = await signEnvelope(WITHDRAWAL, PAYLOAD, signer);
const [h = "", p = "", s = ""] = good.split(".");

const FORGERIES: [what: string, jws: string, code: string][] = [
  ["alg none", await forge(JSON.stringify({ ...HEADER, alg: "none" }), whole), "ERR_ENVELOPE_ALG"],
  ["alg HS256", await forge(JSON.stringify({ ...HEADER, alg: "HS256" }), whole), "ERR_ENVELOPE_ALG"],
  ["a key in the header", await forge(JSON.stringify({ ...HEADER, jwk }), whole), "ERR_ENVELOPE_HEADER"],
  ["a key URL", await forge(JSON.stringify({ ...HEADER, jku: "https://evil" }), whole), "ERR_ENVELOPE_HEADER"],
  ["crit", await forge(JSON.stringify({ ...HEADER, crit: ["exp"] }), whole), "ERR_ENVELOPE_HEADER"],
  ["zip", await forge(JSON.stringify({ ...HEADER, zip: "DEF" }), whole), "ERR_ENVELOPE_HEADER"],
  [
    "header in another order",
    await forge(JSON.stringify({ typ: HEADER.typ, alg: "ES256", kid: HEADER.kid }), whole),
    "ERR_ENVELOPE_HEADER",
  ],
  ["another type", await forge(JSON.stringify({ ...HEADER, typ: "oc-approval+jws" }), whole), "ERR_ENVELOPE_TYPE"],
  [
    "unknown key",
    await signEnvelope(WITHDRAWAL, { ...PAYLOAD, iss: other.signer.kid }, other.signer),
    "ERR_ENVELOPE_KEY",
  ],
  ["another issuer", await forge(JSON.stringify(HEADER), JSON.stringify({ ...PAYLOAD, iss: US })), "ERR_ENVELOPE_KEY"],
  [
    "another audience",
    await forge(JSON.stringify(HEADER), JSON.stringify({ ...PAYLOAD, aud: [signer.kid] })),
    "ERR_ENVELOPE_AUDIENCE",
  ],
  [
    "expired",
    await forge(JSON.stringify(HEADER), JSON.stringify({ ...PAYLOAD, iat: NOW - 9, exp: NOW })),
    "ERR_ENVELOPE_EXPIRED",
  ],
  [
    "from the future",
    await forge(JSON.stringify(HEADER), JSON.stringify({ ...PAYLOAD, iat: NOW + 121, exp: NOW + 999 })),
    "ERR_ENVELOPE_TIME",
  ],
  [
    "an unknown member",
    await forge(JSON.stringify(HEADER), JSON.stringify({ ...PAYLOAD, x: 1 })),
    "ERR_ENVELOPE_PAYLOAD",
  ],
  [
    "an unknown version",
    await forge(JSON.stringify(HEADER), JSON.stringify({ ...PAYLOAD, v: 2 })),
    "ERR_ENVELOPE_PAYLOAD",
  ],
  ["white space in the payload", await forge(JSON.stringify(HEADER), `${whole} `), "ERR_ENVELOPE_PAYLOAD"],
  ["a member twice", await forge(JSON.stringify(HEADER), whole.replace("{", '{"v":1,')), "ERR_ENVELOPE_PAYLOAD"],
  ["not JSON", await forge(JSON.stringify(HEADER), "{"), "ERR_ENVELOPE_PAYLOAD"],
  ["no signature", `${h}.${p}.`, "ERR_ENVELOPE_MALFORMED"],
  ["two parts", `${h}.${p}`, "ERR_ENVELOPE_MALFORMED"],
  ["padding", `${h}.${p}.${s}=`, "ERR_ENVELOPE_MALFORMED"],
  [
    "another's signature",
    `${h}.${p}.${base64url.encode(await other.signer.sign(new TextEncoder().encode(`${h}.${p}`)))}`,
    "ERR_ENVELOPE_SIGNATURE",
  ],
  ["an altered payload", `${h}.${base64url.encode(whole.replace("XYZ0", "XYZ1"))}.${s}`, "ERR_ENVELOPE_SIGNATURE"],
];

test.each(FORGERIES)("refused: %s", async (_what, jws, code) => {
  await expect(openEnvelope(jws, expected)).rejects.toMatchObject({ code });
});
