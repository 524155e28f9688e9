/**
 * Group commit: what is written in one turn of the event loop is one transaction, durable at its end, and who waits for that
 * is told then. After a write or a commit that failed nothing is written any more and nobody is told that anything is
 * durable: SQLite would go on after an fsync's error as if nothing were lost. Knows no tables. protocol/README.md, "Mailbox".
 */
import { Fault } from "../protocol/error.ts";
import type { Turn } from "./turn.ts";

/** How the store failed: SQLite's extended result code, and nothing of what it said. */
export interface StoreFailure {
  readonly errcode: number | undefined;
}

export class GroupCommit {
  readonly #run: (sql: string) => void;
  readonly #turn: Pick<Turn, "later">;
  #waiting: (() => void)[] = [];
  #isOpen = false;
  #failure: StoreFailure | undefined;
  /** Told once, when the store has failed. */
  onFailure: (failure: StoreFailure) => void = () => undefined;
  commits = 0;

  /** `run` has SQLite do one statement. */
  constructor(run: (sql: string) => void, turn: Pick<Turn, "later">) {
    this.#run = run;
    this.#turn = turn;
  }

  get failure(): StoreFailure | undefined {
    return this.#failure;
  }

  /** Runs `work` in the transaction of this turn: all of it or nothing. @throws Fault ERR_INTERNAL once the store has failed */
  write<T>(work: () => T): T {
    return this.guard(() => {
      if (!this.#isOpen) this.#begin();
      this.#run("SAVEPOINT work");
      try {
        const result = work();
        this.#run("RELEASE work");
        return result;
      } catch (error) {
        // A mistake of ours undoes what it had begun; of a store that fails nothing more is asked.
        if (!isOfStore(error)) for (const undo of ["ROLLBACK TO work", "RELEASE work"]) this.#run(undo);
        throw error;
      }
    });
  }

  /** Runs `then` when all that was written so far is durable: now, where it is. Never, where that fails. */
  durable(then: () => void): void {
    if (this.#isOpen) this.#waiting.push(then);
    else if (this.#failure === undefined) then();
  }

  /** Commits what is open. @throws Fault ERR_INTERNAL once the store has failed */
  commit(): void {
    this.guard(() => {
      if (!this.#isOpen) return;
      this.#run("COMMIT");
      this.#isOpen = false;
      this.commits += 1;
    });
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const then of waiting) then();
  }

  /** The store is closed: what is open is not committed, and nobody is told of it. */
  end(): void {
    this.#isOpen = false;
    this.#waiting = [];
  }

  /** Runs `work` of the store, which ends for good where that fails. @throws Fault ERR_INTERNAL once the store has failed */
  guard<T>(work: () => T): T {
    if (this.#failure !== undefined) throw failed();
    try {
      return work();
    } catch (error) {
      if (!isOfStore(error)) throw error;
      this.#failure = { errcode: "errcode" in error ? Number(error.errcode) : undefined };
      this.#waiting = [];
      this.onFailure(this.#failure);
      throw failed(error);
    }
  }

  #begin(): void {
    this.#run("BEGIN IMMEDIATE");
    this.#isOpen = true;
    this.#turn.later(() => {
      if (this.#failure !== undefined) return;
      try {
        this.commit();
      } catch (error) {
        // Told already; what waited for this commit is told nothing.
        if (this.#failure === undefined) throw error;
      }
    });
  }
}

function isOfStore(error: unknown): error is Error {
  return error instanceof Error && "code" in error && error.code === "ERR_SQLITE_ERROR";
}

function failed(cause?: unknown): Fault {
  return new Fault("ERR_INTERNAL", "The bridge's store has failed; look at its disk, then start it again.", { cause });
}
