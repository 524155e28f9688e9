/**
 * Drives a request from its durable state to the next: nothing is remembered outside the record, so that a restart goes on
 * exactly where it was. This file and verify.ts answer "when can a signature be made?".
 */
import { hexToBytes } from "@noble/hashes/utils.js";
import * as v from "valibot";
import { signPayload } from "../protocol/envelope.ts";
import { Fault, isFault } from "../protocol/error.ts";
import { type Approval, RECEIPT, type RequestRecord } from "../protocol/message.ts";
import { REQUEST, type RequestPayload } from "../protocol/request.ts";
import { ethereum } from "./chains/ethereum.ts";
import { type Desk, issue } from "./desk.ts";
import { signRecoverable } from "./hsm/signer.ts";
import type { People } from "./people.ts";
import { isOpen, nextState, OPEN_STATES, type RequestEvent } from "./requests.ts";
import { type RequestRow } from "./rows.ts";
import { countQuorum, missingOf, openApprovals, readBack, readPeople, requireQuorum } from "./verify.ts";

type Stop = Extract<RequestEvent, "rejected" | "cancelled" | "expired" | "superseded" | "failed">;

/** Ends an open request; its nonce, which was never signed, is free again. Inside a transaction. @throws Fault ERR_REQUEST_STATE */
export function stopRequest(desk: Desk, row: RequestRow, event: Stop, problem: string | null = null): void {
  desk.journal.changeRequest(row.id, { state: nextState(row.state, event), problem });
  desk.journal.freeNonce(row.vault, row.network, row.nonce);
}

/** Ends every open request whose time has come. Returns their ids. */
export function expireRequests(desk: Desk): string[] {
  const { journal } = desk;
  return journal.transaction(() => {
    const due = journal.requests(OPEN_STATES, desk.now());
    for (const row of due) stopRequest(desk, row, "expired");
    return due.map(({ id }) => id);
  });
}

/** Does all that can be done for one request now, one durable step after the other. Rejects where the HSM is away. */
export async function advance(desk: Desk, id: string): Promise<void> {
  for (;;) {
    const row = desk.journal.request(id);
    if (row === undefined) throw new Fault("ERR_REQUEST_UNKNOWN", `There is no request ${id}.`);
    if (isOpen(row.state) && row.expires <= desk.now()) {
      desk.journal.transaction(() => stopRequest(desk, row, "expired"));
    } else if (!(await step(desk, row))) {
      await sendReceipt(desk, id);
      return;
    }
  }
}

/** One step of an open request; false where it waits for people or is at its end. */
async function step(desk: Desk, row: RequestRow): Promise<boolean> {
  switch (row.state) {
    case "proposed":
      await issueRequest(desk, row);
      return true;
    case "pending":
      return await recordIntent(desk, row);
    case "approved":
      await signTransaction(desk, row);
      return true;
    case "signed":
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
  const jws = await signPayload(REQUEST, row.payload, desk.identity.signer);
  desk.journal.transaction(() => {
    const state = nextState(requireRow(desk, row.id).state, "issued");
    desk.journal.issueRequest(row.id, state, jws);
    desk.journal.post(payload.jti, payload.aud, jws);
  });
  desk.wake();
}

/** With a quorum, the intent to sign becomes durable, in the transaction that counts it. */
async function recordIntent(desk: Desk, row: RequestRow): Promise<boolean> {
  const { people, approvals } = await collect(desk, row);
  if (!hasQuorum(desk, row, approvals, people)) return false;
  desk.journal.transaction(() => {
    const now = recheck(desk, row.id, approvals, people);
    desk.journal.changeRequest(now.id, { state: nextState(now.state, "quorum") });
  });
  return true;
}

/** Signs the same unsigned bytes however often it is begun; at most one signed form is ever stored. */
async function signTransaction(desk: Desk, row: RequestRow): Promise<void> {
  const { people, approvals } = await collect(desk, row);
  if (!hasQuorum(desk, row, approvals, people)) {
    desk.journal.transaction(() => {
      const now = requireRow(desk, row.id);
      if (hasQuorum(desk, now, approvals, people)) return;
      desk.journal.changeRequest(now.id, { state: nextState(now.state, "withdrawn") });
    });
    return;
  }
  const checked = recheck(desk, row.id, approvals, people);
  const { payload } = readBack(checked);
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
    const now = recheck(desk, row.id, approvals, people);
    desk.journal.changeRequest(now.id, {
      state: nextState(now.state, "signed"),
      signed: signed.raw,
      hash: signed.hash,
    });
  });
}

