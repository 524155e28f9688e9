/**
 * Seals of any form but the one that is specified, around an approval that would count. Those that can are made so that an honest
 * recipient of that form would open them. protocol/README.md, "Sealing".
 */
import { deflateRawSync } from "node:zlib";
import { base64url } from "jose";
import type { PublicJwk } from "../../protocol/primitive.ts";
import type { Attack } from "./attack.ts";
import { encode, padded, type SealChange, sealedBytes } from "./forge.ts";
import type { Josed } from "./setting.ts";

/** The body to be sent. `to` is the agent's receiving key. */
type Wrap = (jws: string, to: PublicJwk, stage: Josed) => string | Promise<string>;

function seals(id: string, what: string, refused: readonly string[], wraps: readonly Wrap[]): Attack<Josed> {
  return {
    id,
    by: "hostile computer",
    what,
    tries: wraps.length,
    refused,
    run: async (josed, tally) => {
      const { stage, asked } = josed;
      const { seal } = await stage.ada.mail.card();
      for (const [at, wrap] of wraps.entries()) {
        const body = await wrap(await stage.approval(asked), seal, josed);
        await stage.attempt(tally, async () => await stage.strike(body), `seal ${at + 1}`);
      }
    },
  };
}

const changed =
  (change: SealChange): Wrap =>
  (jws, to) =>
    sealedBytes(padded(jws), to, change);
const header = (members: Record<string, unknown>): Wrap => changed({ header: members });
const parts =
  (work: (parts: string[]) => string[]): Wrap =>
  (jws, to) =>
    work(sealedBytes(padded(jws), to).split(".")).join(".");
const plain =
  (make: (jws: string) => string | Uint8Array): Wrap =>
  (jws, to) => {
    const text = make(jws);
    return sealedBytes(typeof text === "string" ? new TextEncoder().encode(text) : text, to);
  };

const ALGS = [
  "dir",
  "none",
  "RSA-OAEP",
  "RSA-OAEP-256",
  "RSA1_5",
  "A128KW",
  "A256KW",
  "A256GCMKW",
  "ECDH-ES+A128KW",
  "ECDH-ES+A256KW",
  "PBES2-HS256+A128KW",
  "ecdh-es",
  "",
  null,
];
const ENCS = ["A128GCM", "A192GCM", "A128CBC-HS256", "A256CBC-HS512", "none", "a256gcm", null];
const MALFORMED = ["ERR_SEAL_MALFORMED"];
const POINT = {
  x: encode(new Uint8Array(32).with(31, 1)),
  y: encode(new Uint8Array(32).with(31, 1)),
  crv: "P-256",
  kty: "EC",
};

