/**
 * Where a request stands, for one reader: who has approved, who is needed, what this person may do now, and, once it is over,
 * the sentence that says how. From the request, its newest verified receipt, this person's own messages and the time. Pure.
 */
import type { ErrorCode } from "../../protocol/error.ts";
import type { RequestRecord, RequestState } from "../../protocol/message.ts";
import type { RequestPayload } from "../../protocol/request.ts";
import type { Vendor, VendorDemand } from "../../protocol/vendor.ts";
import type { Mine, Problem, StoredRequest } from "../store.ts";
import { momentOf } from "./clock.ts";
import { missingOf, onWords } from "./demands.ts";
import { listWords, reasonClause } from "./wording.ts";

export interface Standing {
  /** The receipt's state, or `expired` where the time is up and the agent has not said so yet. */
  readonly state: RequestState;
  readonly open: boolean;
  /** How it ended or what it waits for, one sentence or two. */
  readonly sentence: string;
  readonly approvals: readonly RequestRecord[];
  /** Of the quorum's people, those who can still approve. */
  readonly waitingFor: readonly string[];
  /** Those who cancelled while their device asked: they cannot approve any more. */
  readonly withdrawn: readonly string[];
  /** Approvals that are missing, where the quorum asks for vendors more perhaps than its threshold says. */
  readonly stillNeeded: number;
  /** The kinds of device that are still missing among them; empty where any will do. */
  readonly stillNeededOn: readonly VendorDemand[];
  /** What this person did in this request, as far as it was not refused. */
  readonly did: "nothing" | "approved" | "withdrew" | "rejected";
  readonly mayApprove: boolean;
  readonly mayReject: boolean;
  /** The newest refusal of one of this person's messages. */
  readonly refusal: Problem | null;
}

/** After one of these refusals a second signature of the same person cannot help. */
const FINAL_REFUSALS: ReadonlySet<string> = new Set<ErrorCode>([
  "ERR_APPROVAL_NOT_ELIGIBLE",
  "ERR_APPROVAL_INITIATOR",
  "ERR_APPROVAL_DUPLICATE",
  "ERR_APPROVAL_WITHDRAWN",
  "ERR_MEMBER_UNKNOWN",
  "ERR_MEMBER_ROLE",
  "ERR_REQUEST_STATE",
  "ERR_REQUEST_EXPIRED",
]);

/** Why this person does not decide on a request: nothing is wrong with the request itself. */
const NOT_FOR_ME: ReadonlySet<string> = new Set<ErrorCode>([
  "ERR_APPROVAL_INITIATOR",
  "ERR_APPROVAL_NOT_ELIGIBLE",
  "ERR_REQUEST_EXPIRED",
  "ERR_INVITE",
]);

/** True where the request itself is wrong: it must not be signed by anybody. */
export function isAlarming(problem: Problem | null): problem is Problem {
  return problem !== null && !NOT_FOR_ME.has(problem.code);
}

/** `me` is this person's name. `now` in seconds. */
export function standingOf(stored: StoredRequest, me: string, now: number): Standing {
  const { payload } = stored;
  const records = stored.receipt?.records ?? [];
  // As the agent counts: whoever withdrew or rejected after approving does not count any more.
  const stopped = new Set(records.filter(({ kind }) => kind !== "approval").map(({ person }) => person));
  const approvals = firstOfEach(records.filter(({ kind, person }) => kind === "approval" && !stopped.has(person)));
  const did = deedOf(stored, records, me);
  const withdrawn = payload.quorum.people.filter(
    (person) =>
      (person === me && did === "withdrew") ||
      records.some((record) => record.kind === "withdrawal" && record.person === person),
  );
  const waitingFor = payload.quorum.people.filter(
    (person) => !withdrawn.includes(person) && !approvals.some((record) => record.person === person),
  );
  const used = approvals.map(({ vendor }) => vendor);
  const missing = missingOf(payload.quorum, used);
  const recorded = stored.receipt?.state ?? "pending";
  const waits = recorded === "proposed" || recorded === "pending";
  const state = waits && payload.exp <= now ? "expired" : recorded;
  const open = waits && state !== "expired";
  const refusal = newest(stored.mine.filter((mine) => mine.refusal !== null))?.refusal ?? null;
  const eligible = payload.quorum.people.includes(me);
  const barred = refusal !== null && FINAL_REFUSALS.has(refusal.code);
  return {
    state,
    open,
    sentence: open
      ? waitingSentence({ payload, used, waitingFor, me, did, mine: ownVendor(stored) })
      : endSentence(state, payload, stored),
    approvals,
    waitingFor,
    withdrawn,
    stillNeeded: missing.count,
    stillNeededOn: missing.kinds,
    did,
    mayApprove: open && eligible && did === "nothing" && !barred && stored.problem === null,
    mayReject: open && eligible && did !== "rejected",
    refusal,
  };
}

