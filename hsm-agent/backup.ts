/**
 * Backups of the agent's record: whole copies for the day when its disk is dead, without what only the running agent needs
 * (record-copy.ts). protocol/README.md, "Rollback". The agent goes on meanwhile; where one cannot be written it says so and goes on too.
 * How one comes back is restore.ts.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { Worker } from "node:worker_threads";
import * as v from "valibot";
import { Fault, isFault } from "../protocol/error.ts";
import type { Desk } from "./desk.ts";
import type { Journal } from "./journal.ts";
import { newestCheckpoint } from "./showing.ts";

/** Of the agent's own backups so many are kept, and the last one of each month. */
const KEPT = 10;
/** Seconds. */
const EVERY = 86_400;
const AGAIN = 600;
const NAME = /^record-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-act-(\d{1,15})\.db$/;
/** A copy that begins within a batch of the record is refused, and begun again. */
const TRIES = 100;
/** What is written under another name first, with what SQLite puts beside it: a process that was killed in the middle leaves it. */
const SCRATCH = /^agent\.db\.copy-[0-9a-f]{16}(-wal|-shm|-journal)?$/;
const PART = /^(.+)\.part-[0-9a-f]{16}(-wal|-shm|-journal)?$/;

/** What was written. `entries`: how long its log is. */
export interface BackedUp {
  readonly file: string;
  readonly entries: number;
}

/**
 * Writes a backup to `file`, with mode 0600 and durable when this resolves. `data` is the folder of the record, in which the whole record
 * is copied first: private keys never reach the folder of the backup. `at` in seconds. @throws Fault ERR_RECORD, ERR_STATE
 */
export async function backUp(
  journal: Journal,
  data: string,
  file: string,
  at: number,
  replace = false,
): Promise<BackedUp> {
  const whole = join(data, `agent.db.copy-${randomBytes(8).toString("hex")}`);
  const part = `${file}.part-${randomBytes(8).toString("hex")}`;
  try {
    // One at a time is written: this one's are of a process that was killed.
    removeAll(dirname(file), (name) => PART.exec(name)?.[1] === basename(file));
    for (const path of [whole, part]) closeSync(openSync(path, "wx", 0o600));
    await copyAll(journal, whole);
    const entries = await strip(whole, part, at);
    sync(part);
    if (!replace && existsSync(file)) throw new Fault("ERR_STATE", `${file} is there already; name another file.`);
    renameSync(part, file);
    sync(dirname(file));
    return { file, entries };
  } catch (error) {
    if (isFault(error)) throw error;
    const why = error instanceof Error ? error.message : "unknown";
    throw new Fault("ERR_STATE", `The backup ${file} was not written (${why}).`, { cause: error });
  } finally {
    for (const path of [whole, part]) removeRecord(path);
  }
}

async function copyAll(journal: Journal, path: string): Promise<void> {
  for (let left = TRIES; ; left -= 1) {
    try {
      await journal.copyTo(path);
      return;
    } catch (error) {
      if (left === 0 || isFault(error)) throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** Returns how many entries the log has. */
async function strip(from: string, to: string, at: number): Promise<number> {
  const worker = new Worker(new URL("./backup-worker.ts", import.meta.url), { workerData: { from, to, at } });
  const said = await new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", () => reject(new Error("the copy ended early")));
  });
  return v.parse(v.strictObject({ entries: v.number() }), said).entries;
}

/** Of a file of SQLite's, with what stands beside it while it is open. */
export function removeRecord(path: string): void {
  for (const tail of ["", "-wal", "-shm", "-journal"]) rmSync(`${path}${tail}`, { force: true });
}

/** Removes the regular files in `folder` that `isOne` says are ours, and nothing else that has such a name. */
function removeAll(folder: string, isOne: (name: string) => boolean): void {
  for (const name of readdirSync(folder).filter(isOne)) {
    const path = join(folder, name);
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === true) rmSync(path, { force: true });
  }
}

/** Makes a file, or what a folder says of its files, durable. */
export function sync(path: string): void {
  const opened = openSync(path, "r");
  try {
    fsyncSync(opened);
  } finally {
    closeSync(opened);
  }
}

/** An agent's own backup, by its name. `at` in seconds; `act`: the last one in it. */
interface Own {
  readonly name: string;
  readonly at: number;
  readonly act: number;
}

