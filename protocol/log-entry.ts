/**
 * What the agent's log holds: one canonical JSON line for each decision, a closed schema each. README.md, "Log". An entry says that
 * something was decided, and by whose message; the messages themselves are in the agent's record, and in a proof.
 */
import * as v from "valibot";
import { CHANGES, type GovernanceVerb } from "./governance.ts";
import { RequestRecordSchema, RequestStateSchema } from "./message.ts";
import { NameSchema } from "./name.ts";
import { base64urlOf, hexOf, OrdinalSchema, RequestIdSchema, SecondsSchema } from "./primitive.ts";

/** An entry holds at most so many characters: a request with 64 people who all answered. */
export const ENTRY_MAX = 24_576;

const HashSchema = v.pipe(v.string(), v.regex(/^0x[0-9a-f]{64}$/));
const VERBS = Object.keys(CHANGES) as GovernanceVerb[];

function entry<K extends string, E extends v.ObjectEntries>(kind: K, entries: E) {
  return v.strictObject({ v: v.literal(1), kind: v.literal(kind), at: SecondsSchema, ...entries });
}

/** Somebody proposed it, by the message whose SHA-256 is `of`. Both are null for a founding, which nobody proposes. */
const ProposalEntrySchema = entry("proposal", {
  request: RequestIdSchema,
  person: v.nullable(NameSchema),
  of: v.nullable(hexOf(32)),
});

/** The HSM signed the request whose payload has this digest: from now on it is asked for. */
const RequestEntrySchema = entry("request", { request: RequestIdSchema, digest: hexOf(32) });

/** A request after a change, with everything that was answered: the receipt. A higher `n` replaces a lower. */
export const ReceiptSchema = entry("state", {
  request: RequestIdSchema,
  digest: hexOf(32),
  n: OrdinalSchema,
  state: RequestStateSchema,
  records: v.array(RequestRecordSchema),
  /** Hash of the signed transaction, once there is one. */
  hash: v.nullable(HashSchema),
});
export type Receipt = v.InferOutput<typeof ReceiptSchema>;

/** A signed transaction was handed out for the first time. */
const ReleasedEntrySchema = entry("released", { request: RequestIdSchema, hash: HashSchema });

/** An act took effect; `head` is the SHA-256 of its payload. */
const ActEntrySchema = entry("act", {
  n: OrdinalSchema,
  verb: v.picklist(VERBS),
  request: RequestIdSchema,
  head: hexOf(32),
});

/** Somebody froze a vault, or everything. `by` is null for the operator, `of` the `jti` of the message. */
const FreezeEntrySchema = entry("freeze", {
  vault: v.nullable(NameSchema),
  by: v.nullable(NameSchema),
  of: v.nullable(base64urlOf(16)),
});

export const EntrySchema = v.variant("kind", [
  ProposalEntrySchema,
  RequestEntrySchema,
  ReceiptSchema,
  ReleasedEntrySchema,
  ActEntrySchema,
  FreezeEntrySchema,
]);
export type Entry = v.InferOutput<typeof EntrySchema>;

/** The entry's line: what is hashed into the tree. */
export function entryText(entry: Entry): string {
  return JSON.stringify(v.parse(EntrySchema, entry));
}

/** An entry in its one spelling; undefined for anything else. */
export function parseEntry(text: string): Entry | undefined {
  if (text.length > ENTRY_MAX) return undefined;
  try {
    const parsed = v.safeParse(EntrySchema, JSON.parse(text));
    return parsed.success && JSON.stringify(parsed.output) === text ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}
