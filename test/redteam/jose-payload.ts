/** Payloads in other spellings, of other versions, issuers, audiences and times; and signatures in other forms. protocol/README.md, "Envelopes". */
import { WITHDRAWAL } from "../../protocol/message.ts";
import { now } from "../harness/bridge-client.ts";
import type { Attack } from "./attack.ts";
import { edited, inDer, resigned, signedText, textsOf, withSignature, withTwin } from "./forge.ts";
import { byAda, confusion, payload, replaced } from "./jose-form.ts";
import type { Josed } from "./setting.ts";

export const PAYLOADS: readonly Attack<Josed>[] = [
  confusion(
    "jose-json",
    "the payload in another spelling: a member twice, more, less, another order, white space, escapes, numbers",
    ["ERR_ENVELOPE_PAYLOAD"],
    [
      byAda({ payload: (text) => text.replace("{", '{"v":1,') }),
      byAda({ payload: (text) => text.replace(/}$/, `,"request":"0123456789ABCDEF"}`) }),
      byAda({ payload: (text) => text.replace(/}$/, `,"digest":"${"0".repeat(64)}"}`) }),
      byAda({ payload: (text) => text.replace(/}$/, ',"__proto__":{"v":2}}') }),
      byAda({ payload: (text) => text.replace(/}$/, ',"memo":"hello"}') }),
      byAda({ payload: (text) => `${text} ` }),
      byAda({ payload: (text) => ` ${text}` }),
      byAda({ payload: (text) => `${text}${text}` }),
      byAda({ payload: (text) => `${text}\0` }),
      byAda({ payload: (text) => `\ufeff${text}` }),
      byAda({ payload: (text) => `[${text}]` }),
      byAda({ payload: () => "null" }),
      byAda({ payload: () => '"approval"' }),
      byAda({ payload: () => Uint8Array.from([123, 255, 254, 125]) }),
      byAda({ payload: (text) => new TextEncoder().encode(text).with(10, 0xc3) }),
      replaced('"request"', '"\\u0072equest"'),
      replaced(/"iat":(\d+)/, '"iat":$1.0'),
      replaced(/"iat":(\d)(\d+)/, '"iat":$1.$2e9'),
      replaced(/"exp":(\d+)/, '"exp":"$1"'),
      replaced(/"v":1/, '"v":1.0'),
      byAda({
        payload: (text) => JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(text) as object).toReversed())),
      }),
      payload({ address: undefined }),
      payload({ signature: null }),
      payload({ request: ["0123456789ABCDEF"] }),
      replaced(/"address":"0x/, '"address":"0X'),
    ],
  ),
  confusion(
    "jose-version",
    "an unknown version, and values of another form",
    ["ERR_ENVELOPE_PAYLOAD"],
    [
      ...[0, 2, -1, "1", true, null].map((v) => payload({ v })),
      payload({ jti: "short" }),
      payload({ aud: [] }),
      payload({ iat: -1 }),
      payload({ exp: 1e300 }),
    ],
  ),
  confusion(
    "jose-claims",
    "an approval of another issuer, for another audience, of another time",
    ["ERR_ENVELOPE_KEY", "ERR_ENVELOPE_AUDIENCE", "ERR_ENVELOPE_TIME", "ERR_ENVELOPE_EXPIRED", "ERR_ENVELOPE_PAYLOAD"],
    [
      async (jws, { stage }) => await resigned(jws, stage.ada.key, { payload: edited({ iss: stage.bob.kid }) }),
      async (jws, { stage }) => await resigned(jws, stage.ada.key, { payload: edited({ iss: stage.hsm }) }),
      async (jws, { stage }) => await resigned(jws, stage.ada.key, { payload: edited({ aud: [stage.ada.kid] }) }),
      async (jws, { stage }) =>
        await resigned(jws, stage.ada.key, { payload: edited({ aud: [stage.stranger.signer.kid] }) }),
      async (jws, { stage }) => await resigned(jws, stage.ada.key, { payload: edited({ aud: stage.hsm }) }),
      async (jws, { stage }) =>
        await resigned(jws, stage.ada.key, { payload: edited({ aud: [stage.hsm, stage.stranger.signer.kid] }) }),
      payload({ aud: ["ws://127.0.0.1:8787/"] }),
      payload({ iat: now() + 600, exp: now() + 3600 }),
      payload({ exp: now() - 1 }),
      payload({ iat: now() - 60, exp: now() - 60 }),
    ],
  ),
];

