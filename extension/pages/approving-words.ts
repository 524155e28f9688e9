/**
 * What the approvals of a request bring about, and how it ended, in sentences: a transfer is signed, a change comes into force, a drill
 * is done. Pure.
 */
import type { Documents } from "../../protocol/governance.ts";
import type { RequestState } from "../../protocol/message.ts";
import { isTransfer, type RequestPayload } from "../../protocol/request.ts";
import type { StoredRequest } from "../store.ts";
import { CARRIED_OUT } from "./carried-out.ts";
import { momentOf } from "./clock.ts";
import { reasonClause } from "./wording.ts";

/** After "One more approval" or "Your approval": what the last one does. */
export function doesIt(payload: RequestPayload): string {
  if (isTransfer(payload)) return "signs it";
  return payload.verb === "DRILL" ? "completes the drill" : "puts it in force";
}

/** Enough people have approved. `now` in seconds; `asked`: this person has not answered yet. */
export function enoughSentence(payload: RequestPayload, now: number, asked = false): string {
  if (isTransfer(payload)) return "Enough people have approved; the HSM signs it next.";
  if (payload.notBefore !== null && payload.notBefore > now)
    return `Enough people have approved. As a recovery it takes effect at ${momentOf(payload.notBefore).local} at the earliest; until then it can be stopped.`;
  if (payload.verb !== "DRILL") return "Enough people have approved; it takes effect next.";
  return asked
    ? "Enough people have answered. Answer as well: your device is to be tried, too."
    : "Enough people have answered. The drill goes on until all have, or its time is up.";
}

/** It has its approvals, and this person's rejection is on its way. */
export function rejectedSentence(payload: RequestPayload): string {
  return `Your rejection ends it, if the agent has it before ${isTransfer(payload) ? "the HSM signs" : "it takes effect"}.`;
}

interface Known {
  /** What this browser knows to be in force; null where nothing is. */
  readonly inForce: Documents | null;
  /** The receipt names enough approvals. */
  readonly enough: boolean;
}

/** How a request that is over ended. */
export function endSentence(
  state: RequestState,
  stored: StoredRequest,
  now: number,
  { inForce, enough }: Known,
): string {
  const { payload, receipt } = stored;
  const nothing = isTransfer(payload) ? "Nothing was signed" : "Nothing changed";
  const proposer = payload.initiator ?? "the operator";
  const again = `${proposer} can propose it again`;
  const by = receipt?.records.find((record) => record.kind === "rejection");
  switch (state) {
    case "proposed":
    case "pending":
      return "It waits for approvals.";
    case "approved":
      return enoughSentence(payload, now);
    case "signed":
      return isTransfer(payload)
        ? `The HSM has signed it. ${payload.initiator} can now send it to ${payload.network.name}.`
        : "The HSM has signed it.";
    case "enacted":
      return enactedSentence(payload);
    case "rejected":
      return by === undefined
        ? `It was rejected. ${nothing}.`
        : `Rejected by ${by.person}: ${reasonClause(by.reason)}. ${nothing}.`;
    case "cancelled":
      return `Cancelled by ${proposer}, who proposed it. ${nothing}.`;
    case "expired":
      // Only the agent knows: whoever keeps its receipts back must not have a payment made twice.
      return receipt?.state === "expired"
        ? `It expired on ${momentOf(payload.exp).local} ${expiredBefore(payload, enough)}; ${again}.`
        : `Its time was up on ${momentOf(payload.exp).local}, by this computer's clock; how it ended is not known here, because the agent's receipt has not come. Ask your operator before ${proposer === "the operator" ? "it is proposed" : `${proposer} proposes it`} again.`;
    case "void":
      if (stored.restored !== undefined) return restoredSentence(payload, stored.restored.was);
      if (isOvertaken(payload, inForce))
        return `The policy or the people changed after it was proposed, so it no longer counts. ${nothing}; ${again}.`;
      return isTransfer(payload)
        ? `It no longer counts: the policy or the people changed, or the agent went back to an older record, and then it may have been signed before. Ask your operator before ${proposer} proposes it again.`
        : `The policy or the people changed after it was proposed, or the agent went back to an older record, so it no longer counts. ${nothing}; ${again}.`;
    case "failed":
      return isTransfer(payload)
        ? "The HSM could not sign it. Nothing was released; call your operator."
        : "It could not be put in force. Nothing changed; call your operator.";
  }
}

/** Of what enough people had approved the HSM may have signed what nobody was handed, and what was then forgotten. */
function expiredBefore(payload: RequestPayload, enough: boolean): string {
  if (!enough)
    return `before enough people approved. ${isTransfer(payload) ? "Nothing was signed" : "Nothing changed"}`;
  return isTransfer(payload) ? "before a signed transaction was handed out" : "before it took effect. Nothing changed";
}

/**
 * Acts are not given up, and each is applied here in its turn: where a later document is in force, that is why it ended. Where none is, the
 * act may be on its way, or kept back, and may be a RESTORE.
 */
function isOvertaken({ policy, people }: RequestPayload, inForce: Documents | null): boolean {
  return inForce !== null && (policy.n < inForce.policy.n || people.n < inForce.people.n);
}

/** What the state alone does not say, for a list; empty where that is nothing. */
export function doubtWords(state: RequestState, { payload, receipt, restored }: StoredRequest): string {
  if (!isTransfer(payload)) return "";
  if (state === "expired" && receipt?.state !== "expired") return "no receipt yet";
  return state === "void" && restored !== undefined ? "may have been signed" : "";
}

/**
 * It ended when the agent went back to an older record. What that record does not know may have been signed, and sent, all the same: two
 * payments for one are worse than a question.
 */
function restoredSentence(payload: RequestPayload, was: RequestState): string {
  if (!isTransfer(payload))
    return `The agent went back to an older record, and this ended with that. ${payload.initiator ?? "The operator"} can propose it again.`;
  const again = `before ${payload.initiator} proposes it again`;
  return was === "signed"
    ? `The HSM had signed it, and then the agent went back to an older record. It may have been sent, or can still be: ask your operator ${again}.`
    : `The agent went back to an older record, and this ended with that. It may have been signed in between: ask your operator ${again}.`;
}

function enactedSentence({ verb }: RequestPayload): string {
  switch (verb) {
    case "DRILL":
      return "Enough people answered: a quorum can be reached today. Nothing was moved.";
    case "UNFREEZE":
      return "The freeze is lifted.";
    case "RESTORE":
      return "The agent goes on from the record that was approved.";
    case "FOUND":
      return "It is in force: everything works from now on.";
    case "SEND":
    case "ENROLL":
    case "REMOVE":
    case "POLICY":
    case "ROTATE":
      return "It is in force.";
  }
}

/** Why a person sees a request that they do not decide on; empty where the code says something else. */
export function onlyReading(code: string, payload: RequestPayload, roles: readonly string[]): string {
  if (code === CARRIED_OUT.code) return CARRIED_OUT.message;
  if (code === "ERR_APPROVAL_INITIATOR") return "You proposed this yourself, so others have to approve it.";
  if (code !== "ERR_APPROVAL_NOT_ELIGIBLE") return "";
  const who = `Those who decide: ${payload.quorum.people.join(", ")}.`;
  if (!isTransfer(payload) && payload.notBefore !== null && roles.includes("admin"))
    return `You do not decide on this recovery, and as an admin you can stop it: reject it. ${who}`;
  return roles.includes("auditor")
    ? `You see this as an auditor; nothing is needed from you. ${who}`
    : `You are not among those who decide on this; nothing is needed from you. ${who}`;
}
