/** What an error of node:sqlite means to the agent. The numbers are SQLite's primary result codes. */

const SQLITE_BUSY = 5;
const SQLITE_CONSTRAINT = 19;

/** True where the record could not be read or written for a reason that may pass (disk full, closed), not because of what was to be stored. */
export function isStoreError(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  // A closed database: this process is about to end.
  if (error.code === "ERR_INVALID_STATE") return true;
  return error.code === "ERR_SQLITE_ERROR" && resultCode(error) !== SQLITE_CONSTRAINT;
}

/** True where another process has the record. */
export function isBusy(error: unknown): boolean {
  return resultCode(error) === SQLITE_BUSY;
}

function resultCode(error: unknown): number | undefined {
  const extended = error instanceof Error && "errcode" in error ? error.errcode : undefined;
  return typeof extended === "number" ? extended & 0xff : undefined;
}
