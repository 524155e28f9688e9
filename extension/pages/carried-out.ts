/**
 * Whether the acts that this browser has verified say that a request took effect, although its receipt is not here yet: the one comes
 * in a message of its own, and a bridge may drop the other. Pure.
 */
import type { Charter } from "../../protocol/charter.ts";
import { type DocumentReference, type Documents, referencesOf } from "../../protocol/governance.ts";
import { isTransfer, type RequestPayload } from "../../protocol/request.ts";
import type { Problem } from "../store.ts";
import { isSame } from "./consequence.ts";

interface References {
  readonly policy: DocumentReference;
  readonly people: DocumentReference;
}

/** `after`: the documents that it makes, as they were checked while it was open; null where that was not here. */
export function isCarriedOut(payload: RequestPayload, charter: Charter | null, after: Documents | null): boolean {
  if (charter === null || isTransfer(payload)) return false;
  if (charter.spent.includes(payload.request)) return true;
  const named = { policy: payload.policy, people: payload.people };
  const now = referencesOf(charter);
  // A founding names what it makes itself.
  if (payload.verb === "FOUND") return isEqual(named, now);
  if (after === null) return false;
  const made = referencesOf(after);
  return !isEqual(made, named) && isEqual(made, now);
}

/** Until the receipt is here, nobody is asked for anything more. */
export const CARRIED_OUT: Problem = {
  code: "ERR_REQUEST_STATE",
  message: "It has taken effect; the agent's receipt is on its way.",
};

function isEqual(one: References, other: References): boolean {
  return isSame(
    [one.policy.n, one.policy.digest, one.people.n, one.people.digest],
    [other.policy.n, other.policy.digest, other.people.n, other.people.digest],
  );
}
