/** The rows of the agent's record as the rest of the agent reads them. No SQL and no rules here. */
import { Fault } from "../protocol/error.ts";
import type { RequestRecord, RequestState } from "../protocol/message.ts";
import type { Device, Role } from "../protocol/people.ts";
import type { PublicJwk } from "../protocol/primitive.ts";
import type { RequestPayload } from "../protocol/request.ts";
import type { BackupMode } from "./hsm/wire.ts";

export interface VaultRow {
  readonly name: string;
  /** CKA_ID, hex. */
  readonly id: string;
  /** Uncompressed point, hex. */
  readonly publicKey: string;
  readonly backup: BackupMode;
}

export interface InviteRow {
  readonly kid: string;
  readonly name: string;
  readonly roles: readonly Role[];
  /** Who made it; null for the operator at the founding. */
  readonly inviter: string | null;
  readonly key: PublicJwk;
  readonly exp: number;
}

/** A browser that paired and is nobody's yet. */
export interface PairingRow {
  /** Thumbprint of its signing key. */
  readonly kid: string;
  /** Of the message that it paired with. */
  readonly jti: string;
  readonly name: string;
  readonly roles: readonly Role[];
  readonly inviter: string | null;
  readonly key: PublicJwk;
  /** The receiving key that it paired with: what its words commit to. */
  readonly seal: PublicJwk;
  readonly device: Device | null;
  readonly vouched: boolean;
  /** Wrong words so far. */
  readonly tries: number;
}

export interface WaitingRow {
  readonly name: string;
  readonly device: Device;
}

/** `vault` is null for everything; `by` null for the operator, `of` the `jti` of the message. */
export interface FreezeRow {
  readonly vault: string | null;
  readonly by: string | null;
  readonly at: number;
  readonly of: string | null;
}

/** A message that is still to be composed and signed. */
export interface OwedRow {
  readonly n: number;
  readonly what: "welcome" | "refusal" | "freezes" | "reseal";
  readonly receiver: string;
  /** What it says as JSON, or `{}` where it says what is so when it is signed. */
  readonly body: string;
  /** The key to seal it to, where the receiver has none on record. */
  readonly seal: PublicJwk | null;
}

export interface RequestRow {
  readonly id: string;
  /** `jti` of the proposal: the same proposal twice is the same request. */
  readonly proposal: string;
  /** What it was made from, as its initiator signed it; null for a founding. */
  readonly proposalJws: string | null;
  readonly verb: RequestPayload["verb"];
  readonly state: RequestState;
  /** Of a transfer only. */
  readonly vault: string | null;
  readonly network: string | null;
  readonly nonce: number | null;
  readonly initiator: string | null;
  readonly expires: number;
  /** Of a recovery: when it takes effect at the earliest. */
  readonly notBefore: number | null;
  readonly at: number;
  /** The exact payload that the HSM signs, and its SHA-256. */
  readonly payload: string;
  readonly digest: string;
  readonly policy: number;
  readonly people: number;
  readonly jws: string | null;
  /** Index of the log's entry that it was issued. */
  readonly issued: number | null;
  /** Grows by one with every change. `logged`: the one that the log's newest entry about it has, whose index is `entry`. */
  readonly revision: number;
  readonly logged: number;
  readonly entry: number | null;
  readonly signed: string | null;
  readonly hash: string | null;
  /** When the signed form was first handed out. */
  readonly released: number | null;
  readonly problem: string | null;
}
export type RequestChange = Partial<Pick<RequestRow, "state" | "signed" | "hash" | "problem">>;

export interface RecordRow extends RequestRecord {
  readonly jws: string;
}
export interface OutboxRow {
  readonly n: number;
  readonly id: string;
  readonly receiver: string;
  readonly jws: string;
  readonly seal: PublicJwk | null;
}

/** A value of SQLite as node:sqlite gives it. */
type Value = null | number | bigint | string | Uint8Array;
export type Row = Record<string, Value>;

export function toInvite(row: Row): InviteRow {
  return {
    kid: text(row["kid"]),
    name: text(row["name"]),
    roles: JSON.parse(text(row["roles"])) as Role[],
    inviter: optionalText(row["inviter"]),
    key: JSON.parse(text(row["key"])) as PublicJwk,
    exp: integer(row["exp"]),
  };
}

