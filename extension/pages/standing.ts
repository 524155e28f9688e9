/**
 * Where a request stands, for one reader: who has approved, who is needed, what this person may do now, and, once it is over,
 * the sentence that says how. From the request, its newest verified receipt, this person's own messages and the time. Pure.
 */
import type { ErrorCode } from "../../protocol/error.ts";
import type { Documents } from "../../protocol/governance.ts";
import type { RequestRecord, RequestState } from "../../protocol/message.ts";
import { isTransfer, type RequestPayload } from "../../protocol/request.ts";
import type { Vendor, VendorDemand } from "../../protocol/vendor.ts";
import type { Mine, Problem, StoredRequest } from "../store.ts";
import { stateOf } from "../waiting.ts";
import { doesIt, endSentence, enoughSentence, rejectedSentence } from "./approving-words.ts";
import { missingOf, onWords } from "./demands.ts";
import { askedWords } from "./wording.ts";

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
  /** The same for a list: "you approved, not received yet"; empty where it is nothing. */
  readonly didWords: string;
  readonly mayApprove: boolean;
  readonly mayReject: boolean;
  /** The newest refusal of one of this person's messages. */
  readonly refusal: Problem | null;
}

const KINDS = { approved: "approval", withdrew: "withdrawal", rejected: "rejection" } as const;

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
  // The record of acts that this browser has may be behind: nothing is asked of a device meanwhile.
  "ERR_CHARTER",
  "ERR_FROZEN",
  // The agent's log is what is wrong, and every page says so.
  "ERR_LOG",
  // It is over, whether or not its receipt is here.
  "ERR_REQUEST_STATE",
]);

/** True where the request itself is wrong: it must not be signed by anybody. */
export function isAlarming(problem: Problem | null): problem is Problem {
  return problem !== null && !NOT_FOR_ME.has(problem.code);
}

/**
 * True where a request names the numbers of the documents in force and other documents: then this browser is not behind, and somebody
 * made documents of their own.
 */
export function contradicts(
  problem: Problem | null,
  payload: Pick<RequestPayload, "policy" | "people">,
  inForce: Documents | null,
): problem is Problem {
  if (problem?.code !== "ERR_CHARTER" || inForce === null) return false;
  return payload.policy.n === inForce.policy.n && payload.people.n === inForce.people.n;
}

/**
 * Approved, and still open: a recovery until its moment, when it can be stopped; a drill until everybody has answered, since every
 * device is to be tried.
 */
function lingers(payload: RequestPayload, recorded: RequestState): boolean {
  return recorded === "approved" && !isTransfer(payload) && (payload.verb === "DRILL" || payload.notBefore !== null);
}

/** `me` is this person's name, `roles` their roles; `inForce` tells why a request is void. `now` in seconds. */
export function standingOf(
  stored: StoredRequest,
  me: string,
  now: number,
  roles: readonly string[] = [],
  inForce: Documents | null = null,
): Standing {
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
  const recorded = stateOf(stored);
  const lingering = lingers(payload, recorded);
  const waits = recorded === "proposed" || recorded === "pending" || recorded === "approved";
  const state = waits && payload.exp <= now ? "expired" : recorded;
  // Until it is signed or in force a stop still wins; what is approved may wait long, of a frozen vault for days.
  const stoppable = waits && state !== "expired";
  const open = stoppable && (recorded !== "approved" || lingering);
  const refusal = newest(stored.mine.filter((mine) => mine.refusal !== null))?.refusal ?? null;
  const eligible = payload.quorum.people.includes(me);
  // A recovery is for the day when the admins cannot decide: one who can may stop it.
  const mayStop =
    !isTransfer(payload) && payload.notBefore !== null && roles.includes("admin") && payload.initiator !== me;
  const barred = refusal !== null && FINAL_REFUSALS.has(refusal.code);
  return {
    state,
    open,
    sentence: open
      ? waitingSentence({ payload, used, waitingFor, me, did, mine: ownVendor(stored), now })
      : state === "approved" && did === "rejected"
        ? rejectedSentence(payload)
        : endSentence(state, stored, now, { inForce, enough: missing.count === 0 }),
    approvals,
    waitingFor,
    withdrawn,
    stillNeeded: missing.count,
    stillNeededOn: missing.kinds,
    did,
    didWords: didWords(did, stored, records, me, open),
    mayApprove:
      open &&
      eligible &&
      did === "nothing" &&
      !barred &&
      stored.problem === null &&
      (!lingering || payload.verb === "DRILL"),
    mayReject: stoppable && (eligible || mayStop) && did !== "rejected",
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
  readonly now: number;
}

function waitingSentence({ payload, used, waitingFor, me, did, mine, now }: Waiting): string {
  const missing = missingOf(payload.quorum, used);
  if (did === "rejected") return "Your rejection ends it as soon as the agent has it.";
  if (missing.count === 0) return enoughSentence(payload, now, waitingFor.includes(me) && did === "nothing");
  if (missing.count > waitingFor.length)
    return "Too few people are left who could approve it: it will expire. It can be proposed again.";
  const others = waitingFor.filter((person) => person !== me);
  if (did === "approved" && waitingFor.includes(me)) {
    const after = missingOf(payload.quorum, [...used, mine]);
    return after.count === 0
      ? "Your approval is on its way; it is the last one needed."
      : `Your approval is on its way; after it, ${countOf(after.count)} needed${onWords(after)}, from ${askedWords(others, after.count)}.`;
  }
  const asked = waitingFor.includes(me) && did === "nothing";
  const [kind] = missing.kinds;
  if (missing.count === 1 && asked) {
    return `Your approval${kind === undefined ? "" : ` on a ${kind.vendor}`} ${doesIt(payload)}: one more is needed.`;
  }
  const who = askedWords(asked ? ["you", ...others] : others, missing.count);
  return missing.count === 1
    ? `One more approval ${doesIt(payload)}${onWords(missing)}: ${who}.`
    : `${missing.count} more approvals are needed${onWords(missing)}, from ${who}.`;
}

function ownVendor({ mine }: StoredRequest): Vendor | null {
  return newest(mine.filter(({ kind, refusal }) => kind === "approval" && refusal === null))?.vendor ?? null;
}

function countOf(approvals: number): string {
  return approvals === 1 ? "one more approval is" : `${approvals} more approvals are`;
}

function deedOf(stored: StoredRequest, records: readonly RequestRecord[], me: string): Standing["did"] {
  const counts = (kind: Mine["kind"]) =>
    stored.mine.some((mine) => mine.kind === kind && mine.refusal === null) ||
    records.some((record) => record.kind === kind && record.person === me);
  if (counts("rejection")) return "rejected";
  if (counts("withdrawal")) return "withdrew";
  return counts("approval") ? "approved" : "nothing";
}

function didWords(
  did: Standing["did"],
  { mine }: StoredRequest,
  records: readonly RequestRecord[],
  me: string,
  open: boolean,
): string {
  if (did === "nothing") return "";
  const kind = KINDS[did];
  const isReceived =
    mine.some((one) => one.kind === kind && one.received) ||
    records.some((record) => record.kind === kind && record.person === me);
  return isReceived ? `you ${did}` : `you ${did}, not received${open ? " yet" : ""}`;
}

/** One record a person: a quorum counts people. */
function firstOfEach(records: readonly RequestRecord[]): RequestRecord[] {
  return records.filter((record, at) => records.findIndex((other) => other.person === record.person) === at);
}

function newest(mine: readonly Mine[]): Mine | undefined {
  return [...mine].sort((a, b) => b.at - a.at)[0];
}
