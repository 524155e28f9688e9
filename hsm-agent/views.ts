/** What the control socket answers about requests, people and status: read from the record, never more than that. */
import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import { Fault } from "../protocol/error.ts";
import { policyDocument, referTo } from "../protocol/governance.ts";
import { keyName, motionParts } from "../protocol/motion-statement.ts";
import type { Policy } from "../protocol/policy.ts";
import { type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import { isTransfer, type MotionRequest, motionOf, REQUEST, type RequestPayload } from "../protocol/request.ts";
import type { Desk } from "./desk.ts";
import { isFrozen } from "./freeze.ts";
import type { RequestRow } from "./rows.ts";
import { readBack } from "./verify.ts";

/** One line of `request list`. */
export function summarise(row: RequestRow) {
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
 * @throws Fault ERR_REQUEST_UNKNOWN
 */
export function showRequest(desk: Desk, id: string) {
  const row = desk.journal.request(id);
  if (row === undefined)
    throw new Fault("ERR_REQUEST_UNKNOWN", `There is no request ${id}; see "opencustody request list".`);
  const { statement, payload } = readBack(row);
  const records = desk.journal.records(id).map(({ jws: _jws, of: _of, ...record }) => record);
  const { digest, problem, notBefore } = row;
  const { threshold, people: approvers } = payload.quorum;
  const common = { ...summarise(row), digest, statement, threshold, approvers, records };
  if (!isTransfer(payload)) return { ...common, problem, notBefore };
  const frozen = row.vault !== null && isFrozen(desk.journal, row.vault);
  return {
    ...common,
    problem: frozen ? `${row.vault ?? ""} is frozen` : problem,
    signed: release(desk, row, payload, frozen),
  };
}

/** Handed out for the first time only while all holds that held when it was signed. */
function release(desk: Desk, row: RequestRow, payload: RequestPayload, frozen: boolean): string | null {
  if (row.signed === null || row.released !== null) return row.signed;
  const inForce = desk.charter.references();
  const holds = isDeepStrictEqual([inForce.policy, inForce.people], [payload.policy, payload.people]);
  if (frozen || !holds || row.expires <= desk.now() || !desk.witnesses.isCurrent) return null;
  desk.journal.release(row, desk.now());
  return row.signed;
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
  for (const row of desk.journal.requests().filter(({ verb }) => verb === "POLICY" || verb === "FOUND")) {
    const { payload } = readBack(row);
    if (payload.verb === "FOUND" && n === 1 && row.state === "enacted") return { n, ...payload.change.policy };
    const isIt = payload.verb === "POLICY" && payload.policy.n + 1 === n;
    if (isIt && (row.state === "enacted" || row.state === "pending" || row.state === "approved"))
      return { n, ...payload.change.policy };
  }
  return undefined;
}
