/**
 * Drives a request from its durable state to the next: nothing is remembered outside the record, so that a restart goes on
 * exactly where it was. "When can a signature be made?" is answered by recheck.ts and what it asks.
 */
import { hexToBytes } from "@noble/hashes/utils.js";
import { missingOf } from "../protocol/approving.ts";
import { signPayload } from "../protocol/envelope.ts";
import { Fault, isFault } from "../protocol/error.ts";
import { isTransfer, REQUEST } from "../protocol/request.ts";
import { ethereum } from "./chains/ethereum.ts";
import { type Consequence, type Desk, NOTHING } from "./desk.ts";
import { enact } from "./enact.ts";
import { isFrozen } from "./freeze.ts";
import { signRecoverable } from "./hsm/signer.ts";
import { openMandate, requireMandate } from "./mandate.ts";
import { backToPending, collect, hasQuorum, recheck, requireRow } from "./recheck.ts";
import { isOpen, nextState, OPEN_STATES } from "./requests.ts";
import { waitsForRestore } from "./restoring.ts";
import { type RequestRow } from "./rows.ts";
import { stopRequest } from "./stops.ts";
import { readBack } from "./verify.ts";

/** Ends every request whose time has come: open, or signed and never handed out; on an older record none but what leads on. Returns their ids. */
export function expireRequests(desk: Desk): string[] {
  const { journal } = desk;
  return journal.transaction(() => {
    const over = [...journal.requests(OPEN_STATES, desk.now()), ...journal.unreleased(desk.now())];
    const due = over.filter((row) => !waitsForRestore(desk, row));
    for (const row of due) expire(desk, row);
    return due.map(({ id }) => id);
  });
}

/** A drill that has its quorum did what it is for, although not everybody answered. */
function expire(desk: Desk, row: RequestRow): void {
  if (row.verb === "DRILL" && row.state === "approved" && isStillApproved(desk, row))
    desk.journal.changeRequest(row.id, { state: nextState(row.state, "enacted") });
  else stopRequest(desk, row, "expired");
}

/** Whether the quorum of a drill stands: an approval may have been taken back just before its end. Each was verified when it came, and nothing moves. */
function isStillApproved({ journal }: Desk, row: RequestRow): boolean {
  const records = journal.records(row.id);
  const stopped = new Set(records.filter(({ kind }) => kind !== "approval").map(({ person }) => person));
  const standing = records.flatMap(({ person, vendor, address }) =>
    stopped.has(person) || vendor === null || address === null ? [] : [{ name: person, vendor, address }],
  );
  return missingOf(readBack(row).payload, standing) === undefined;
}

/** Approved recoveries whose delay is over: what waits for nothing but time; and an approved RESTORE once enough people were heard. */
export function dueRecoveries(desk: Desk): string[] {
  const now = desk.now();
  const approved = desk.journal.requests(["approved"]);
  const isDue = ({ notBefore, verb }: RequestRow) =>
    (notBefore !== null && notBefore <= now) || (verb === "RESTORE" && desk.witnesses.isHeard);
  return approved.filter(isDue).map(({ id }) => id);
}

/** Does all that can be done for one request now, one durable step after the other. Rejects where the HSM is away. */
export async function advance(desk: Desk, id: string): Promise<Consequence> {
  let consequence = NOTHING;
  for (;;) {
    const row = desk.journal.request(id);
    if (row === undefined) throw new Fault("ERR_REQUEST_UNKNOWN", `There is no request ${id}.`);
    if (isOpen(row.state) && row.expires <= desk.now()) {
      if (waitsForRestore(desk, row)) return consequence;
      desk.journal.transaction(() => expire(desk, row));
      continue;
    }
    const stepped = await step(desk, row);
    if (stepped === false) return consequence;
    if (stepped !== true) consequence = stepped;
  }
}

/** One step of an open request; false where it waits for people or is at its end, and what follows where it took effect. */
async function step(desk: Desk, row: RequestRow): Promise<boolean | Consequence> {
  switch (row.state) {
    case "proposed":
      if (waitsForRestore(desk, row)) return false;
      await issueRequest(desk, row);
      return true;
    case "pending":
      return await recordIntent(desk, row);
    case "approved":
      if (row.verb !== "SEND") return await enact(desk, row);
      // What is frozen waits, with its approvals; it goes on by itself when the admins lift that. So does all while this may be an old record.
      if (row.vault === null) return false;
      // An approval that was taken back counts no more, while it waits either.
      if (isFrozen(desk.journal, row.vault) || !desk.witnesses.isCurrent)
        return backToPending(desk, row, await collect(desk, row));
      await signTransaction(desk, row);
      return true;
    case "signed":
    case "enacted":
    case "rejected":
    case "cancelled":
    case "expired":
    case "void":
    case "failed":
      return false;
  }
}

async function issueRequest(desk: Desk, row: RequestRow): Promise<void> {
  const { payload } = readBack(row);
  requireMandate(desk, row, payload, await openMandate(desk, row));
  const jws = await signPayload(REQUEST, row.payload, desk.identity.signer);
  desk.journal.transaction(() => {
    const state = nextState(requireRow(desk, row.id).state, "issued");
    desk.journal.issueRequest(row, state, jws);
    desk.journal.post(payload.jti, payload.aud, jws);
    // With what the others know of the log.
    for (const receiver of payload.aud) desk.journal.oweView(receiver);
  });
  desk.wake();
}

/** With a quorum, the intent to sign becomes durable, in the transaction that counts it. */
async function recordIntent(desk: Desk, row: RequestRow): Promise<boolean> {
  const collected = await collect(desk, row);
  if (!hasQuorum(desk, row, collected)) return false;
  desk.journal.transaction(() => {
    const now = recheck(desk, row.id, collected, "intent");
    desk.journal.changeRequest(now.id, { state: nextState(now.state, "quorum") });
  });
  return true;
}

/** Signs the same unsigned bytes however often it is begun; at most one signed form is ever stored. */
async function signTransaction(desk: Desk, row: RequestRow): Promise<void> {
  const collected = await collect(desk, row);
  if (backToPending(desk, row, collected)) return;
  const { payload } = readBack(recheck(desk, row.id, collected));
  if (!isTransfer(payload)) throw new Fault("ERR_STATE", "A vault's key signs transfers only. Nothing is signed.");
  const [unsigned = ""] = payload.sign;
  const publicKey = hexToBytes(payload.vault.publicKey);
  let signed: { raw: string; hash: string };
  try {
    const key = { id: payload.vault.id, curve: "secp256k1", publicKey } as const;
    signed = ethereum.finish(unsigned, await signRecoverable(desk.hsm, key, ethereum.digest(unsigned)), publicKey);
  } catch (error) {
    if (!isFault(error, "ERR_HSM_SIGNATURE") && !isFault(error, "ERR_HSM_KEY_MISSING")) throw error;
    desk.journal.transaction(() => stopRequest(desk, requireRow(desk, row.id), "failed", error.message));
    return;
  }
  desk.journal.transaction(() => {
    const now = recheck(desk, row.id, collected);
    desk.journal.changeRequest(now.id, {
      state: nextState(now.state, "signed"),
      signed: signed.raw,
      hash: signed.hash,
    });
  });
}