/** Those among `names`, the newest first. */
export function ownBackups(names: readonly string[]): Own[] {
  const own = names.flatMap((name) => {
    const [, year, month, day, hour, minute, second, act] = NAME.exec(name) ?? [];
    if (year === undefined) return [];
    return [{ name, at: Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) / 1000, act: Number(act) }];
  });
  return own.filter(({ at }) => Number.isFinite(at)).sort((a, b) => b.at - a.at || b.act - a.act);
}

function nameOf(at: number, act: number): string {
  return `record-${new Date(at * 1000).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z-act-${act}.db`;
}

/** Which of `names` are removed: neither among the last ones, nor the last of their month. */
export function superfluous(names: readonly string[]): string[] {
  const months = new Set<string>();
  return ownBackups(names).flatMap(({ name, at }, place) => {
    const month = new Date(at * 1000).toISOString().slice(0, 7);
    const isLast = !months.has(month);
    months.add(month);
    return isLast || place < KEPT ? [] : [name];
  });
}

export interface BackupStatus {
  readonly folder: string;
  /** The last one: when, in seconds, and up to which act; null where there is none. */
  readonly last: { readonly at: number; readonly act: number } | null;
  /** Why the last try failed; null where it did not. */
  readonly problem: string | null;
}

/** The backups of a running agent. */
export class Backups {
  readonly #desk: Desk;
  readonly #data: string;
  readonly #folder: string | null;
  #running: Promise<unknown> = Promise.resolve();
  #isBusy = false;
  #last: Own | null = null;
  #problem: string | null = null;
  /** Not before, in seconds. */
  #next = 0;

  /** `data`: the record's folder; `folder`: where the agent's own backups go, null for nowhere. */
  constructor(desk: Desk, data: string, folder: string | null) {
    this.#desk = desk;
    this.#data = data;
    this.#folder = folder;
    removeAll(data, (name) => SCRATCH.test(name));
    if (folder !== null) this.#last = this.#find(folder);
  }

  /** null where the configuration names no folder. */
  get status(): BackupStatus | null {
    if (this.#folder === null) return null;
    const last = this.#last === null ? null : { at: this.#last.at, act: this.#last.act };
    return { folder: this.#folder, last, problem: this.#problem };
  }

  /** To a file that is not there yet, for an operator. @throws Fault ERR_RECORD, ERR_STATE */
  async write(file: string): Promise<BackedUp> {
    return await this.#alone(async () => await this.#write(file));
  }

  /** Writes one of the agent's own where it is due: after an act, and once a day. */
  keep(): void {
    const folder = this.#folder;
    const { charter, witnesses, now } = this.#desk;
    // One of a record that may not be the newest would push out better ones.
    if (folder === null || this.#isBusy || charter.current === null || !witnesses.isCurrent) return;
    const act = charter.current.n;
    const at = now();
    const isDue = this.#last === null || this.#last.act !== act || at >= this.#last.at + EVERY;
    if (!isDue || at < this.#next) return;
    void this.#alone(async () => await this.#keepOne(folder, act, at));
  }

  /** Resolves when none is being written. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #keepOne(folder: string, act: number, at: number): Promise<void> {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      removeAll(folder, (name) => NAME.test(PART.exec(name)?.[1] ?? ""));
      const name = nameOf(at, act);
      await this.#write(join(folder, name), true);
      this.#last = { name, at, act };
      this.#problem = null;
      for (const old of superfluous(readdirSync(folder))) rmSync(join(folder, old), { force: true });
    } catch (error) {
      this.#next = at + AGAIN;
      this.#problem = error instanceof Error ? error.message : "The backup was not written.";
      this.#desk.log.error({ err: error }, "no backup was written");
    }
  }

  async #write(file: string, replace = false): Promise<BackedUp> {
    try {
      // So that all of it is signed for.
      if (this.#desk.charter.current !== null) await newestCheckpoint(this.#desk);
    } catch (error) {
      this.#desk.log.warn({ err: error }, "the backup ends with an older checkpoint");
    }
    return await backUp(this.#desk.journal, this.#data, file, this.#desk.now(), replace);
  }

  /** One after the other. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#running;
    this.#isBusy = true;
    const mine = before.then(work);
    const done = mine.then(
      () => {},
      () => {},
    );
    this.#running = done;
    try {
      return await mine;
    } finally {
      if (this.#running === done) this.#isBusy = false;
    }
  }

  #find(folder: string): Own | null {
    try {
      return ownBackups(readdirSync(folder))[0] ?? null;
    } catch {
      // Not there yet, or not to be read: the first backup says so.
      return null;
    }
  }
}
