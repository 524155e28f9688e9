/**
 * Do a request's messages carry the state that the log says it has? README.md, "Verifying a proof", steps 9 and 10. Pure but for WebCrypto.
 */
import { type Approver, checkApproval, type Judged, missingOf } from "./approving.ts";
import { type Applied } from "./charter.ts";
import { type Claims, type MessageType, openEnvelope } from "./envelope.ts";
import { Fault } from "./error.ts";
import { type Entry, type Receipt } from "./log-entry.ts";
import { APPROVAL, CANCELLATION, REJECTION, type RequestRecord, WITHDRAWAL } from "./message.ts";
import { findOwner, type People } from "./people.ts";
import { claimsOf } from "./proof-form.ts";
import { isTransfer, type RequestPayload } from "./request.ts";

export type ActEntry = Extract<Entry, { kind: "act" }>;

/** After a restart the agent's clock may be behind by so much (README.md, "Time"). Seconds. */
export const CLOCK_BACK = 60;
/** From when an act says that it was signed until it is in force: the HSM's time, and `CLOCK_BACK`. Seconds. */
const ACT_TIME = 300;

/**
 * 9. Each record was made from its message, which opens under a key of that person and is for this request. Returns whose approvals count:
 * of different people, and of nobody who withdrew or rejected.
 * @throws Fault ERR_ENVELOPE_*, ERR_APPROVAL_*, ERR_PROOF
 */
export async function checkAnswers(
  messages: readonly string[],
  receipt: Receipt,
  judged: Judged,
  people: People,
): Promise<Approver[]> {
  const { records } = receipt;
  if (messages.length !== records.length) throw wrong("it has not one message for each record");
  if (new Set(records.map(({ of }) => of)).size !== records.length) throw wrong("one message is counted twice");
  const approvers: Approver[] = [];
  for (const [at, record] of records.entries()) {
    if (record.at > receipt.at + CLOCK_BACK) throw wrong("a record is later than the state that has it");
    if (record.at < judged.payload.iat - CLOCK_BACK) throw wrong("a record is older than its request");
    const approver = await checkAnswer(messages[at] ?? "", record, judged, people);
    if (approver === null) continue;
    if (approvers.some(({ name }) => name === approver.name))
      throw new Fault("ERR_APPROVAL_DUPLICATE", `${approver.name} is counted twice`);
    approvers.push(approver);
  }
  const stopped = records.filter(({ kind }) => kind !== "approval").map(({ person }) => person);
  return approvers.filter(({ name }) => !stopped.includes(name));
}

async function checkAnswer(jws: string, record: RequestRecord, judged: Judged, people: People) {
  const { payload } = judged;
  const kind = record.kind === "cancellation" ? "files" : "extensions";
  const keyOf = (kid: string) => {
    const owner = findOwner(people, kid);
    return owner?.kind === kind && owner.member.name === record.person ? owner.key : undefined;
  };
  const open = async <T extends Claims & { request: string; digest?: string }>(type: MessageType<T>) => {
    // An approval is opened as of when it was recorded. A stop counts also where it came late.
    const now = record.kind === "approval" ? record.at : claimsOf(jws).iat;
    const opened = (await openEnvelope(jws, { type, keyOf, audience: payload.iss, now })).payload;
    if (
      opened.jti !== record.of ||
      opened.request !== payload.request ||
      (opened.digest ?? judged.digest) !== judged.digest
    )
      throw wrong(`the ${record.kind} by ${record.person} is not the one that its record names`);
    return opened;
  };
  const requireFacts = (vendor: string | null, address: string | null, reason: string | null) => {
    if (record.vendor !== vendor || record.address !== address || record.reason !== reason)
      throw wrong(`the ${record.kind} by ${record.person} is recorded otherwise than it was made`);
  };
  switch (record.kind) {
    case "approval": {
      if (record.at >= payload.exp) throw wrong(`the approval by ${record.person} came after the request's end`);
      const approver = checkApproval(await open(APPROVAL), judged, people);
      requireFacts(approver.vendor, approver.address, null);
      return approver;
    }
    case "rejection":
      if (!mayReject(payload, record.person, people)) throw wrong(`${record.person} may not reject this`);
      requireFacts(null, null, (await open(REJECTION)).reason);
      return null;
    case "withdrawal":
      await open(WITHDRAWAL);
      requireFacts(null, null, null);
      return null;
    case "cancellation":
      if (record.person !== payload.initiator) throw wrong(`${record.person} did not propose this, and cancels it`);
      await open(CANCELLATION);
      requireFacts(null, null, null);
      return null;
  }
}

