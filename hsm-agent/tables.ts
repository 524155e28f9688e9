/**
 * What tables a database has, to be compared with those of this version (schema.ts): the agent starts on no others (record-file.ts) and
 * copies from no others (record-copy.ts). Says nothing about what is in them.
 */

/** As much of a database as is needed here. */
interface Read {
  prepare(sql: string): { all(): unknown[] };
}

/**
 * Everything that was made in a database: its tables, and indexes, triggers and views, as the text that made each. "[]" for an empty
 * one. `name`: as it was attached, or "main".
 */
export function tablesOf(database: Read, name: "main" | "source"): string {
  const sql = `SELECT type, name, tbl_name, sql FROM ${name}.sqlite_schema WHERE substr(name, 1, 7) <> 'sqlite_' ORDER BY name`;
  return JSON.stringify(database.prepare(sql).all());
}

/** Of a database in which nothing was made yet. */
export const NONE = "[]";
