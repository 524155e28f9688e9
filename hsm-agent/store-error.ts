/** What an error of node:sqlite means to the agent. The numbers are SQLite's primary result codes. */
import { isFault } from "../protocol/error.ts";

const SQLITE_ERROR = 1;
const SQLITE_BUSY = 5;
const SQLITE_TOOBIG = 18;
const SQLITE_CONSTRAINT = 19;
const SQLITE_MISMATCH = 20;
const SQLITE_RANGE = 25;

/** Of one statement and what it was given, and not of the disk: its transaction is taken back, and the record is as good as before. */
const OF_A_STATEMENT: readonly (number | undefined)[] = [
  SQLITE_ERROR,
  SQLITE_TOOBIG,
  SQLITE_CONSTRAINT,
  SQLITE_MISMATCH,
  SQLITE_RANGE,
];

/** True where the record could not be read or written, not because of what was to be stored: whoever sent it is to send it again. */
export function isStoreError(error: unknown): boolean {
  if (isFault(error, "ERR_RECORD")) return true;
  if (!(error instanceof Error) || !("code" in error)) return false;
  // A closed database: this process is about to end.
  if (error.code === "ERR_INVALID_STATE") return true;
  return error.code === "ERR_SQLITE_ERROR" && resultCode(error) !== SQLITE_CONSTRAINT;
}

/** True where after this error nobody knows what is on the disk: I/O error, full disk, damage, and whatever else SQLite may say. */
export function endsRecord(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "ERR_SQLITE_ERROR") return false;
  return !OF_A_STATEMENT.includes(resultCode(error));
}

/** True where another process has the record. */
export function isBusy(error: unknown): boolean {
  return resultCode(error) === SQLITE_BUSY;
}

function resultCode(error: unknown): number | undefined {
  const extended = error instanceof Error && "errcode" in error ? error.errcode : undefined;
  return typeof extended === "number" ? extended & 0xff : undefined;
}
