/** Signed envelopes: changed by whoever carries them, and signed by a member who means ill. Every type of message. */
import { ACT } from "../../../protocol/charter.ts";
import { type MessageType, openEnvelope, payloadText, peekEnvelope } from "../../../protocol/envelope.ts";
import * as messages from "../../../protocol/message.ts";
import { REQUEST } from "../../../protocol/request.ts";
import { derSignature, KEYS, otherSignature, readVectors, signAnything } from "../corpus.ts";
import { encode64, respell64 } from "../mutate-bytes.ts";
import { mutateJson } from "../mutate-json.ts";
import { mutateText } from "../mutate-text.ts";
import type { Random } from "../random.ts";
import { accept, acceptLater, given, require, type Target } from "../target.ts";
import { mutated } from "./frame.ts";

interface Sample {
  readonly jws: string;
  readonly payload: string;
  readonly type: MessageType;
  readonly audience: string;
}

const isType = (value: unknown): value is MessageType => typeof value === "object" && value !== null && "typ" in value;
const TYPES = new Map<string, MessageType>();
for (const type of [...Object.values<unknown>(messages), REQUEST, ACT]) if (isType(type)) TYPES.set(type.typ, type);

const VECTORS = readVectors("envelope") as {
  now: number;
  valid: { typ: string; payload: string; jws: string }[];
  refused: { jws: string }[];
};
/** Motions as well: `request.ts` has a schema for each verb. */
const MOTIONS = readVectors("governance") as { refused: { jws: string }[]; valid: { payload: string }[] };

export const NOW = VECTORS.now;
export const SAMPLES: readonly Sample[] = VECTORS.valid.map(({ typ, payload, jws }) => {
  const type = TYPES.get(typ);
  if (type === undefined) throw new TypeError(`no type ${typ}`);
  return { jws, payload, type, audience: (JSON.parse(payload) as { aud: string[] }).aud[0] ?? "" };
});
export const JWS: readonly string[] = SAMPLES.map(({ jws }) => jws);
const CORPUS = [...JWS, ...VECTORS.refused.map(({ jws }) => jws)];
const PAYLOADS = [...SAMPLES.map(({ payload }) => payload), ...MOTIONS.valid.map(({ payload }) => payload)];
/** What a signature is over: two forms of one signature verify, and mean the same. */
const SIGNED = new Set(JWS.map(signedPart));

export function signedPart(jws: string): string {
  return jws.split(".").slice(0, 2).join(".");
}

const keyOf = (kid: string) => KEYS.get(kid)?.jwk;

/** A message on its way. */
export function envelopes(): Target {
  return {
    attempt: async (random) => {
      const { type, audience, jws } = random.pick(SAMPLES);
      const text = given(mutateJws(random, jws, CORPUS));
      peek(text);
      const opened = await acceptLater(() => openEnvelope(text, { type, keyOf, audience, now: NOW }));
      if (opened === undefined) return "refused";
      require(SIGNED.has(signedPart(text)), "an envelope that nobody signed");
      const signature = text.split(".")[2] ?? "";
      require(encode64(Buffer.from(signature, "base64url")) === signature, "a signature in another spelling");
      return "accepted";
    },
  };
}

function peek(text: string): void {
  const peeked = accept(() => peekEnvelope(text));
  if (peeked === undefined) return;
  const { typ, kid } = peeked;
  require(text.split(".")[0] === encode64(JSON.stringify({ alg: "ES256", typ, kid })), "a header in another spelling");
}

/** A message of somebody whose key counts. */
export function signedEnvelopes(): Target {
  const everybody = [...KEYS.values()];
  return {
    attempt: async (random) => {
      const { type, payload, audience } = random.pick(SAMPLES);
      const { iss } = JSON.parse(payload) as { iss: string };
      const key = random.once(20) ? random.pick(everybody) : (KEYS.get(iss) ?? random.pick(everybody));
      const header = JSON.stringify({ alg: "ES256", typ: type.typ, kid: key.kid });
      const text = given(mutated(random, payload, PAYLOADS));
      const head = random.once(8) ? mutated(random, header, [header]) : header;
      const bytes = random.once(30) ? random.bytes(random.length()) : Buffer.from(text);
      const jws = signAnything(head, bytes, key);
      const opened = await acceptLater(() => openEnvelope(jws, { type, keyOf, audience, now: NOW }));
      if (opened === undefined) return "refused";
      require(Buffer.compare(opened.bytes, bytes) === 0, "other bytes than those that were signed");
      require(payloadText(type, opened.payload) === Buffer.from(bytes).toString(), "a payload in another spelling");
      require(head === header, "a header in another spelling");
      require(opened.payload.iss === key.kid && opened.payload.aud.includes(audience), "somebody else's message");
      return "accepted";
    },
  };
}

/** Changes a JWS without its key. */
export function mutateJws(random: Random, jws: string, corpus: readonly string[]): string {
  const parts = jws.split(".");
  const other = random.pick(corpus).split(".");
  const at = random.int(3);
  const with_ = (part: string) => parts.map((old, place) => (place === at ? part : old)).join(".");
  const inside = Buffer.from(parts[at] ?? "", "base64url").toString();
  switch (random.int(9)) {
    case 0:
      return with_(other[at] ?? "");
    case 1:
      return with_(respell64(random, parts[at] ?? ""));
    case 2:
      return at === 2
        ? with_(encode64(random.bytes(random.pick([0, 63, 64, 65, 132]))))
        : with_(encode64(mutateJson(random, inside, corpus)));
    case 3:
      return otherSignature(jws);
    case 4:
      return derSignature(random, jws);
    case 5:
      return random.pick([
        `${jws}.`,
        `.${jws}`,
        `${jws}.${parts[2] ?? ""}`,
        parts.slice(0, 2).join("."),
        `${jws}..`,
        ` ${jws}`,
        `${jws}\n`,
      ]);
    case 6:
      return [header(random, parts[0] ?? ""), ...parts.slice(1)].join(".");
    case 7:
      return random.once(3) ? jws : random.text(random.length());
    default:
      return mutateText(random, jws, corpus);
  }
}

/** JOSE's ways to be talked into something: another algorithm, a key of one's own, what must be understood, what is compressed. */
function header(random: Random, part: string): string {
  const { alg: _, ...rest } = JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>;
  const alg = random.pick(["ES256", "none", "HS256", "es256", "ES384", "ES256K", "RS256", "EdDSA", null, ["ES256"]]);
  const more = random.pick([
    {},
    { jwk: [...KEYS.values()][0]?.jwk },
    { crit: ["b64"], b64: false },
    { zip: "DEF" },
    { jku: "https://example.org" },
    { x5c: ["AA=="] },
  ]);
  return encode64(JSON.stringify({ alg, ...rest, ...more }));
}
