/**
 * May this request be signed? Everything is derived again from the durable record: the stored payload, the stored
 * approvals, the people document that the payload names. README.md of protocol/, "Verifying approvals". Pure.
 * Checked when the intent is recorded, again on resume, again on release.
 */
import * as v from "valibot";
import { recoverSigner } from "../protocol/device-signature.ts";
import { openEnvelope } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { APPROVAL, type Approval } from "../protocol/message.ts";
import { sha256Hex } from "../protocol/primitive.ts";
import { REQUEST, type RequestPayload, requestDigest, statementOf } from "../protocol/request.ts";
import { unmetDemands, type Vendor } from "../protocol/vendor.ts";
import { ethereum } from "./chains/ethereum.ts";
import { findOwner, type People, PeopleSchema } from "./people.ts";
import { type DocumentRow, type RecordRow, type RequestRow } from "./rows.ts";

/** Somebody whose approval counts, and the vendor that the enrolling people asserted of the device used. */
export interface Approver {
  readonly name: string;
  readonly vendor: Vendor;
}

/** A request read back from the record, with the statement that its bytes give. */
export interface Readback {
  readonly payload: RequestPayload;
  readonly statement: string;
}

/**
 * Reads a stored request and renders its statement from the bytes to be signed.
 * @throws Fault ERR_STATE, ERR_STATEMENT_DIFFERS, ERR_TX_*
 */
export function readBack(row: Pick<RequestRow, "payload" | "digest">): Readback {
  const bytes = new TextEncoder().encode(row.payload);
  if (requestDigest(bytes) !== row.digest) {
    throw new Fault(
      "ERR_STATE",
      "A stored request does not match its digest; the agent's record was changed. Nothing is signed.",
    );
  }
  const payload = v.parse(REQUEST.schema, JSON.parse(row.payload));
  const [unsigned = ""] = payload.sign;
  const effect = ethereum.describe(unsigned, payload.network, payload.token);
  return { payload, statement: statementOf(payload, effect, row.digest) };
}

/** The people document, only where it is the one that the payload names. @throws Fault ERR_STATE */
export function readPeople(document: DocumentRow, expected: { n: number; digest: string }): People {
  if (
    document.n !== expected.n ||
    document.digest !== expected.digest ||
    sha256Hex(new TextEncoder().encode(document.text)) !== expected.digest
  ) {
    throw new Fault("ERR_STATE", "The people document is not the one that the request names. Nothing is signed.");
  }
  return v.parse(PeopleSchema, JSON.parse(document.text));
}

/**
 * Whether one approval counts, and whose it is. The numbers are those of the specification.
 * @throws Fault ERR_APPROVAL_*
 */
export function checkApproval(approval: Approval, request: Readback & { digest: string }, people: People): Approver {
  // 1. It is for this request and for exactly these bytes.
  if (approval.request !== request.payload.request || approval.digest !== request.digest) {
    throw new Fault(
      "ERR_APPROVAL_DIGEST",
      "The approval is for another request than the one it names; open the request again.",
    );
  }
  // 2. The extension's key belongs to a person.
  const owner = findOwner(people, approval.iss);
  if (owner === undefined || owner.kind !== "extensions") {
    throw new Fault("ERR_APPROVAL_NOT_ELIGIBLE", "This browser is not enrolled as an approver's; pair it first.");
  }
  const { name } = owner.member;
  // 3. The initiator never counts, whatever else they are.
  if (name === request.payload.initiator) {
    throw new Fault("ERR_APPROVAL_INITIATOR", "You proposed this request, so somebody else must approve it.");
  }
  // 4. The person is in the quorum that the payload names.
  if (!request.payload.quorum.people.includes(name) || !request.payload.aud.includes(approval.iss)) {
    throw new Fault(
      "ERR_APPROVAL_NOT_ELIGIBLE",
      "You are not among the approvers of this vault; nothing is needed from you.",
    );
  }
  // 5. The device is this person's, enrolled, and its signature is over the statement.
  const device = owner.member.devices.find((d) => d.address === approval.address);
  if (device === undefined || device.state !== "enrolled") {
    throw new Fault("ERR_APPROVAL_DEVICE", "This device is not enrolled for you; use the one that is, or enrol it.");
  }
  if (recoverSigner(request.statement, approval.signature) !== device.address) {
    throw new Fault(
      "ERR_APPROVAL_SIGNATURE",
      "The device's signature is not over this statement; sign again on the device.",
    );
  }
  return { name, vendor: device.vendor };
}

/** Opens the stored approvals of a request. Both halves are verified again: the extension's here, the device's in `countQuorum`. */
export async function openApprovals(records: readonly RecordRow[], people: People, hsm: string): Promise<Approval[]> {
  const approvals: Approval[] = [];
  for (const record of records) {
    if (record.kind !== "approval") continue;
    const keyOf = (kid: string) => findOwner(people, kid)?.key;
    // The approval was in time when it was recorded; the request's own expiry is checked by the caller.
    const { payload } = await openEnvelope(record.jws, { type: APPROVAL, keyOf, audience: hsm, now: record.at });
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
    const approver = checkApproval(approval, request, people);
    if (!stopped.has(approver.name) && !distinct.has(approver.name)) distinct.set(approver.name, approver);
  }
  return [...distinct.values()];
}

/** What the quorum that the payload names still lacks, in words; undefined where it is complete. */
export function missingOf({ quorum }: RequestPayload, counted: readonly Approver[]): string | undefined {
  if (counted.length < quorum.threshold) return `${quorum.threshold} people must approve and ${counted.length} did`;
  const [unmet] = unmetDemands(
    quorum.vendors,
    counted.map(({ vendor }) => vendor),
  );
  return unmet === undefined ? undefined : `${unmet.atLeast} more must approve on a ${unmet.vendor}`;
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