export const SEALS: readonly Attack<Josed>[] = [
  seals(
    "jwe-alg",
    "a seal by another key agreement: dir, RSA, key wrapping, PBES2",
    MALFORMED,
    ALGS.map((alg) => header({ alg })),
  ),
  seals(
    "jwe-enc",
    "a seal by another cipher: A128GCM that opens, CBC, none",
    MALFORMED,
    ENCS.map((enc) => header({ enc })),
  ),
  seals(
    "jwe-header-member",
    "a seal with one header member more: zip, crit, apu, apv, cty, p2c, jwk, tag and others",
    MALFORMED,
    Object.entries({
      zip: "DEF",
      crit: ["exp"],
      apu: "AA",
      apv: "AA",
      cty: "JWT",
      typ: "JWE",
      p2c: 2_000_000_000,
      p2s: "AA",
      jwk: {},
      jku: "x",
      x5c: ["AA"],
      iv: "AA",
      tag: "AA",
    }).map(([name, value]) => header({ [name]: value })),
  ),
  seals("jwe-zip-bomb", "a seal with zip, of a few kilobytes that become a gigabyte", MALFORMED, [
    (_, to) => sealedBytes(deflateRawSync(Buffer.alloc(1 << 21)), to, { header: { zip: "DEF" } }),
    (_, to) =>
      sealedBytes(Buffer.concat([deflateRawSync(Buffer.alloc(1 << 21)), Buffer.alloc(2048)]).subarray(0, 2048), to, {
        header: { zip: "DEF" },
      }),
  ]),
  seals("jwe-p2c", "a seal by PBES2 that asks for two thousand million rounds", MALFORMED, [
    header({ alg: "PBES2-HS512+A256KW", p2c: 2_000_000_000, p2s: "AAAA" }),
    changed({
      header: { alg: "PBES2-HS512+A256KW", p2c: 2_000_000_000, p2s: "AAAA" },
      encryptedKey: encode(new Uint8Array(40)),
    }),
  ]),
  seals(
    "jwe-epk",
    "an ephemeral key off the curve, at infinity, of another curve, with a private half, or none",
    ["ERR_SEAL_MALFORMED", "ERR_SEAL_OPEN"],
    [
      header({ epk: POINT }),
      header({ epk: { ...POINT, x: encode(new Uint8Array(32)), y: encode(new Uint8Array(32)) } }),
      header({ epk: { ...POINT, x: encode(new Uint8Array(32).fill(255)) } }),
      header({ epk: { ...POINT, crv: "P-384" } }),
      header({ epk: { ...POINT, crv: "secp256k1" } }),
      header({ epk: { kty: "OKP", crv: "X25519", x: encode(new Uint8Array(32)) } }),
      header({ epk: { ...POINT, d: encode(new Uint8Array(32).with(31, 1)) } }),
      header({ epk: { ...POINT, x: "AA" } }),
      header({ epk: null }),
      header({ epk: undefined }),
      (jws, to) => sealedBytes(padded(jws), to, { header: { epk: { x: to.x, crv: "P-256", kty: "EC", y: to.y } } }),
    ],
  ),
  seals(
    "jwe-kid",
    "a seal under a kid that is nobody's, Ada's own, or none",
    ["ERR_SEAL_MALFORMED", "ERR_SEAL_KEY"],
    [
      header({ kid: undefined }),
      header({ kid: "" }),
      header({ kid: "../seals" }),
      header({ kid: encode(new Uint8Array(32)) }),
      (jws, to, { stage }) => sealedBytes(padded(jws), to, { header: { kid: stage.ada.kid } }),
      (jws, to, { stage }) => sealedBytes(padded(jws), to, { header: { kid: stage.hsm } }),
    ],
  ),
  seals("jwe-header-spelling", "the header of a seal in another spelling", MALFORMED, [
    changed({ text: (text) => text.replace(":", ": ") }),
    changed({ text: (text) => text.replace("{", '{"enc":"A128GCM",') }),
    changed({ text: (text) => text.replace(/}$/, ',"alg":"dir"}') }),
    changed({ text: (text) => `${text} ` }),
    changed({ text: (text) => text.replace("A256GCM", "A\\u003256GCM") }),
    changed({ text: (text) => `\ufeff${text}` }),
    changed({ text: () => "{}" }),
    changed({ text: () => "null" }),
  ]),
  seals(
    "jwe-parts",
    "a seal with a part more, less, empty, doubled, of another length or spelling",
    ["ERR_SEAL_MALFORMED", "ERR_SEAL_OPEN"],
    [
      parts((all) => all.slice(0, 4)),
      parts((all) => [...all, "AA"]),
      parts(([head = "", ...rest]) => [head, encode(new Uint8Array(40)), ...rest.slice(1)]),
      parts((all) => all.with(2, "")),
      parts((all) => all.with(3, "")),
      parts((all) => all.with(4, "")),
      changed({ tagBytes: 12 }),
      changed({ tagBytes: 4 }),
      changed({ ivBytes: 16 }),
      parts((all) => all.with(3, `${all[3]}AA`)),
      parts((all) => all.with(3, (all[3] ?? "").slice(4))),
      parts((all) => all.with(4, `${all[4]?.startsWith("A") === true ? "B" : "A"}${(all[4] ?? "").slice(1)}`)),
      parts((all) => [...all.slice(0, 2), all[4] ?? "", all[3] ?? "", all[2] ?? ""]),
      parts(() => ["", "", "", "", ""]),
      parts(() => ["x"]),
      parts((all) => [...all, ...all]),
    ],
  ),
  seals("jwe-inside", "a seal that opens and has something else in it than one JWS with its padding", MALFORMED, [
    plain((jws) => jws),
    plain((jws) => padded(jws, " ")),
    plain((jws) => padded(jws, "\0")),
    plain((jws) => padded(`${jws}=\n`)),
    plain((jws) => padded(`${jws}=${jws}`)),
    plain((jws) => padded(` ${jws}`)),
    plain((jws) => padded(jws.replace(".", ".."))),
    plain((jws) => padded(jws.replace(".", ""))),
    plain((jws) => padded(`${jws}+/`)),
    plain((jws) => padded(jws.slice(0, jws.lastIndexOf(".") + 1))),
    plain((jws) => padded(Object.values(JSON.parse(flattened(jws)) as object).join("\n"))),
    plain((jws) => padded(flattened(jws))),
    plain((jws) => padded(general(jws))),
    plain((jws) => padded(flattened(jws, { header: { kid: "other" } }))),
    plain((jws) => jws.padEnd(4096, "=")),
    plain((jws) => jws.padEnd(2047, "=")),
    plain(() => new Uint8Array(2048)),
    plain(() => new Uint8Array(2048).fill(255)),
    plain((jws) =>
      Buffer.concat([Buffer.from(jws), Buffer.alloc(2048 - jws.length - 3, "="), Buffer.from([0xef, 0xbb, 0xbf])]),
    ),
  ]),
  seals(
    "jwe-nested",
    "a seal in a seal, a JWS of a seal, and JSON in the place of a seal",
    ["ERR_SEAL_MALFORMED"],
    [
      (jws, to) => sealedBytes(padded(sealedBytes(padded(jws), to)), to),
      (jws, to) => sealedBytes(padded(sealedBytes(padded(jws), to).replaceAll(".", "_")), to),
      (jws) => jws,
      (jws) => padded(jws).length.toString(),
    ],
  ),
  {
    id: "jwe-resealed",
    by: "hostile member",
    what: "Ada's messages opened and sealed again by Bob, and sent as his, as the HSM's and as a stranger's",
    tries: 3,
    refused: ["ERR_ENVELOPE_KEY"],
    run: async ({ stage, asked }, tally) => {
      const jws = await stage.approval(asked);
      for (const from of [stage.bob.kid, stage.hsm, stage.stranger.signer.kid])
        await stage.attempt(tally, async () => await stage.strikeWith(jws, from));
    },
  },
];

/** A JWS in JSON, as RFC 7515 section 7.2.2 has it; with an unprotected header, where one is given. */
function flattened(jws: string, more: object = {}): string {
  const [head, payload, signature] = jws.split(".");
  return JSON.stringify({ payload, protected: head, signature, ...more });
}

/** With two signatures, of which the first is none. */
function general(jws: string): string {
  const [head, payload, signature] = jws.split(".");
  const none = { protected: base64url.encode('{"alg":"none"}'), signature: "" };
  return JSON.stringify({ payload, signatures: [none, { protected: head, signature }] });
}
