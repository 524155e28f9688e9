/**
 * What `opencustody hsm check` finds out, as schemas: for the process that asks the module (check-child.ts) to the one that waits for
 * it (check.ts), and for the report that `--json` prints.
 *
 * A closed world. What follows from the answers is in check-verdict.ts.
 */

import * as v from "valibot";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const known = v.nullable(count);

export const LIBRARY = v.strictObject({
  cryptoki: v.string(),
  manufacturer: v.string(),
  description: v.string(),
  version: v.string(),
});
export type LibraryFacts = v.InferOutput<typeof LIBRARY>;

/** Bytes; null where the token does not say. `pin` is what its flags say about wrong tries. */
export const TOKEN = v.strictObject({
  label: v.string(),
  serial: v.string(),
  manufacturer: v.string(),
  model: v.string(),
  hardware: v.string(),
  firmware: v.string(),
  freePublicMemory: known,
  totalPublicMemory: known,
  freePrivateMemory: known,
  totalPrivateMemory: known,
  mostSessions: known,
  pin: v.picklist(["ok", "tried wrongly", "final try", "locked", "not set"]),
});
export type TokenFacts = v.InferOutput<typeof TOKEN>;

const SLOT = v.strictObject({ description: v.string(), manufacturer: v.string(), token: v.nullable(TOKEN) });
export type SlotFacts = v.InferOutput<typeof SLOT>;

const MECHANISM = v.strictObject({
  /** Eight hex digits. */
  type: v.pipe(v.string(), v.regex(/^0x[0-9a-f]{8}$/)),
  name: v.nullable(v.string()),
  min: v.number(),
  max: v.number(),
  flags: v.array(v.string()),
});

/** Something that was tried: it works, or why not. */
export const TRIED = v.variant("works", [
  v.strictObject({ works: v.literal(true) }),
  v.strictObject({ works: v.literal(false), reason: v.string() }),
]);
export type Tried = v.InferOutput<typeof TRIED>;

/** How CKA_EC_POINT stands there: in a DER OCTET STRING, bare, in another form, or not at all. */
const POINT = v.picklist(["DER", "raw", "other", "none"]);

/** A key pair that lived as long as its session. `high`: of `signatures` so many had an s in the upper half of the order. */
const CURVE = v.strictObject({
  generate: TRIED,
  point: POINT,
  ecdsa: TRIED,
  ecdsaSha256: TRIED,
  signatures: count,
  high: count,
});

const ED25519 = v.strictObject({
  generate: TRIED,
  /** The form of CKA_EC_PARAMS that was taken: the curve's object identifier, or its name. */
  params: v.nullable(v.picklist(["identifier", "name"])),
  point: POINT,
  eddsa: TRIED,
});

/** One attribute. `wanted` is what the product tells the token, or, where `told` is false, what it must read. */
const ATTRIBUTE = v.strictObject({
  attribute: v.string(),
  told: v.boolean(),
  wanted: v.boolean(),
  result: v.picklist(["accepted", "ignored", "refused", "hidden"]),
  read: v.nullable(v.boolean()),
  reason: v.nullable(v.string()),
});
export type AttributeFacts = v.InferOutput<typeof ATTRIBUTE>;
const ATTRIBUTES = v.strictObject({ generate: TRIED, attributes: v.array(ATTRIBUTE) });

/** A key pair of the token, made by the agent's own code, looked up by it again, and destroyed. */
const TOKEN_KEY = v.strictObject({ made: TRIED, found: TRIED, destroyed: TRIED });

const WRAP = v.strictObject({
  wrap: TRIED,
  bytes: count,
  /** The unwrapped key signs for the same public key. */
  unwrap: TRIED,
});

