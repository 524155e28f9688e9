/**
 * What a proof's request stands on: the acts, the log, the identity, the request itself. README.md, "Verifying a proof", steps 2 to 6 and
 * 11: the numbers are those of the specification. Pure but for WebCrypto.
 */
import * as v from "valibot";
import type { Judged } from "./approving.ts";
import { type Applied, applyAct } from "./charter.ts";
import { openCheckpoint, originOf, type TreeHead } from "./checkpoint.ts";
import { openEnvelope } from "./envelope.ts";
import { Fault } from "./error.ts";
import { applyMotion, CHANGES, type Documents, referencesOf } from "./governance.ts";
import { type Entry, parseEntry, type Receipt } from "./log-entry.ts";
import { isIncluded, leafHash } from "./merkle.ts";
import type { People } from "./people.ts";
import {
  fingerprint as fingerprintOf,
  type PublicJwk,
  sha256Hex,
  thumbprint,
  thumbprintOfFingerprint,
} from "./primitive.ts";
import { type ActEntry, CLOCK_BACK } from "./proof-answers.ts";
import { claimsOf, type Proof, payloadOf } from "./proof-form.ts";
import { checkProposal } from "./proof-mandate.ts";
import {
  type Effect,
  isTransfer,
  motionOf,
  motionStatementOf,
  REQUEST,
  type RequestPayload,
  requestDigest,
  statementOf,
  type TransferRequest,
} from "./request.ts";
import { checkSigned } from "./signed-transaction.ts";
import type { ProvedEntry } from "./view.ts";

/** What the bytes to be signed do, by a chain library. May throw. */
export type Decode = (request: TransferRequest) => Effect;

/** 2. The acts hold, one after the other, from the founding on. @throws Fault of applyAct */
export async function replay({ acts, founder }: Proof): Promise<Applied[]> {
  const applied: Applied[] = [];
  for (const jws of acts) applied.push(await applyAct(applied.at(-1)?.charter ?? null, jws, founder));
  return applied;
}

/** The identity that signs the log now: the last one, or before the founding its founder. */
function signerOf({ founder }: Proof, acts: readonly Applied[]): PublicJwk {
  return acts.at(-1)?.charter.hsm ?? founder;
}

/** The head of the log, and the thumbprint of who signed it. */
export interface Noted {
  readonly head: TreeHead;
  readonly by: string;
}

/** 3. That identity signed the checkpoint, of the log that is named by the founder. No other signature stands in it. @throws Fault ERR_LOG, ERR_PROOF */
export async function checkNote(proof: Proof, acts: readonly Applied[]): Promise<Noted> {
  const { checkpoint, founder } = proof;
  // Nothing in a proof may be changed unnoticed, and nobody here could verify another's line.
  if (checkpoint.split("\n").length !== 6) throw wrong("the checkpoint has other signatures than the HSM's");
  const expected = { origin: originOf(thumbprint(founder)), keys: [signerOf(proof, acts)] };
  return await openCheckpoint(checkpoint, expected);
}

/**
 * 4. The fingerprint is of who signed the founding, the request or the log, each of which step 3 or 6 verifies. An identity in between does
 * not do: one that others founded may rotate to it, and on to another, without its ever having signed anything. @throws Fault ERR_PROOF
 */
export function findPinned(proof: Proof, acts: readonly Applied[], fingerprint: string): string {
  if (!/^[0-9a-f]{64}$/.test(fingerprint)) throw wrong("a fingerprint is 64 hex digits");
  const pinned = thumbprintOfFingerprint(fingerprint);
  const signer = thumbprint(signerOf(proof, acts));
  if (pinned === signer) return "the identity that signed the log";
  const other = `; the log is signed by another, ${fingerprintOf(signer)}, to which the acts lead`;
  if (pinned === thumbprint(proof.founder)) return `the identity that signed the founding${other}`;
  if (pinned === claimsOf(proof.request).iss) return `the identity that signed the request${other}`;
  throw wrong("the fingerprint is another HSM's: it signed neither the founding nor the log nor the request");
}

/** What the log says of the request. */
export interface Logged {
  readonly proposed: Extract<Entry, { kind: "proposal" }>;
  readonly issued: Extract<Entry, { kind: "request" }>;
  readonly receipt: Receipt;
  readonly act: ActEntry | null;
}

/** 5. The entries are in that log, in their order, and about one request. @throws Fault ERR_PROOF */
export function readEntries(proof: Proof, head: TreeHead): Logged {
  const proposed = readEntry(proof.proposed, head, "proposal");
  const issued = readEntry(proof.issued, head, "request");
  const receipt = readEntry(proof.entry, head, "state");
  const act = proof.act === null ? null : readEntry(proof.act, head, "act");
  const { request, digest } = receipt;
  if ([proposed, issued, ...(act === null ? [] : [act])].some((entry) => entry.request !== request))
    throw wrong("its entries are about different requests");
  if (issued.digest !== digest) throw wrong("its entries are about different bytes");
  if (!(proof.proposed.index < proof.issued.index && proof.issued.index < proof.entry.index))
    throw wrong("its entries are in another order than things happen in");
  if (issued.at < proposed.at - CLOCK_BACK || receipt.at < issued.at - CLOCK_BACK)
    throw wrong("an entry is older than one before it");
  return { proposed, issued, receipt, act };
}

