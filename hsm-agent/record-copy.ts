/**
 * Copies an agent's record from one file into another: row by row into tables of our own schema, so that nothing else that a file may
 * hold (triggers, views, further tables, pages that were deleted) comes along. protocol/README.md, "Rollback". Used for a backup and for
 * its way back. What stands in the rows is judged by restore.ts. Beside store.ts the only file that imports node:sqlite at run time.
 */
import { existsSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { Fault, isFault } from "../protocol/error.ts";
import { SCHEMA } from "./schema.ts";
import { tablesOf } from "./tables.ts";

/**
 * Private receiving keys, what they and the people's were to open, and what was on its way: it is all asked for again at the next login
 * of each browser. The people's receiving keys are left out too: who edits a backup is not to be written to. So whoever was pairing begins
 * anew.
 */
const LEFT_OUT = ["seals", "member_seals", "pairings", "owed", "owed_views", "outbox"];

/**
 * Fills the empty file `to`. A signed transaction that was never handed out stays behind: its request ends with a RESTORE, and it is money.
 * @throws Fault ERR_STATE where `from` is no whole record of this version
 */
export function copyRecord(from: string, to: string): void {
  if (existsSync(`${from}-wal`) && statSync(`${from}-wal`).size > 0)
    throw new Fault(
      "ERR_STATE",
      `${from} has a write-ahead log beside it: it is a record in use, and no backup. Make one with "opencustody backup".`,
    );
  const database = new DatabaseSync(to, { timeout: 0 });
  try {
    database.exec("PRAGMA trusted_schema = OFF; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;");
    // Nobody else has it, and nothing is written beside it.
    database.prepare("ATTACH ? AS source").run(`${pathToFileURL(from).href}?mode=ro&immutable=1`);
    database.exec(`BEGIN IMMEDIATE; ${SCHEMA}`);
    requireSame(database);
    const tables = database.prepare("SELECT name FROM main.sqlite_schema WHERE type = 'table'").all();
    for (const name of tables.map((row) => String(row["name"])))
      if (!name.startsWith("sqlite_") && !LEFT_OUT.includes(name))
        database.exec(`INSERT INTO main.${name} SELECT * FROM source.${name}`);
    database.exec("UPDATE main.requests SET signed = NULL WHERE released IS NULL");
    requireWholeLog(database);
    database.exec("COMMIT; DETACH source;");
  } catch (error) {
    throw isFault(error) ? error : notWhole(error);
  } finally {
    database.close();
  }
}

function requireSame(database: DatabaseSync): void {
  if (tablesOf(database, "main") !== tablesOf(database, "source"))
    throw notWhole(new Error("its tables are not those of this version"));
  const [checked] = database.prepare("PRAGMA source.integrity_check(1)").all();
  if (checked?.["integrity_check"] !== "ok") throw notWhole(new Error("its pages are damaged"));
}

/** Every index up to the last, and one node for each whole subtree: a row too many would stop the log later. */
function requireWholeLog(database: DatabaseSync): void {
  const count = (sql: string) => Number(database.prepare(sql).get()?.["n"]);
  const size = count("SELECT count(*) AS n FROM log");
  const beyond =
    count("SELECT count(*) AS n FROM log WHERE n < 0") + count("SELECT coalesce(max(n) + 1, 0) AS n FROM log");
  let nodes = 0;
  for (let whole = size; whole >= 1; whole = Math.floor(whole / 2)) nodes += whole;
  if (beyond !== size || count("SELECT count(*) AS n FROM log_nodes") !== nodes)
    throw notWhole(new Error("entries of its log are missing, or there are too many"));
}

function notWhole(cause: unknown): Fault {
  const why = cause instanceof Error ? cause.message : "it cannot be read";
  return new Fault("ERR_STATE", `This is no whole backup of this version (${why}). Nothing was restored.`, { cause });
}
