/**
 * One SQLite file, WAL, synchronous=FULL, one writer: what the agent's record is kept in. Transactions, group commit and named values;
 * the tables are read and written in ledger.ts and journal.ts, the file is opened as record-file.ts says. With record-copy.ts the only file
 * of the agent that imports node:sqlite.
 * A transaction is atomic when it returns and durable when `durable()` resolves: nothing may leave the process before that.
 * A record that could not be written once is never written again by this process: after a failed fsync SQLite's next COMMIT
 * succeeds as if nothing were missing. protocol/README.md, "The record".
 */
import { backup, DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { clearImmediate, setImmediate } from "node:timers";
import { Fault } from "../protocol/error.ts";
import { openRecordFile, recordFailed } from "./record-file.ts";
import { optionalText, type Row } from "./rows.ts";
import { endsRecord } from "./store-error.ts";

/** Statements kept prepared. Some texts depend on how many names they hold, so there must be an end to it. */
const STATEMENTS_MAX = 256;
/** Pages of the write-ahead log that are not in the database file yet (4 KiB each) before they are copied there. */
const LOG_PAGES_MAX = 4_000;

/** What was written since the last COMMIT. */
interface Batch {
  transactions: number;
  readonly turn: NodeJS.Immediate;
  waiting: PromiseWithResolvers<void> | undefined;
}

/** One COMMIT that succeeded: how long it took, in seconds, and how many transactions it made durable. */
export interface Commit {
  readonly seconds: number;
  readonly transactions: number;
}

export class Store {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #failureListeners: ((fault: Fault) => void)[] = [];
  readonly #commitListeners: ((commit: Commit) => void)[] = [];
  #batch: Batch | null = null;
  #failure: Fault | null = null;
  #takenBack = 0;
  /** Inside `transaction`. */
  #working = false;
  /** The transaction that runs has written: it has its savepoint. */
  #written = false;

  /**
   * Opens or creates the record and locks it until `close` or the process's end.
   * @throws Fault ERR_AGENT_RUNNING, ERR_RECORD; ERR_STATE where it is not of this version
   */
  constructor(path: string) {
    this.#db = openRecordFile(path, (file) => new DatabaseSync(file, { timeout: 0 }));
  }

  /** Commits and closes. @throws Fault ERR_RECORD where what was written last could not be made durable; it is closed then too */
  close(): void {
    if (!this.#db.isOpen) return;
    try {
      if (this.#failure === null) this.flush();
    } finally {
      this.#db.close();
    }
  }

  /** ERR_RECORD from the first failure until the end of the process. */
  get failure(): Fault | null {
    return this.#failure;
  }

  /** Grows whenever something that was written is taken back: what was kept in memory of it is to be read again. */
  get takenBack(): number {
    return this.#takenBack;
  }

  /** Calls `listener` once, when the record fails (soon, where it has failed already). Not within the transaction that it failed in. */
  onFailure(listener: (fault: Fault) => void): void {
    this.#failureListeners.push(listener);
    const fault = this.#failure;
    if (fault !== null) queueMicrotask(() => listener(fault));
  }

  /** Calls `listener` after every COMMIT. What it throws is not the commit's: it is thrown by itself, but for the record's own failure. */
  onCommit(listener: (commit: Commit) => void): void {
    this.#commitListeners.push(listener);
  }

  /**
   * Runs `work` at once: all of it, or none where it throws. Nested calls join the outer one. It is durable when `durable()` resolves.
   * @throws what `work` throws; Fault ERR_RECORD where the record fails or has failed, whatever `work` made of that
   */
  transaction<T>(work: () => T): T {
    this.#demand();
    if (this.#working) return work();
    this.#working = true;
    try {
      const result = work();
      this.settle();
      this.#release();
      return result;
    } catch (error) {
      this.#takeBack();
      throw this.#failure ?? error;
    } finally {
      this.#working = false;
      this.#written = false;
    }
  }

  /** Resolves when all that was written so far is on the disk; at once where it is. Rejects with ERR_RECORD where the record failed. */
  durable(): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#batch === null) return Promise.resolve();
    this.#batch.waiting ??= Promise.withResolvers<void>();
    return this.#batch.waiting.promise;
  }

  /** Makes durable now what `durable` waits for. @throws Fault ERR_RECORD; ERR_INTERNAL within a transaction, which it would halve */
  flush(): void {
    if (this.#working) throw new Fault("ERR_INTERNAL", "A transaction is committed when it has ended, not within.");
    this.#demand();
    this.#commit();
    this.#demand();
  }

  /** Copies the record, as it is at one moment, to the file `path`, while others go on. Rejects where it began within a batch: backup.ts. */
  async copyTo(path: string): Promise<void> {
    this.flush();
    await backup(this.#db, path, { rate: 200 });
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

  /** Called within every outermost transaction, after its work: may write, and its throwing takes the transaction back. */
  protected settle(): void {}

  /** Called after something was taken back, one transaction or all that was not committed: what it left in memory is to be forgotten. Writes nothing. */
  protected tookBack(): void {}

  /** What is read is as it was written last, durable or not. */
  protected get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#watch(() => this.#statement(sql).get(...values));
  }

  protected all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#watch(() => this.#statement(sql).all(...values));
  }

  /** Outside a transaction it is one of its own. */
  protected run(sql: string, ...values: SQLInputValue[]): void {
    if (!this.#working) return this.transaction(() => this.run(sql, ...values));
    this.#demand();
    this.#watch(() => {
      this.#batch ??= this.#begin();
      if (!this.#written) this.#statement("SAVEPOINT work").run();
      this.#written = true;
      this.#statement(sql).run(...values);
    });
  }

  #demand(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  #begin(): Batch {
    this.#statement("BEGIN IMMEDIATE").run();
    // After everything that came with this turn of the event loop: one fsync for all of it.
    return { transactions: 0, turn: setImmediate(() => this.#commit()), waiting: undefined };
  }

  #release(): void {
    this.#demand();
    if (!this.#written || this.#batch === null) return;
    this.#watch(() => this.#statement("RELEASE work").run());
    this.#batch.transactions += 1;
  }

  /** What the other transactions of the batch wrote stays. */
  #takeBack(): void {
    if (this.#written && this.#failure === null) {
      try {
        this.#statement("ROLLBACK TO work").run();
        this.#statement("RELEASE work").run();
      } catch (error) {
        this.#fail(error);
      }
    }
    this.#forget();
  }

  #forget(): void {
    this.#takenBack += 1;
    this.tookBack();
  }

  /** Throws nothing: whoever waits, listens or writes next is told. */
  #commit(): void {
    const batch = this.#batch;
    if (batch === null) return;
    const from = performance.now();
    try {
      this.#statement("COMMIT").run();
    } catch (error) {
      this.#fail(error);
      return;
    }
    clearImmediate(batch.turn);
    this.#batch = null;
    batch.waiting?.resolve();
    const commit = { seconds: (performance.now() - from) / 1000, transactions: batch.transactions };
    for (const listener of this.#commitListeners) this.#tell(listener, commit);
    if (this.#failure === null) this.#checkpoint();
  }

  /** A listener may read the record, which may fail then: whoever committed succeeded all the same. */
  #tell(listener: (commit: Commit) => void, commit: Commit): void {
    try {
      listener(commit);
    } catch (error) {
      // The record's own failure is told by `onFailure`. Anything else is a mistake in the program, and ends it as one.
      if (error === this.#failure) return;
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  /** Copies the log to the database file where it has grown. An fsync that fails here is as bad as one of a COMMIT. */
  #checkpoint(): void {
    try {
      const at = this.#statement("PRAGMA wal_checkpoint(NOOP)").get();
      if (Number(at?.["log"]) - Number(at?.["checkpointed"]) < LOG_PAGES_MAX) return;
      this.#statement("PRAGMA wal_checkpoint(PASSIVE)").get();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Runs one statement; an error that leaves the record in doubt is the record's last. */
  #watch<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      // Some errors make SQLite take back the whole batch, and with it what others wrote.
      const lost = this.#batch !== null && !(this.#db.isOpen && this.#db.isTransaction);
      throw lost || endsRecord(error) ? this.#fail(error) : error;
    }
  }

  #fail(cause: unknown): Fault {
    if (this.#failure !== null) return this.#failure;
    const fault = recordFailed(cause);
    this.#failure = fault;
    const batch = this.#batch;
    this.#batch = null;
    if (batch !== null) clearImmediate(batch.turn);
    try {
      if (this.#db.isOpen && this.#db.isTransaction) this.#db.exec("ROLLBACK");
    } catch {
      // Nothing is written any more, so nothing can commit it.
    }
    this.#forget();
    batch?.waiting?.reject(fault);
    queueMicrotask(() => {
      for (const listener of this.#failureListeners) listener(fault);
    });
    return fault;
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const [oldest] = this.#statements.keys();
    if (oldest !== undefined && this.#statements.size >= STATEMENTS_MAX) this.#statements.delete(oldest);
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}
