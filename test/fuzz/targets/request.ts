/** Requests: the agent's own schema and statement, and what an extension makes of one that its HSM identity signed. */
import * as v from "valibot";
// oxlint-disable-next-line no-restricted-imports -- what is fuzzed is the code itself
import { inspectRequest } from "../../../extension/check.ts";
import { payloadText } from "../../../protocol/envelope.ts";
import { CHANGES } from "../../../protocol/governance.ts";
import { thumbprint } from "../../../protocol/primitive.ts";
import {
  isTransfer,
  motionStatementOf,
  REQUEST,
  type RequestPayload,
  requestDigest,
  statementOf,
  withMotionStatement,
} from "../../../protocol/request.ts";
import { checkText } from "../../../protocol/statement.ts";
import { KEYS, readVectors, signAnything } from "../corpus.ts";
import { accept, acceptLater, given, require, type Target } from "../target.ts";
import { mutated } from "./frame.ts";

interface Vectors {
  readonly hsm: { kty: "EC"; crv: "P-256"; x: string; y: string };
  readonly audience: string;
  readonly now: number;
  readonly valid: { payload: string; statement: string }[];
}
const TRANSFERS = readVectors("request") as Vectors;
const MOTIONS = readVectors("governance") as Vectors;
const VALID = [...TRANSFERS.valid, ...MOTIONS.valid];
const PAYLOADS = VALID.map(({ payload }) => payload);

/** The statement that a payload's own text asks for is what its other members say, or there is none. */
export function requests(): Target {
  return {
    attempt: (random) => {
      const text = given(mutated(random, random.pick(PAYLOADS), PAYLOADS));
      const parsed = v.safeParse(REQUEST.schema, parse(text));
      if (!parsed.success || JSON.stringify(parsed.output) !== text) return "refused";
      const payload = parsed.output;
      require(payloadText(REQUEST, payload) === text, "a request in another spelling");
      const digest = requestDigest(new TextEncoder().encode(text));
      const statement = accept(() =>
        isTransfer(payload) ? statementOf(payload, payload.effect, digest) : motionStatementOf(payload, digest),
      );
      if (statement === undefined) return "refused";
      require(statement === payload.statement.replace("{digest}", digest), "another statement than the request's");
      require(checkText(statement) === statement && statement.includes(digest), "a statement that no device shows");
      return "accepted";
    },
  };
}

/** What a RESTORE names is all in the statement: another change has another one, and what is no change has none. */
export function restores(): Target {
  const payload = VALID.map((one) => JSON.parse(one.payload) as RequestPayload).find(({ verb }) => verb === "DRILL");
  if (payload === undefined || payload.verb !== "DRILL") throw new TypeError("no motion to start from");
  const head = (size: number) => ({ size, root: "ab".repeat(32) });
  const nonces = [1, 10].map((chain) => ({ vault: "Treasury-1", network: `eip155:${chain}`, nonce: 7 }));
  const changes = [null, head(900)].map((seen) => JSON.stringify({ log: head(800), seen, nonces }));
  const known = new Map<string, string>();
  return {
    attempt: (random) => {
      const text = given(mutated(random, random.pick(changes), changes));
      const change = v.safeParse(CHANGES.RESTORE, parse(text));
      if (!change.success || JSON.stringify(change.output) !== text) return "refused";
      const asked = accept(() => withMotionStatement({ ...payload, verb: "RESTORE", change: change.output }));
      if (asked === undefined) return "refused";
      const statement = accept(() => motionStatementOf(asked, "0".repeat(64)));
      require(statement !== undefined && checkText(statement) === statement, "a statement that no device shows");
      require((known.get(statement) ?? text) === text, "two changes with one statement");
      known.set(statement, text);
      return "accepted";
    },
  };
}

/** The HSM identity means ill, or is in the wrong hands: the extension believes the bytes. */
export function inspected(): Target {
  const { hsm, audience, now } = TRANSFERS;
  const key = KEYS.get(thumbprint(hsm));
  if (key === undefined) throw new TypeError("no key of the HSM identity");
  const trust = {
    hsm: key.kid,
    hsmJwk: hsm,
    kid: audience,
    name: "Ada",
    roles: ["approver", "admin"] as const,
    bridge: "",
  };
  const world = { ...trust, devices: [], charter: null, freezes: null, alarm: null, now };
  const header = JSON.stringify({ alg: "ES256", typ: REQUEST.typ, kid: key.kid });
  const known = new Map(TRANSFERS.valid.map(({ payload }) => [signed(payload), payload]));
  return {
    attempt: async (random) => {
      const text = given(mutated(random, random.pick(random.once(3) ? PAYLOADS : [...known.values()]), PAYLOADS));
      const jws = signAnything(header, text, key);
      const seen = await acceptLater(() => inspectRequest({ jws }, world));
      if (seen === undefined) return "refused";
      // As bytes: a lone surrogate is none, and comes as U+FFFD.
      require(payloadText(REQUEST, seen.payload) === Buffer.from(text).toString(), "a request in another spelling");
      require(seen.statement === seen.payload.statement.replace("{digest}", seen.digest), "another statement");
      if (seen.kind === "motion") return "accepted";
      // All that a transfer's statement says of the money is in the bytes: other bytes, other words.
      const { amount, asset, to, maxFee } = seen.decoded;
      require(seen.statement.startsWith(`SEND ${amount} ${asset} TO ${to} ON `), "other words than the bytes");
      require(seen.statement.includes(`; max fee ${maxFee}; `), "another fee than the bytes'");
      return "accepted";
    },
  };
}

function signed(payload: string): string {
  return (JSON.parse(payload) as { sign: string[] }).sign.join();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
