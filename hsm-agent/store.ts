/**
 * One SQLite file, WAL, synchronous=FULL, one writer: what the agent's record is kept in. Transactions and named values; the tables are
 * read and written in ledger.ts and journal.ts. The only file of the agent that imports node:sqlite at run time.
 */
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { Fault } from "../protocol/error.ts";
import { optionalText, type Row } from "./rows.ts";
import { SCHEMA } from "./schema.ts";
import { isBusy } from "./store-error.ts";

export class Store {
  readonly #db: DatabaseSync;
  #depth = 0;

  /** Opens or creates the record and locks it until `close` or the process's end. @throws Fault ERR_AGENT_RUNNING */
  constructor(path: string) {
    this.#db = new DatabaseSync(path, { timeout: 0 });
    try {
      // Exclusive before WAL: two agents on one record would both believe that a nonce is theirs.
      this.#db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
      this.#db.exec(`PRAGMA foreign_keys = ON; BEGIN IMMEDIATE; ${SCHEMA} COMMIT;`);
    } catch (error) {
      this.#db.close();
      if (!isBusy(error)) throw error;
      throw new Fault("ERR_AGENT_RUNNING", "An agent is running on this data folder already; stop it first.");
    }
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  /** Runs `work` in one transaction: all of it is durable when this returns, or none. Nested calls join the outer one. */
  transaction<T>(work: () => T): T {
    if (this.#depth > 0) return work();
    this.#db.exec("BEGIN IMMEDIATE");
    this.#depth += 1;
    try {
      const result = work();
      this.#db.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    } finally {
      this.#depth -= 1;
    }
  }

  meta(key: string): string | undefined {
    return optionalText(this.get("SELECT value FROM meta WHERE key = ?", key)?.["value"]) ?? undefined;
  }

  setMeta(key: string, value: string): void {
    this.run(
      "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
      key,
      value,
    );
  }

  removeMeta(key: string): void {
    this.run("DELETE FROM meta WHERE key = ?", key);
  }

  protected get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#db.prepare(sql).get(...values);
  }

  protected all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#db.prepare(sql).all(...values);
  }

  protected run(sql: string, ...values: SQLInputValue[]): void {
    this.#db.prepare(sql).run(...values);
  }
}
