/** Headers: algorithms, keys brought along, other spellings, other kids. protocol/README.md, "Envelopes". */
import { createHmac } from "node:crypto";
import type { Attack } from "./attack.ts";
import { edited, encode, resigned, textsOf } from "./forge.ts";
import { byAda, confusion, type Forge, header } from "./jose-form.ts";
import type { Josed } from "./setting.ts";

const ALGS = [
  "none",
  "None",
  "HS256",
  "RS256",
  "PS256",
  "ES384",
  "ES512",
  "ES256K",
  "EdDSA",
  "Ed25519",
  "es256",
  "",
  null,
  256,
];
const MORE = {
  jwk: {},
  jku: "https://bridge.example.com/keys",
  x5c: ["AA"],
  x5u: "https://bridge.example.com/x",
  x5t: "AA",
  crit: ["exp"],
  b64: false,
  zip: "DEF",
  cty: "JWT",
  enc: "A256GCM",
  url: "x",
};
export const HEADERS: readonly Attack<Josed>[] = [
  confusion(
    "jose-alg",
    "an approval that says that it is signed in another way, or in none",
    ["ERR_ENVELOPE_ALG"],
    ALGS.map((alg) => header({ alg })),
  ),
  confusion(
    "jose-alg-hmac",
    "HS256 with a public key as the secret: Ada's, as a JWK, as x and y, and as her thumbprint",
    ["ERR_ENVELOPE_ALG"],
    (["jwk", "point", "kid"] as const).map(
      (kind): Forge =>
        (jws, { stage: { ada } }) => {
          const { jwk } = ada.key;
          const secret = { jwk: JSON.stringify(jwk), point: jwk.x + jwk.y, kid: ada.kid }[kind];
          const { header: text, payload: body } = textsOf(jws);
          const input = `${encode(edited({ alg: "HS256" })(text))}.${encode(body)}`;
          return `${input}.${encode(createHmac("sha256", secret).update(input).digest())}`;
        },
    ),
  ),
  confusion(
    "jose-header-member",
    "a header with one member more: jwk, jku, x5c, crit, b64, zip and others",
    ["ERR_ENVELOPE_HEADER"],
    Object.entries(MORE).map(([name, value]) => header({ [name]: value })),
  ),
  confusion(
    "jose-embedded-key",
    "an attacker's key brought along in the header, under Ada's kid, the attacker's kid, and none",
    ["ERR_ENVELOPE_HEADER", "ERR_ENVELOPE_KEY"],
    [
      async (jws, { stage: { stranger } }) => await resigned(jws, stranger, { header: edited({ jwk: stranger.jwk }) }),
      async (jws, { stage: { stranger } }) =>
        await resigned(jws, stranger, { header: edited({ jwk: stranger.jwk, kid: stranger.signer.kid }) }),
      async (jws, { stage: { stranger } }) =>
        await resigned(jws, stranger, { header: edited({ jwk: stranger.jwk, kid: undefined }) }),
      async (jws, { stage: { stranger } }) => ({
        text: await resigned(jws, stranger, { header: edited({ kid: stranger.signer.kid }) }),
        from: stranger.signer.kid,
      }),
    ],
  ),
  confusion(
    "jose-header-spelling",
    "the header in another spelling: order, white space, a member twice, left out, another case",
    ["ERR_ENVELOPE_HEADER", "ERR_ENVELOPE_ALG", "ERR_ENVELOPE_MALFORMED"],
    [
      byAda({ header: (text) => text.replace(/^\{("alg":"ES256"),(.*)\}$/, "{$2,$1}") }),
      byAda({ header: (text) => text.replace(":", ": ") }),
      byAda({ header: (text) => `${text} ` }),
      byAda({ header: (text) => text.replace("{", '{"alg":"none",') }),
      byAda({ header: (text) => text.replace("}", ',"alg":"none"}') }),
      byAda({ header: (text) => text.replace("ES256", "ES\\u0032\\u0035\\u0036") }),
      byAda({ header: (text) => text.replace('"typ"', '"TYP"') }),
      byAda({ header: (text) => `\ufeff${text}` }),
      header({ typ: undefined }),
      header({ typ: "JWT" }),
      header({ typ: "application/oc-approval+jws" }),
      header({ typ: "OC-APPROVAL+JWS" }),
      byAda({ header: () => "[]" }),
      byAda({ header: () => "null" }),
      byAda({ header: () => "{" }),
    ],
  ),
  confusion(
    "jose-kid",
    "a kid that is somebody else's, something else's, or no thumbprint",
    ["ERR_ENVELOPE_KEY", "ERR_ENVELOPE_HEADER"],
    [
      ...["../../etc/passwd", "' OR 1=1 --", "__proto__", "", 0, null, ["a"]].map((kid) => header({ kid })),
      async (jws, to) => await resigned(jws, to.stage.ada.key, { header: edited({ kid: to.stage.bob.kid }) }),
      async (jws, to) => await resigned(jws, to.stage.ada.key, { header: edited({ kid: to.stage.hsm }) }),
      async (jws, to) => await resigned(jws, to.stage.ada.key, { header: edited({ kid: to.stage.olga.signer.kid }) }),
      async (jws, to) =>
        await resigned(jws, to.stage.ada.key, { header: edited({ kid: to.stage.ada.mail.seal.key.x }) }),
    ],
  ),
  confusion(
    "jose-kid-stamped",
    "a kid of somebody else that the bridge stamps as well: Bob, Olga's key file, the HSM, a stranger",
    ["ERR_ENVELOPE_KEY", "ERR_ENVELOPE_SIGNATURE"],
    (["bob", "olga", "hsm", "stranger"] as const).map(
      (who): Forge =>
        async (jws, { stage }) => {
          const from = {
            bob: stage.bob.kid,
            olga: stage.olga.signer.kid,
            hsm: stage.hsm,
            stranger: stage.stranger.signer.kid,
          }[who];
          return {
            text: await resigned(jws, stage.ada.key, { header: edited({ kid: from }), payload: edited({ iss: from }) }),
            from,
          };
        },
    ),
    "hostile bridge",
  ),
];