/** Who decides may reject; of a recovery every admin, and of a REMOVE not the person whom it is about. */
function mayReject(payload: RequestPayload, person: string, people: People): boolean {
  if (payload.verb === "REMOVE" && payload.change.name === person) return false;
  if (payload.quorum.people.includes(person)) return true;
  const isAdmin = people.members.some(({ name, roles }) => name === person && roles.includes("admin"));
  return isAdmin && !isTransfer(payload) && payload.notBefore !== null;
}

/** What step 10 judges the state by. `acts`: those of the file; `until`: when one of them ended what the request went by, or null. */
export interface Outcome {
  readonly judged: Judged;
  readonly receipt: Receipt;
  readonly approvers: readonly Approver[];
  readonly act: ActEntry | null;
  readonly acts: readonly Applied[];
  readonly until: number | null;
}

/** 10. The state follows from the answers, and of a change the act is the request's. @throws Fault ERR_QUORUM, ERR_PROOF */
export function checkOutcome({ judged: { payload }, receipt, approvers, act, acts, until }: Outcome): void {
  const { state, hash } = receipt;
  if (state === "proposed") throw wrong("a request that was only proposed was never asked for");
  const isDone = state === "signed" || state === "enacted";
  if (isDone || state === "approved") {
    const missing = missingOf(payload, approvers);
    if (missing !== undefined) throw new Fault("ERR_QUORUM", missing);
    // What was open then became void with that act. For a request that is an act itself step 2 asked this.
    if (act === null && until !== null && receipt.at > until + ACT_TIME)
      throw wrong("its policy, people or identity had been replaced");
  }
  if (isDone && isTransfer(payload) !== (state === "signed")) throw wrong("this kind of request has no such end");
  requireStops(receipt);
  // The agent looks at its clock just before the entry does: the second may turn between the two.
  if (state === "signed" && receipt.at > payload.exp) throw wrong("it was signed after its time");
  if (state === "expired" && receipt.at < payload.exp) throw wrong("it expired before its time");
  if ((hash !== null) !== (state === "signed")) throw wrong("only what is signed has a hash");
  const isAct = state === "enacted" && payload.verb !== "DRILL";
  if ((act !== null) !== isAct) throw wrong("only a change that took effect is an act");
  if (act !== null) requireAct(act, payload, acts);
}

/** A rejection or a cancellation ends its request: each is the last that was answered, and leads to that state and no other. */
function requireStops({ state, records }: Receipt): void {
  for (const [kind, end] of [
    ["rejection", "rejected"],
    ["cancellation", "cancelled"],
  ] as const) {
    const at = records.findIndex((record) => record.kind === kind);
    if (at < 0 && state === end) throw wrong(`nobody ${end} it`);
    if (at >= 0 && (state !== end || at < records.length - 1)) throw wrong(`a ${kind} ends it, and it went on`);
  }
}

function requireAct(entry: ActEntry, payload: RequestPayload, acts: readonly Applied[]): void {
  const applied = acts[entry.n - 1];
  const same =
    applied?.charter.head === entry.head &&
    entry.verb === payload.verb &&
    applied.act.request === JSON.stringify(payload);
  if (!same) throw wrong("the act is not this request's");
}

function wrong(what: string): Fault {
  return new Fault("ERR_PROOF", what);
}