export function toPairing(row: Row): PairingRow {
  return {
    kid: text(row["kid"]),
    jti: text(row["jti"]),
    name: text(row["name"]),
    roles: JSON.parse(text(row["roles"])) as Role[],
    inviter: optionalText(row["inviter"]),
    key: JSON.parse(text(row["key"])) as PublicJwk,
    seal: JSON.parse(text(row["seal"])) as PublicJwk,
    device: parseOptional(row["device"]) as Device | null,
    vouched: integer(row["vouched"]) === 1,
    tries: integer(row["tries"]),
  };
}

export function toWaiting(row: Row): WaitingRow {
  return { name: text(row["name"]), device: JSON.parse(text(row["device"])) as Device };
}

/** The empty name stands for everything, and for the operator: SQLite's primary key cannot be null. */
export function toFreeze(row: Row): FreezeRow {
  const named = (value: string) => (value === "" ? null : value);
  const { vault, by } = { vault: text(row["vault"]), by: text(row["by"]) };
  return { vault: named(vault), by: named(by), at: integer(row["at"]), of: optionalText(row["of"]) };
}

export function toOwed(row: Row): OwedRow {
  return {
    n: integer(row["n"]),
    what: text(row["what"]) as OwedRow["what"],
    receiver: text(row["receiver"]),
    body: text(row["body"]),
    seal: parseOptional(row["seal"]) as PublicJwk | null,
  };
}

export function toOutbox(row: Row): OutboxRow {
  return {
    n: integer(row["n"]),
    id: text(row["id"]),
    receiver: text(row["receiver"]),
    jws: text(row["jws"]),
    seal: parseOptional(row["seal"]) as PublicJwk | null,
  };
}

function parseOptional(value: Value | undefined): unknown {
  const json = optionalText(value);
  return json === null ? null : JSON.parse(json);
}

export function toVault(row: Row): VaultRow {
  const backup = text(row["backup"]) === "wrap" ? "wrap" : "none";
  return { name: text(row["name"]), id: text(row["id"]), publicKey: text(row["public_key"]), backup };
}

export function toRequest(row: Row): RequestRow {
  return {
    id: text(row["id"]),
    proposal: text(row["proposal"]),
    proposalJws: optionalText(row["proposal_jws"]),
    verb: text(row["verb"]) as RequestRow["verb"],
    state: text(row["state"]) as RequestState,
    vault: optionalText(row["vault"]),
    network: optionalText(row["network"]),
    nonce: optionalInteger(row["nonce"]),
    initiator: optionalText(row["initiator"]),
    expires: integer(row["expires"]),
    notBefore: optionalInteger(row["not_before"]),
    at: integer(row["at"]),
    payload: text(row["payload"]),
    digest: text(row["digest"]),
    policy: integer(row["policy"]),
    people: integer(row["people"]),
    jws: optionalText(row["jws"]),
    issued: optionalInteger(row["issued"]),
    revision: integer(row["revision"]),
    logged: integer(row["logged"]),
    entry: optionalInteger(row["entry"]),
    signed: optionalText(row["signed"]),
    hash: optionalText(row["hash"]),
    released: optionalInteger(row["released"]),
    problem: optionalText(row["problem"]),
  };
}

export function toRecord(row: Row): RecordRow {
  return {
    kind: text(row["kind"]) as RecordRow["kind"],
    person: text(row["person"]),
    of: text(row["jti"]),
    at: integer(row["at"]),
    vendor: optionalText(row["vendor"]) as RecordRow["vendor"],
    address: optionalText(row["address"]),
    reason: optionalText(row["reason"]) as RecordRow["reason"],
    jws: text(row["jws"]),
  };
}

export function optional<T>(row: Row | undefined, convert: (row: Row) => T): T | undefined {
  return row === undefined ? undefined : convert(row);
}

export function text(value: Value | undefined): string {
  if (typeof value !== "string")
    throw new Fault("ERR_STATE", "The agent's record is damaged: a text is missing. Restore it from a backup.");
  return value;
}

export function optionalText(value: Value | undefined): string | null {
  return value === null || value === undefined ? null : text(value);
}

export function integer(value: Value | undefined): number {
  if (typeof value !== "number")
    throw new Fault("ERR_STATE", "The agent's record is damaged: a number is missing. Restore it from a backup.");
  return value;
}

function optionalInteger(value: Value | undefined): number | null {
  return value === null || value === undefined ? null : integer(value);
}