function readEntry<K extends Entry["kind"]>(
  { index, text, path }: ProvedEntry,
  { size, root }: TreeHead,
  kind: K,
): Extract<Entry, { kind: K }> {
  if (!isIncluded(leafHash(new TextEncoder().encode(text)), index, size, path, root))
    throw wrong(`entry ${index} is not in the log`);
  const entry = parseEntry(text);
  if (entry?.kind !== kind) throw wrong(`entry ${index} is not one of kind ${kind}`);
  return entry as Extract<Entry, { kind: K }>;
}

/**
 * The request as it was judged. `before`: the documents in force, null for a founding; `people`: whose answers count; `until`: when the act
 * was signed that replaced those documents or the identity, null where the file has none.
 */
export interface Asked {
  readonly judged: Judged;
  readonly before: Documents | null;
  readonly people: People;
  readonly until: number | null;
}

/**
 * 6. The identity of that time signed it, under documents that the acts give; it has the digest that the log names, and its statement is
 * what its bytes say. @throws Fault ERR_ENVELOPE_*, ERR_STATEMENT_*, ERR_TX_*, ERR_PROOF
 */
export async function readRequest(
  proof: Proof,
  acts: readonly Applied[],
  { receipt }: Logged,
  decode: Decode,
): Promise<Asked> {
  const { aud, iat } = claimsOf(proof.request);
  const [audience = ""] = aud;
  const charters = acts.map(({ charter }) => charter);
  // An identity that the acts name, or, as of an act, the one that a rotation names as the next.
  const known = [proof.founder, ...charters.map(({ hsm }) => hsm), ...nextOf(proof.request)];
  const keyOf = (kid: string) => known.find((key) => thumbprint(key) === kid);
  const { payload, bytes } = await openEnvelope(proof.request, { type: REQUEST, keyOf, audience, now: iat });
  const digest = requestDigest(bytes);
  if (payload.request !== receipt.request || digest !== receipt.digest)
    throw wrong("the log is about another request than this one");
  const isNext = payload.verb === "ROTATE" && payload.iss === thumbprint(payload.change.to);
  const signs = (hsm: PublicJwk) => isNext || payload.iss === thumbprint(hsm);
  if (payload.verb === "FOUND") {
    if (!signs(proof.founder)) throw wrong("another identity asked for the founding than the one that signed it");
    if (!isSame(payload, referencesOf(applyMotion(motionOf(payload), null))))
      throw wrong("the founding names other documents than it makes");
    return { judged: judge(payload, digest, decode), before: null, people: payload.change.people, until: null };
  }
  const holds = ({ charter }: Applied) => isSame(payload, referencesOf(charter)) && signs(charter.hsm);
  const at = acts.findIndex(holds);
  const [begin, ...later] = acts.slice(at);
  if (at < 0 || begin === undefined)
    throw wrong("it goes by a policy, people or an identity that the acts do not give");
  if (payload.iat < begin.act.iat - CLOCK_BACK) throw wrong("it is older than the documents that it goes by");
  const before = begin.charter;
  const until = later.find((one) => !holds(one))?.act.iat ?? null;
  return { judged: judge(payload, digest, decode), before, people: before.people, until };
}

/** The identity that a rotation names as the next: it may ask for itself, and the devices carry it. */
function nextOf(request: string): PublicJwk[] {
  const claimed = v.safeParse(v.object({ verb: v.literal("ROTATE"), change: CHANGES.ROTATE }), payloadOf(request));
  return claimed.success ? [claimed.output.change.to] : [];
}

/** The statement from the bytes, where the request says the same of them. */
function judge(payload: RequestPayload, digest: string, decode: Decode): Judged {
  if (!isTransfer(payload)) return { payload, digest, statement: motionStatementOf(payload, digest) };
  const { amount, asset, to, maxFee, nonce } = decode(payload);
  const done: Effect = { amount, asset, to, maxFee, nonce };
  if (JSON.stringify(done) !== JSON.stringify(payload.effect)) throw wrong("its bytes do something else than it says");
  return { payload, digest, statement: statementOf(payload, done, digest) };
}

function isSame(one: Pick<RequestPayload, "policy" | "people">, other: Pick<RequestPayload, "policy" | "people">) {
  const parts = ({ policy, people }: typeof one) => [policy.n, policy.digest, people.n, people.digest];
  return JSON.stringify(parts(one)) === JSON.stringify(parts(other));
}

/** 8. The proposal is the one that the log names, and what the request was made from. @throws Fault ERR_ENVELOPE_*, ERR_PROOF */
export async function requireProposal(
  { proposal }: Proof,
  { proposed }: Logged,
  { judged, people }: Asked,
): Promise<void> {
  const { payload } = judged;
  const of = proposal === null ? null : sha256Hex(new TextEncoder().encode(proposal));
  if (proposed.of !== of || proposed.person !== payload.initiator) throw wrong("the log names another proposal");
  await checkProposal(proposal, payload, people);
}

/** 11. The transaction is exactly the request's bytes, signed by the vault's key, and has the hash that the log names. @throws Fault ERR_TX_MALFORMED, ERR_HSM_SIGNATURE, ERR_PROOF */
export function checkTransaction({ signed }: Proof, payload: RequestPayload, { hash }: Receipt): string | null {
  if (signed === null && hash === null) return null;
  const [unsigned = ""] = isTransfer(payload) ? payload.sign : [];
  if (signed === null || !isTransfer(payload)) throw wrong("the signed transaction is missing");
  if (checkSigned(unsigned, signed, payload.vault.publicKey) !== hash) throw wrong("the log names another transaction");
  return hash;
}

function wrong(what: string): Fault {
  return new Fault("ERR_PROOF", what);
}