interface Collected {
  readonly people: People;
  readonly approvals: readonly Approval[];
}

async function collect(desk: Desk, row: RequestRow): Promise<Collected> {
  const { payload } = readBack(row);
  const people = readPeople(desk.journal.document("people", payload.people.n), payload.people);
  return { people, approvals: await openApprovals(desk.journal.records(row.id), people, desk.identity.signer.kid) };
}

/** Throws where the records are not those that were opened. */
function hasQuorum(desk: Desk, row: RequestRow, approvals: readonly Approval[], people: People): boolean {
  const counted = countQuorum(row, desk.journal.records(row.id), approvals, people);
  return missingOf(readBack(row).payload, counted) === undefined;
}

/** All conditions of a signature, on the record as it is now. Throws where one does not hold. */
function recheck(desk: Desk, id: string, approvals: readonly Approval[], people: People): RequestRow {
  const { journal } = desk;
  const row = requireRow(desk, id);
  const { payload } = readBack(row);
  requireSame(row, payload);
  for (const kind of ["policy", "people"] as const) {
    const { n, digest } = journal.document(kind);
    if (n !== payload[kind].n || digest !== payload[kind].digest) {
      // A change of documents voids all open requests: an open one here means that the record itself was changed.
      const code = isOpen(row.state) ? "ERR_STATE" : "ERR_REQUEST_STATE";
      throw new Fault(code, `The ${kind} document is not the one that the request names. Nothing is signed.`);
    }
  }
  const vault = journal.vaults().find(({ name }) => name === payload.vault.name);
  if (vault === undefined || vault.id !== payload.vault.id || vault.publicKey !== payload.vault.publicKey) {
    throw new Fault("ERR_VAULT_UNKNOWN", "The vault is not the one that the request names. Nothing is signed.");
  }
  requireQuorum(row, journal.records(id), approvals, people);
  // Last, so that a stop wins over a go.
  if (row.expires <= desk.now()) throw new Fault("ERR_REQUEST_EXPIRED", "The request has expired. Nothing is signed.");
  if (!isOpen(row.state)) throw new Fault("ERR_REQUEST_STATE", `The request is ${row.state}. Nothing is signed.`);
  return row;
}

/** What the row says beside the payload, it says of this payload: uniqueness of nonces and expiry are judged by the row. */
function requireSame(row: RequestRow, payload: RequestPayload): void {
  const same =
    payload.request === row.id &&
    payload.vault.name === row.vault &&
    payload.network.id === row.network &&
    payload.effect.nonce === row.nonce &&
    payload.initiator === row.initiator &&
    payload.exp === row.expires;
  if (!same)
    throw new Fault("ERR_STATE", "A stored request is not the one that its row names; the agent's record was changed.");
}

/** One HSM signature covers all changes since the last receipt. */
async function sendReceipt(desk: Desk, id: string): Promise<void> {
  // Read anew, together with its records: a receipt never says less of the state than of the records.
  const row = requireRow(desk, id);
  if (row.receiptN >= row.revision) return;
  const { aud } = v.parse(REQUEST.schema, JSON.parse(row.payload));
  const records = desk.journal.records(row.id).map(({ jws: _jws, ...record }): RequestRecord => record);
  const { id: request, digest, state, hash } = row;
  const { jti, jws } = await issue(desk, RECEIPT, aud, { request, digest, n: row.revision, state, records, hash });
  desk.journal.transaction(() => {
    desk.journal.setReceipt(row.id, row.revision, jws);
    desk.journal.post(jti, aud, jws);
  });
  desk.wake();
}

function requireRow(desk: Desk, id: string): RequestRow {
  const row = desk.journal.request(id);
  if (row === undefined) throw new Fault("ERR_REQUEST_UNKNOWN", `There is no request ${id}.`);
  return row;
}
