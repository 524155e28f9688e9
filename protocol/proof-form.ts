/** The proof file: its closed schema and its one spelling. README.md, "Proof". What it proves is proof.ts. */
import { base64url } from "jose";
import * as v from "valibot";
import { CHECKPOINT_MAX } from "./checkpoint.ts";
import { Fault } from "./error.ts";
import { PublicJwkSchema, SecondsSchema } from "./primitive.ts";
import { ProvedEntrySchema } from "./view.ts";

/** Bytes of a proof. */
export const PROOF_MAX = 2 ** 26;
/** Characters of the longest envelope: that of an act. */
const JWS_MAX = 131_072;
/** People of a quorum answer at most twice each, and one more ends a request. */
const MESSAGES_MAX = 160;

const JwsSchema = v.pipe(v.string(), v.maxLength(JWS_MAX), v.regex(/^[\w-]+\.[\w-]+\.[\w-]+$/));

const ProofSchema = v.strictObject({
  v: v.literal(1),
  kind: v.literal("OpenCustody proof"),
  /** The identity that signed the founding: the log is named by it. */
  founder: PublicJwkSchema,
  /** From the founding on: what the request was decided by, what came of it, and who signs the log now. */
  acts: v.array(JwsSchema),
  /** What the initiator's key file signed; null for a founding. */
  proposal: v.nullable(JwsSchema),
  request: JwsSchema,
  /** What each record of the last state was made from, in their order. */
  messages: v.pipe(v.array(JwsSchema), v.maxLength(MESSAGES_MAX)),
  /** The log's entries about it: its proposal, its issue, its last state, and the act that it became or null. */
  proposed: ProvedEntrySchema,
  issued: ProvedEntrySchema,
  entry: ProvedEntrySchema,
  act: v.nullable(ProvedEntrySchema),
  checkpoint: v.pipe(v.string(), v.maxLength(CHECKPOINT_MAX)),
  /** The signed transaction, `0x…`; null where there is none. */
  signed: v.nullable(v.pipe(v.string(), v.maxLength(65_536), v.regex(/^0x([0-9a-f]{2})+$/))),
});
export type Proof = v.InferOutput<typeof ProofSchema>;

/** A proof as a file: one line of JSON. */
export function encodeProof(proof: Proof): string {
  return `${JSON.stringify(v.parse(ProofSchema, proof))}\n`;
}

/** 1. The file is a proof, in its one spelling. @throws Fault ERR_PROOF */
export function parseProof(file: Uint8Array): Proof {
  try {
    if (file.length > PROOF_MAX) throw malformed();
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(file);
    const proof = v.parse(ProofSchema, JSON.parse(text));
    if (encodeProof(proof) === text) return proof;
  } catch {
    // The one refusal below.
  }
  throw malformed();
}

/** Unverified: what a message claims of itself, only to choose what to verify it by. @throws Fault ERR_PROOF */
export function claimsOf(jws: string): { iss: string; aud: string[]; iat: number } {
  const schema = v.object({ iss: v.string(), aud: v.pipe(v.array(v.string()), v.minLength(1)), iat: SecondsSchema });
  try {
    return v.parse(schema, payloadOf(jws));
  } catch (cause) {
    throw new Fault("ERR_PROOF", "one of its messages is malformed", { cause });
  }
}

/** The payload that nobody has verified yet. */
export function payloadOf(jws: string): unknown {
  return JSON.parse(new TextDecoder().decode(base64url.decode(jws.split(".")[1] ?? "")));
}

function malformed(): Fault {
  return new Fault("ERR_PROOF", "the file is no proof in its one form; it was cut, changed, or is something else");
}
