/**
 * All conditions of a signature or an act, on the record as it is now: the list that verify.ts, requests.ts and freeze.ts are the items
 * of. README.md of protocol/, "Verifying approvals". Asked when the intent is recorded, before the HSM is asked, and again in the
 * transaction that stores what it signed.
 */
import { missingOf } from "../protocol/approving.ts";
import { Fault } from "../protocol/error.ts";
import type { Approval } from "../protocol/message.ts";
import type { People } from "../protocol/people.ts";
import { isTransfer, type RequestPayload } from "../protocol/request.ts";
import type { Desk } from "./desk.ts";
import { requireNotFrozen } from "./freeze.ts";
import { type Mandate, openMandate, requireMandate } from "./mandate.ts";
import { isOpen, nextState } from "./requests.ts";
import { leadsOn } from "./restoring.ts";
import type { RequestRow } from "./rows.ts";
import { countQuorum, openApprovals, peopleFor, readBack, requireQuorum } from "./verify.ts";

/** The approvals of a request, opened, with the people by whom they are judged. */
export interface Collected {
  readonly people: People;
  readonly approvals: readonly Approval[];
  readonly mandate: Mandate;
}

export async function collect(desk: Desk, row: RequestRow): Promise<Collected> {
  const people = peopleFor(readBack(row).payload, desk.charter);
  const approvals = await openApprovals(desk.journal.records(row.id), people, desk.identity.signer.kid);
  return { people, approvals, mandate: await openMandate(desk, row) };
}

/** Throws where the records are not those that were opened. */
export function hasQuorum(desk: Desk, row: RequestRow, { approvals, people }: Collected): boolean {
  const counted = countQuorum(row, desk.journal.records(row.id), approvals, people);
  return missingOf(readBack(row).payload, counted) === undefined;
}

/** Whether approvals were taken back, so that an approved request waits for people again. */
export function backToPending(desk: Desk, row: RequestRow, collected: Collected): boolean {
  if (hasQuorum(desk, row, collected)) return false;
  desk.journal.transaction(() => {
    const now = requireRow(desk, row.id);
    if (hasQuorum(desk, now, collected)) return;
    desk.journal.changeRequest(now.id, { state: nextState(now.state, "withdrawn") });
  });
  return true;
}

/**
 * Throws where one condition does not hold. `step`: an intent may be recorded of what is frozen or untold, a signature is not made.
 * @throws Fault
 */
export function recheck(
  desk: Desk,
  id: string,
  { approvals, people, mandate }: Collected,
  step: "intent" | "effect" = "effect",
): RequestRow {
  const { journal } = desk;
  const row = requireRow(desk, id);
  const { payload } = readBack(row);
  requireSame(row, payload);
  requireDocuments(desk, row, payload);
  requireMandate(desk, row, payload, mandate);
  if (step === "effect" && (row.notBefore ?? 0) > desk.now())
    throw new Fault("ERR_REQUEST_STATE", "A recovery takes effect after its delay. Nothing is changed.");
  const records = journal.records(id);
  requireQuorum(row, records, approvals, people);
  // Whatever the row's state says: a stop that stands among the records was one.
  if (records.some(({ kind }) => kind === "rejection" || kind === "cancellation"))
    throw new Fault("ERR_REQUEST_STATE", "The request was rejected or cancelled. Nothing is signed.");
  if (step === "effect" && desk.untold.has(id))
    throw new Fault(
      "ERR_STATE",
      "The log tells otherwise of this request than the agent's record: an answer was taken out of it. Nothing is signed; propose it again.",
    );
  if (step === "effect" && (isTransfer(payload) || !leadsOn(desk, payload.verb))) desk.witnesses.require();
  // Last, so that a stop wins over a go.
  if (row.expires <= desk.now()) throw new Fault("ERR_REQUEST_EXPIRED", "The request has expired. Nothing is signed.");
  if (step === "effect" && row.vault !== null) requireNotFrozen(journal, row.vault);
  if (!isOpen(row.state)) throw new Fault("ERR_REQUEST_STATE", `The request is ${row.state}. Nothing is signed.`);
  return row;
}

/** The documents in force are those that the payload names; a founding's are its own, and nothing is in force yet. */
function requireDocuments(desk: Desk, row: RequestRow, payload: RequestPayload): void {
  if (payload.verb === "FOUND") {
    if (desk.charter.current !== null)
      throw new Fault("ERR_REQUEST_STATE", "This is founded already. Nothing is changed.");
    return;
  }
  const inForce = desk.charter.references();
  for (const kind of ["policy", "people"] as const) {
    const { n, digest } = inForce[kind];
    if (n !== payload[kind].n || digest !== payload[kind].digest) {
      // A change of documents voids all open requests: an open one here means that the record itself was changed.
      const code = isOpen(row.state) ? "ERR_STATE" : "ERR_REQUEST_STATE";
      throw new Fault(code, `The ${kind} document is not the one that the request names. Nothing is signed.`);
    }
  }
}

/** What the row says beside the payload, it says of this payload: uniqueness of nonces and expiry are judged by the row. */
function requireSame(row: RequestRow, payload: RequestPayload): void {
  const transfer = isTransfer(payload) ? payload : null;
  const same =
    payload.request === row.id &&
    payload.verb === row.verb &&
    (transfer?.vault.name ?? null) === row.vault &&
    (transfer?.network.id ?? null) === row.network &&
    (transfer?.effect.nonce ?? null) === row.nonce &&
    (isTransfer(payload) ? null : payload.notBefore) === row.notBefore &&
    payload.initiator === row.initiator &&
    payload.exp === row.expires;
  if (!same)
    throw new Fault("ERR_STATE", "A stored request is not the one that its row names; the agent's record was changed.");
}

export function requireRow(desk: Desk, id: string): RequestRow {
  const row = desk.journal.request(id);
  if (row === undefined) throw new Fault("ERR_REQUEST_UNKNOWN", `There is no request ${id}.`);
  return row;
}