/** What each step of the check answers, in the order in which they are asked. */
export const ANSWERS = {
  library: LIBRARY,
  slots: v.array(SLOT),
  token: TOKEN,
  mechanisms: v.array(MECHANISM),
  /** What the module says to a second C_Login. */
  login: v.strictObject({ second: v.string() }),
  /** Objects that an earlier check could not remove. */
  leftovers: v.array(v.strictObject({ label: v.string(), id: v.string() })),
  random: v.strictObject({ random: TRIED }),
  /** So many could be open at a time, and why not one more (null: the probe ends there). */
  sessions: v.strictObject({ open: count, end: v.nullable(v.string()) }),
  p256: CURVE,
  secp256k1: CURVE,
  ed25519: ED25519,
  attributes: ATTRIBUTES,
  "backup-attributes": ATTRIBUTES,
  "token-p256": TOKEN_KEY,
  "token-secp256k1": TOKEN_KEY,
  anchor: v.strictObject({ made: TRIED, read: TRIED, changed: TRIED, destroyed: TRIED }),
  speed: v.array(v.strictObject({ inFlight: count, signatures: count, perSecond: v.number() })),
  "wrap-aes-kw": WRAP,
  "wrap-aes-kw-pad": WRAP,
  "wrap-aes-kwp": WRAP,
  "wrap-aes-gcm": WRAP,
  "wrap-aes-cbc-pad": WRAP,
  "wrap-rsa-oaep": WRAP,
  /** `guards`: the token refuses to wrap by a key that nobody trusts. `user`: whether a user can make a key trusted. */
  trusted: v.strictObject({ guards: TRIED, user: TRIED }),
} as const;

export type Step = keyof typeof ANSWERS;
export type Answer<S extends Step> = v.InferOutput<(typeof ANSWERS)[S]>;
export const STEPS = Object.keys(ANSWERS) as Step[];

/** What became of a step: its answer, or why there is none. */
export type Outcome<T> = { readonly ok: true; readonly answer: T } | { readonly ok: false; readonly reason: string };
const outcome = <S extends v.GenericSchema>(answer: S) =>
  v.variant("ok", [
    v.strictObject({ ok: v.literal(true), answer }),
    v.strictObject({ ok: v.literal(false), reason: v.string() }),
  ]);

/** What the last search found, after everything of this run was destroyed. `doubtful`: its making did not answer; it may still come. */
export const CLEANUP = v.strictObject({ removed: count, left: v.array(v.string()), doubtful: v.array(v.string()) });
export type Cleanup = v.InferOutput<typeof CLEANUP>;

export const CAPABILITIES = ["identity", "ethereum", "anchor", "backup", "solana"] as const;
export const VERDICT = v.strictObject({
  capability: v.picklist(CAPABILITIES),
  verdict: v.picklist(["works", "works with a remark", "does not work"]),
  reasons: v.array(v.string()),
});
export type Verdict = v.InferOutput<typeof VERDICT>;

const outcomes = Object.fromEntries(STEPS.map((step) => [step, outcome(ANSWERS[step])]));
export type Outcomes = { readonly [S in Step]: Outcome<Answer<S>> };

/** The report: what `--json` prints. */
export const REPORT = v.strictObject({
  v: v.literal(1),
  module: v.string(),
  steps: v.strictObject(outcomes) as unknown as v.GenericSchema<unknown, Outcomes>,
  cleanup: outcome(CLEANUP),
  verdicts: v.array(VERDICT),
  /** Identity, Ethereum vaults and anchor would work. */
  works: v.boolean(),
});
export interface Report {
  readonly v: 1;
  readonly module: string;
  readonly steps: Outcomes;
  readonly cleanup: Outcome<Cleanup>;
  readonly verdicts: readonly Verdict[];
  readonly works: boolean;
}

const text = v.pipe(v.string(), v.minLength(1), v.maxLength(4096));
const id = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/));

/** Parent to child, one at a time. `begin` is the first and answers as `library`; only `login` carries the PIN. */
export const QUESTION = v.variant("ask", [
  v.strictObject({
    ask: v.literal("begin"),
    module: text,
    token: v.strictObject({ label: v.optional(text), serial: v.optional(text) }),
    /** Of all that this run puts into the token. */
    label: text,
    ids: v.strictObject({ "token-p256": id, "token-secp256k1": id }),
  }),
  v.strictObject({ ask: v.literal("login"), pin: text }),
  v.strictObject({ ask: v.literal("step"), step: v.picklist(STEPS) }),
  v.strictObject({ ask: v.literal("cleanup") }),
]);
export type Question = v.InferOutput<typeof QUESTION>;

/** Child to parent. `lost`: session, login or token is gone; the next step needs a new process. */
export const REPLY = v.variant("ok", [
  v.strictObject({ ok: v.literal(true), value: v.unknown() }),
  v.strictObject({ ok: v.literal(false), reason: v.string(), lost: v.boolean() }),
]);
export type Reply = v.InferOutput<typeof REPLY>;
