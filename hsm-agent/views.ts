/** What the control socket answers about requests, people and status: read from the record, never more than that. */
import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import { missingOf } from "../protocol/approving.ts";
import { Fault } from "../protocol/error.ts";
import { policyDocument, referTo } from "../protocol/governance.ts";
import type { Approval } from "../protocol/message.ts";
import { keyName, motionParts } from "../protocol/motion-statement.ts";
import type { Policy } from "../protocol/policy.ts";
import { type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import { isTransfer, type MotionRequest, motionOf, REQUEST, type TransferRequest } from "../protocol/request.ts";
import { checkSigned } from "../protocol/signed-transaction.ts";
import type { Desk } from "./desk.ts";
import { isFrozen } from "./freeze.ts";
import { OPEN_STATES } from "./requests.ts";
import type { RequestRow } from "./rows.ts";
import { countQuorum, openApprovals, readBack } from "./verify.ts";

/** What `request list` shows beside what is open. */
export const LISTED_MAX = 1_000;

/** The newest requests, and all that are open; an older one is shown by its id. */
export function listRequests({ journal }: Desk) {
  return journal.newest(LISTED_MAX, OPEN_STATES).map((row) => summarise(row));
}

/** One line of `request list`. */
function summarise(row: RequestRow) {
  const payload = v.parse(REQUEST.schema, JSON.parse(row.payload));
  const { id, state, initiator, expires } = row;
  if (!isTransfer(payload)) return { id, state, initiator, expires, verb: payload.verb, title: titleOf(payload) };
  const { amount, asset, to, nonce } = payload.effect;
  const { vault, network, verb, payee } = payload;
  return {
    id,
    state,
    initiator,
    expires,
    verb,
    amount,
    asset,
    to,
    payee,
    vault: vault.name,
    network: network.id,
    nonce,
    hash: row.hash,
  };
}

/** What a motion does, as its statement begins. */
function titleOf(payload: MotionRequest): string {
  return motionParts(motionOf(payload), payload.policy.n)
    .map(([, text]) => text)
    .join("");
}

/**
 * One request with its records. The signed transaction is handed out here.
 * @throws Fault ERR_REQUEST_UNKNOWN; ERR_STATE, ERR_QUORUM, ERR_ENVELOPE_*, ERR_APPROVAL_* where the record does not hold what a signed
 * transaction rests on
 */
export async function showRequest(desk: Desk, id: string) {
  // Opened before; all else is read and decided after that, in one go.
  const approvals = await approvalsOf(desk, requireRequest(desk, id));
  const row = requireRequest(desk, id);
  const { statement, payload } = readBack(row);
  const records = desk.journal.records(id).map(({ jws: _jws, of: _of, ...record }) => record);
  const { digest, problem, notBefore } = row;
  const { threshold, people: approvers } = payload.quorum;
  const common = { ...summarise(row), digest, statement, threshold, approvers, records };
  if (!isTransfer(payload)) return { ...common, problem, notBefore };
  const { name } = payload.vault;
  return {
    ...common,
    problem: isFrozen(desk.journal, name) ? `${name} is frozen` : problem,
    signed: release(desk, row, payload, approvals),
  };
}

function requireRequest(desk: Desk, id: string): RequestRow {
  const row = desk.journal.request(id);
  if (row === undefined)
    throw new Fault("ERR_REQUEST_UNKNOWN", `There is no request ${id}; see "opencustody request list".`);
  return row;
}

/** Those that a hand-out rests on, opened; undefined where nothing is handed out for the first time now. They were for the identity that asked. */
async function approvalsOf(desk: Desk, row: RequestRow): Promise<Approval[] | undefined> {
  const { payload } = readBack(row);
  if (!isTransfer(payload) || !mayRelease(desk, row, payload)) return undefined;
  return await openApprovals(desk.journal.records(row.id), desk.charter.require().people, payload.iss);
}

/** Whether it is signed, nobody was handed it, and all holds that held when it was signed: of what was approved, not of what the row says beside. */
function mayRelease(desk: Desk, row: RequestRow, { policy, people, vault, exp }: TransferRequest): boolean {
  const inForce = desk.charter.references();
  return (
    row.state === "signed" &&
    row.signed !== null &&
    row.released === null &&
    isDeepStrictEqual([inForce.policy, inForce.people], [policy, people]) &&
    !isFrozen(desk.journal, vault.name) &&
    exp > desk.now() &&
    desk.witnesses.isCurrent
  );
}

/** The first time on the word of the quorum alone, counted again; each time only what the vault's key signed for this request. */
function release(
  desk: Desk,
  row: RequestRow,
  payload: TransferRequest,
  approvals: readonly Approval[] | undefined,
): string | null {
  const { signed } = row;
  if (signed === null) return null;
  const isFirst = row.released === null;
  if (isFirst && (approvals === undefined || !mayRelease(desk, row, payload))) return null;
  requireOwn(row, payload, signed);
  if (isFirst && approvals !== undefined) {
    const counted = countQuorum(row, desk.journal.records(row.id), approvals, desk.charter.require().people);
    if (missingOf(payload, counted) !== undefined)
      throw changed("A stored transaction is signed without the approvals that it needs");
    desk.journal.release(row, desk.now());
  }
  return signed;
}

/** @throws Fault ERR_STATE where it is another transaction than the one that was approved, or not signed by the vault's key */
function requireOwn(row: RequestRow, payload: TransferRequest, signed: string): void {
  const {
    request,
    sign: [unsigned = ""],
    vault,
  } = payload;
  let hash: string | undefined;
  try {
    hash = checkSigned(unsigned, signed, vault.publicKey);
  } catch {
    // The one refusal below.
  }
  if (hash === undefined || hash !== row.hash || request !== row.id)
    throw changed("A stored transaction is not the one that was approved");
}

function changed(what: string): Fault {
  return new Fault("ERR_STATE", `${what}; the agent's record was changed. Nothing is handed out.`);
}

/** Members with their keys and devices, and who is on the way to be one. */
export function listMembers(desk: Desk) {
  const { journal } = desk;
  const keys = (list: readonly PublicJwk[]) => list.map(thumbprint).map((kid) => ({ key: keyName(kid), kid }));
  return {
    members: (desk.charter.current?.people.members ?? []).map(({ name, roles, extensions, files, devices }) => ({
      name,
      roles,
      extensions: keys(extensions),
      files: keys(files),
      devices: devices.map((device) => ({ ...device, lastSigned: journal.lastSigned(device.address) })),
    })),
    waiting: journal.waitingDevices().map(({ name, device }) => ({ name, ...device })),
    pairings: journal.pairings().map(({ name, roles, device, vouched }) => ({
      name,
      roles,
      device: device?.address ?? null,
      vouched,
    })),
    invites: journal
      .invites()
      .filter(({ exp }) => exp > desk.now())
      .map(({ name, roles, exp }) => ({ name, roles, exp })),
  };
}

/** A policy by its number, with the digest that a device shows; the one in force where `n` is null. @throws Fault ERR_POLICY_DOCUMENT, ERR_FOUNDING */
export function showPolicy(desk: Desk, n: number | null) {
  const { policy } = desk.charter.require();
  const found = n === null || n === policy.n ? policy : earlierPolicy(desk, n);
  if (found === undefined)
    throw new Fault("ERR_POLICY_DOCUMENT", `There is no policy ${n ?? ""}; the last one is ${policy.n}.`);
  return { digest: referTo(found.n, policyDocument(found)).digest, ...found };
}

/** Out of the acts, or of a request that still asks for it: to be compared before it is approved. */
function earlierPolicy(desk: Desk, n: number): Policy | undefined {
  for (const row of desk.journal.requestsOf(["POLICY", "FOUND"])) {
    const { payload } = readBack(row);
    if (payload.verb === "FOUND" && n === 1 && row.state === "enacted") return { n, ...payload.change.policy };
    const isIt = payload.verb === "POLICY" && payload.policy.n + 1 === n;
    if (isIt && (row.state === "enacted" || row.state === "pending" || row.state === "approved"))
      return { n, ...payload.change.policy };
  }
  return undefined;
}