export const SIGNATURES: readonly Attack<Josed>[] = [
  confusion(
    "jose-signature",
    "a signature in ASN.1, too short, too long, of zeros, with r or s out of range, of another message, of another key",
    ["ERR_ENVELOPE_SIGNATURE"],
    [
      (jws) => withSignature(jws, inDer(textsOf(jws).signature)),
      (jws) => withSignature(jws, textsOf(jws).signature.subarray(0, 63)),
      (jws) => withSignature(jws, Buffer.concat([textsOf(jws).signature, Buffer.alloc(1)])),
      (jws) => withSignature(jws, Buffer.concat([textsOf(jws).signature, textsOf(jws).signature])),
      (jws) => withSignature(jws, new Uint8Array(64)),
      (jws) => withSignature(jws, new Uint8Array(64).fill(255)),
      (jws) => withSignature(jws, new Uint8Array(64).with(31, 1).with(63, 1)),
      (jws) =>
        withSignature(
          jws,
          Buffer.concat([textsOf(jws).signature.subarray(32), textsOf(jws).signature.subarray(0, 32)]),
        ),
      async (jws, { stage, other }) => withSignature(jws, textsOf(await stage.approval(other)).signature),
      async (jws, { stage }) => await resigned(jws, stage.bob.key, {}),
      async (jws, { stage }) => await resigned(jws, stage.stranger, {}),
    ],
  ),
  {
    id: "jose-twin",
    by: "hostile bridge",
    what: "the other valid signature (r, n − s) of an approval that was counted, and of a withdrawal, to have it counted twice",
    tries: 4,
    refused: ["nothing changed"],
    run: async ({ stage }, tally) => {
      const asked = await stage.propose();
      const jws = await stage.approval(asked);
      await stage.strikeWith(jws);
      await stage.attempt(tally, async () => await stage.strikeWith(withTwin(jws)), "the approval's twin");
      await stage.attempt(tally, async () => await stage.strikeWith(withTwin(withTwin(jws))), "the approval again");
      const back = await stage.sign(stage.ada.key, WITHDRAWAL, { request: asked.id, digest: asked.digest });
      await stage.strikeWith(back);
      await stage.attempt(tally, async () => await stage.strikeWith(withTwin(back)), "the withdrawal's twin");
      await stage.attempt(
        tally,
        async () => await stage.strikeWith(withTwin(jws)),
        "the approval's twin after the withdrawal",
      );
    },
  },
  {
    id: "jose-jti",
    by: "hostile member",
    what: "Bob's approval and rejection under the jti of Ada's approval, so that one takes the place of the other",
    tries: 2,
    refused: ["ERR_ENVELOPE_REPLAYED"],
    run: async ({ stage }, tally) => {
      const asked = await stage.propose();
      const jws = await stage.approval(asked);
      await stage.strikeWith(jws);
      const { jti } = JSON.parse(textsOf(jws).payload) as { jti: string };
      const approval = await stage.approval(asked, stage.bob, { jti });
      const rejection = await signedText(
        textsOf(approval).header.replace("approval", "rejection"),
        JSON.stringify({
          ...(JSON.parse(textsOf(approval).payload) as object),
          address: undefined,
          signature: undefined,
          log: undefined,
          reason: "other",
        }),
        stage.bob.key,
      );
      for (const text of [approval, rejection])
        await stage.attempt(tally, async () => await stage.strikeWith(text, stage.bob.kid));
    },
  },
];
