/**
 * May this request be signed? Everything is derived again from the durable record: the stored payload, the stored
 * approvals, the people document that the payload names. README.md of protocol/, "Verifying approvals". Pure.
 * Checked when the intent is recorded, again on resume, again on release.
 */
import * as v from "valibot";
import { type Approver, checkApproval, missingOf } from "../protocol/approving.ts";
import { Fault } from "../protocol/error.ts";
import { APPROVAL, type Approval } from "../protocol/message.ts";
import { findOwner, type People } from "../protocol/people.ts";
import {
  isTransfer,
  motionStatementOf,
  REQUEST,
  type RequestPayload,
  requestDigest,
  statementOf,
} from "../protocol/request.ts";
import { ethereum } from "./chains/ethereum.ts";
import type { CharterBook } from "./desk.ts";
import { Memo } from "./memo.ts";
import { openOnce } from "./opened.ts";
import { signerOf } from "./recovered.ts";
import { type RecordRow, type RequestRow } from "./rows.ts";

/** A request read back from the record, with the statement that its bytes give. */
export interface Readback {
  readonly payload: RequestPayload;
  readonly statement: string;
}

/** By digest, which is of the text: a request is read back several times before it is signed. */
const READ = new Memo<{ readonly text: string; readonly readback: Readback }>(1_024);
/** Characters: a transfer has about two thousand. A change of the policy, which may have eighty thousand, is read anew each time. */
const READ_LENGTH = 8_192;

/**
 * Reads a stored request and renders its statement from the bytes to be signed.
 * @throws Fault ERR_STATE, ERR_STATEMENT_DIFFERS, ERR_TX_*
 */
export function readBack(row: Pick<RequestRow, "payload" | "digest">): Readback {
  const known = READ.get(row.digest);
  if (known?.text === row.payload) return known.readback;
  const readback = readAnew(row);
  if (row.payload.length <= READ_LENGTH) READ.set(row.digest, { text: row.payload, readback });
  return readback;
}

function readAnew(row: Pick<RequestRow, "payload" | "digest">): Readback {
  const bytes = new TextEncoder().encode(row.payload);
  if (requestDigest(bytes) !== row.digest) {
    throw new Fault(
      "ERR_STATE",
      "A stored request does not match its digest; the agent's record was changed. Nothing is signed.",
    );
  }
  const payload = v.parse(REQUEST.schema, JSON.parse(row.payload));
  if (!isTransfer(payload)) return { payload, statement: motionStatementOf(payload, row.digest) };
  const [unsigned = ""] = payload.sign;
  const effect = ethereum.describe(unsigned, payload.network, payload.token);
  return { payload, statement: statementOf(payload, effect, row.digest) };
}

/** The people whose approvals count for a request: those in force, or of a founding its own. @throws Fault ERR_FOUNDING */
export function peopleFor(payload: RequestPayload, book: CharterBook): People {
  return payload.verb === "FOUND" ? payload.change.people : book.require().people;
}

/** Opens the stored approvals of a request. Both halves are verified again: the extension's here, the device's in `countQuorum`. */
export async function openApprovals(records: readonly RecordRow[], people: People, hsm: string): Promise<Approval[]> {
  const approvals: Approval[] = [];
  for (const record of records) {
    if (record.kind !== "approval") continue;
    const keyOf = (kid: string) => findOwner(people, kid)?.key;
    // The approval was in time when it was recorded; the request's own expiry is checked by the caller.
    const payload = await openOnce(record.jws, { type: APPROVAL, keyOf, audience: hsm, now: record.at });
    if (payload.jti !== record.of || findOwner(people, payload.iss)?.member.name !== record.person)
      throw new Fault("ERR_STATE", "A stored approval is not its record's; the agent's record was changed.");
    approvals.push(payload);
  }
  return approvals;
}

/**
 * The distinct people whose approvals count, without those who withdrew or rejected.
 * `approvals` must be those of `records`, opened. @throws Fault where a stored approval does not verify any more
 */
export function countQuorum(
  row: RequestRow,
  records: readonly RecordRow[],
  approvals: readonly Approval[],
  people: People,
): Approver[] {
  const request = { ...readBack(row), digest: row.digest };
  const stopped = new Set(records.filter(({ kind }) => kind !== "approval").map(({ person }) => person));
  const stored = records.filter(({ kind }) => kind === "approval");
  if (stored.length !== approvals.length || !stored.every((record, at) => record.of === approvals[at]?.jti)) {
    throw new Fault("ERR_QUORUM", "The approvals changed while they were checked; they are counted again.");
  }
  const distinct = new Map<string, Approver>();
  for (const approval of approvals) {
    const approver = checkApproval(approval, request, people, signerOf);
    if (!stopped.has(approver.name) && !distinct.has(approver.name)) distinct.set(approver.name, approver);
  }
  return [...distinct.values()];
}

/** @throws Fault ERR_QUORUM where `missingOf` names something */
export function requireQuorum(
  row: RequestRow,
  records: readonly RecordRow[],
  approvals: readonly Approval[],
  people: People,
): void {
  const missing = missingOf(readBack(row).payload, countQuorum(row, records, approvals, people));
  if (missing !== undefined) throw new Fault("ERR_QUORUM", `${missing}. Nothing is signed.`);
}
