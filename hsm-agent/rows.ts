/** The rows of the agent's record as the rest of the agent reads them. No SQL and no rules here. */
import { Fault } from "../protocol/error.ts";
import type { RequestRecord, RequestState, Role } from "../protocol/message.ts";
import type { PublicJwk } from "../protocol/primitive.ts";
import type { BackupMode } from "./hsm/wire.ts";

/** `pending`: devices that wait for confirmation. They give nobody a right, so no digest of a request covers them. */
export type DocumentKind = "policy" | "people" | "pending";
export interface DocumentRow {
  readonly n: number;
  /** SHA-256 of `text`, hex. */
  readonly digest: string;
  readonly text: string;
}

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
  readonly key: PublicJwk;
  readonly exp: number;
}

export interface RequestRow {
  readonly id: string;
  /** `jti` of the proposal: the same proposal twice is the same request. */
  readonly proposal: string;
  readonly state: RequestState;
  readonly vault: string;
  readonly network: string;
  readonly nonce: number;
  readonly initiator: string;
  readonly expires: number;
  readonly at: number;
  /** The exact payload that the HSM signs, and its SHA-256. */
  readonly payload: string;
  readonly digest: string;
  readonly policy: number;
  readonly people: number;
  readonly jws: string | null;
  /** Grows by one with every change; a receipt is owed while `receiptN` is behind. */
  readonly revision: number;
  readonly receiptN: number;
  readonly receipt: string | null;
  readonly signed: string | null;
  readonly hash: string | null;
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
}

/** A value of SQLite as node:sqlite gives it. */
type Value = null | number | bigint | string | Uint8Array;
export type Row = Record<string, Value>;

export function toInvite(row: Row): InviteRow {
  return {
    kid: text(row["kid"]),
    name: text(row["name"]),
    roles: JSON.parse(text(row["roles"])) as Role[],
    key: JSON.parse(text(row["key"])) as PublicJwk,
    exp: integer(row["exp"]),
  };
}

export function toOutbox(row: Row): OutboxRow {
  return { n: integer(row["n"]), id: text(row["id"]), receiver: text(row["receiver"]), jws: text(row["jws"]) };
}

export function toVault(row: Row): VaultRow {
  const backup = text(row["backup"]) === "wrap" ? "wrap" : "none";
  return { name: text(row["name"]), id: text(row["id"]), publicKey: text(row["public_key"]), backup };
}

export function toRequest(row: Row): RequestRow {
  return {
    id: text(row["id"]),
    proposal: text(row["proposal"]),
    state: text(row["state"]) as RequestState,
    vault: text(row["vault"]),
    network: text(row["network"]),
    nonce: integer(row["nonce"]),
    initiator: text(row["initiator"]),
    expires: integer(row["expires"]),
    at: integer(row["at"]),
    payload: text(row["payload"]),
    digest: text(row["digest"]),
    policy: integer(row["policy"]),
    people: integer(row["people"]),
    jws: optionalText(row["jws"]),
    revision: integer(row["revision"]),
    receiptN: integer(row["receipt_n"]),
    receipt: optionalText(row["receipt"]),
    signed: optionalText(row["signed"]),
    hash: optionalText(row["hash"]),
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
