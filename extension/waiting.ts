/** Which requests wait for this person's decision. Pure. What is final is said by the agent's receipts, never by our clock. */
import type { RequestState } from "../protocol/message.ts";
import type { Mine, StoredRequest } from "./store.ts";

/** The state as far as it is known here. */
export function stateOf(request: StoredRequest): RequestState {
  return isUntold(request) ? "void" : (request.receipt?.state ?? "pending");
}

/** It ended with a RESTORE, and no receipt has come since: the agent is asked, who may know that it goes on, or nothing of it. */
export function isUntold({ restored, receipt }: StoredRequest): boolean {
  return restored !== undefined && (receipt?.n ?? 0) === 0;
}

/** True until a receipt has said how it ended. */
export function isOpen(request: StoredRequest): boolean {
  const state = stateOf(request);
  return state === "proposed" || state === "pending" || state === "approved";
}

/** This person's decision of that kind that the agent has not refused. */
export function standing(request: StoredRequest, kind: Mine["kind"]): Mine | undefined {
  return request.mine.find((mine) => mine.kind === kind && mine.refusal === null);
}

/** True while `name` is asked and can still decide. `now` in seconds. */
export function isWaiting(request: StoredRequest, name: string | null, now: number): boolean {
  const state = stateOf(request);
  const isAsked = name !== null && request.payload.quorum.people.includes(name);
  const decided =
    request.mine.some((mine) => mine.refusal === null) ||
    (request.receipt?.records ?? []).some((record) => record.person === name);
  // A drill goes on after its quorum, until everybody has answered.
  const isAsking =
    state === "pending" || state === "proposed" || (state === "approved" && request.payload.verb === "DRILL");
  return isAsking && request.payload.exp > now && isAsked && !decided;
}