interface Waiting {
  readonly payload: RequestPayload;
  /** The vendors of the approvals that count. */
  readonly used: readonly (Vendor | null)[];
  readonly waitingFor: readonly string[];
  readonly me: string;
  readonly did: Standing["did"];
  /** The vendor of this person's own approval that is on its way. */
  readonly mine: Vendor | null;
}

function waitingSentence({ payload, used, waitingFor, me, did, mine }: Waiting): string {
  const missing = missingOf(payload.quorum, used);
  if (did === "rejected") return "Your rejection ends it as soon as the agent has it.";
  if (missing.count === 0) return "Enough people have approved; the HSM signs it next.";
  if (missing.count > waitingFor.length)
    return "Too few people are left who could approve it: it will expire. It can be proposed again.";
  const others = waitingFor.filter((person) => person !== me);
  if (did === "approved" && waitingFor.includes(me)) {
    const after = missingOf(payload.quorum, [...used, mine]);
    return after.count === 0
      ? "Your approval is on its way; it is the last one needed."
      : `Your approval is on its way; after it, ${countOf(after.count)} needed${onWords(after)}, from ${listWords(others, "or")}.`;
  }
  const asked = waitingFor.includes(me) && did === "nothing";
  const [kind] = missing.kinds;
  if (missing.count === 1 && asked) {
    return `Your approval${kind === undefined ? "" : ` on a ${kind.vendor}`} signs it: one more is needed.`;
  }
  const who = listWords(asked ? ["you", ...others] : others, "or");
  return missing.count === 1
    ? `One more approval signs it${onWords(missing)}: ${who}.`
    : `${missing.count} more approvals are needed${onWords(missing)}, from ${who}.`;
}

function ownVendor({ mine }: StoredRequest): Vendor | null {
  return newest(mine.filter(({ kind, refusal }) => kind === "approval" && refusal === null))?.vendor ?? null;
}

function countOf(approvals: number): string {
  return approvals === 1 ? "one more approval is" : `${approvals} more approvals are`;
}

function endSentence(state: RequestState, payload: RequestPayload, stored: StoredRequest): string {
  const records = stored.receipt?.records ?? [];
  const by = records.find((record) => record.kind === "rejection");
  switch (state) {
    case "proposed":
    case "pending":
      return "It waits for approvals.";
    case "approved":
      return "Enough people have approved; the HSM signs it next.";
    case "signed":
      return `The HSM has signed it. ${payload.initiator} can now send it to ${payload.network.name}.`;
    case "rejected":
      return by === undefined
        ? "It was rejected. Nothing was signed."
        : `Rejected by ${by.person}: ${reasonClause(by.reason)}. Nothing was signed.`;
    case "cancelled":
      return `Cancelled by ${payload.initiator}, who proposed it. Nothing was signed.`;
    case "expired":
      return `It expired on ${momentOf(payload.exp).local} before enough people approved. Nothing was signed; ${payload.initiator} can propose it again.`;
    case "void":
      return `The policy or the people changed after it was proposed, so it no longer counts. Nothing was signed; ${payload.initiator} can propose it again.`;
    case "failed":
      return "The HSM could not sign it. Nothing was released; call your operator.";
  }
}

function deedOf(stored: StoredRequest, records: readonly RequestRecord[], me: string): Standing["did"] {
  const counts = (kind: Mine["kind"]) =>
    stored.mine.some((mine) => mine.kind === kind && mine.refusal === null) ||
    records.some((record) => record.kind === kind && record.person === me);
  if (counts("rejection")) return "rejected";
  if (counts("withdrawal")) return "withdrew";
  return counts("approval") ? "approved" : "nothing";
}

/** One record a person: a quorum counts people. */
function firstOfEach(records: readonly RequestRecord[]): RequestRecord[] {
  return records.filter((record, at) => records.findIndex((other) => other.person === record.person) === at);
}

function newest(mine: readonly Mine[]): Mine | undefined {
  return [...mine].sort((a, b) => b.at - a.at)[0];
}
