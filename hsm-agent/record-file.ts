/**
 * The file of an agent's record, opened as store.ts needs it: locked, whole on the disk, and with exactly the tables of this version.
 * Reads no row. protocol/README.md, "The record".
 */
import { closeSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { Fault } from "../protocol/error.ts";
import { SCHEMA } from "./schema.ts";
import { endsRecord, isBusy } from "./store-error.ts";
import { NONE, tablesOf } from "./tables.ts";

const FAILED =
  "The agent's record cannot be written (full disk or failing disk). Nothing is acknowledged, signed or sent any more. Free or repair the disk, then restart the agent.";
const ANOTHER_VERSION =
  "The record in this data folder was made by another version of OpenCustody, or its tables were changed; it is left as it is. Start the version that made it.";

/** As much of a database as is needed here. */
interface Database {
  exec(sql: string): void;
  prepare(sql: string): { all(): unknown[] };
  close(): void;
}

/**
 * Opens or creates the record with `open`, which waits for no lock, and locks it until it is closed or the process ends.
 * @throws Fault ERR_AGENT_RUNNING, ERR_RECORD; ERR_STATE where it is not of this version: then nothing of it was changed
 */
export function openRecordFile<D extends Database>(path: string, open: (path: string) => D): D {
  const database = open(path);
  try {
    // Exclusive before WAL: two agents on one record would both believe that a nonce is theirs.
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    // What a savepoint would take back stays in memory: no pages of the record in the system's temporary folder.
    // SQLite's own checkpoints hide that they failed, so they are made in `#commit` of store.ts.
    database.exec("PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 0; PRAGMA foreign_keys = ON;");
    makeTables(database, () => open(":memory:"));
    // The last process may have ended because an fsync of the log failed. What is found in it is in memory, and perhaps nowhere
    // else: it is written anew, to the database file, before anything rests on it.
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    syncFolder(dirname(path));
    return database;
  } catch (error) {
    database.close();
    if (isBusy(error))
      throw new Fault("ERR_AGENT_RUNNING", "An agent is running on this data folder already; stop it first.");
    throw endsRecord(error) ? recordFailed(error) : error;
  }
}

/** What is said from the moment on in which the record is in doubt. ERR_RECORD. */
export function recordFailed(cause: unknown): Fault {
  return new Fault("ERR_RECORD", FAILED, { cause });
}

function makeTables(database: Database, openFresh: () => Database): void {
  database.exec("BEGIN IMMEDIATE");
  const found = tablesOf(database, "main");
  if (found === NONE) database.exec(SCHEMA);
  // SQLite would take a table for ours by its name alone.
  else if (found !== tablesOfSchema(openFresh())) throw new Fault("ERR_STATE", ANOTHER_VERSION);
  database.exec("COMMIT");
}

function tablesOfSchema(fresh: Database): string {
  fresh.exec(SCHEMA);
  const ours = tablesOf(fresh, "main");
  fresh.close();
  return ours;
}

/** SQLite does this too, and does not look whether it failed. */
function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } catch (cause) {
    throw recordFailed(cause);
  } finally {
    closeSync(folder);
  }
}
