/**
 * The agent's log in its record: one line for each decision, and the whole subtrees of their Merkle tree, so that no proof has to read
 * more than a few of them. README.md of protocol/, "Log". Entries are appended by the statements of ledger.ts and journal.ts, in the
 * transaction of what they tell of; nothing here changes or removes one.
 */
import { hash } from "node:crypto";
import type { TreeHead } from "../protocol/checkpoint.ts";
import { Fault } from "../protocol/error.ts";
import { type Entry, entryText } from "../protocol/log-entry.ts";
import { completed, consistencyPath, inclusionPath, rootAt } from "../protocol/merkle.ts";
import type { ProvedEntry } from "../protocol/view.ts";
import { Memo } from "./memo.ts";
import { text } from "./rows.ts";
import { Store } from "./store.ts";

/** An entry without what every entry has. */
type Decision<E = Entry> = E extends Entry ? Omit<E, "v" | "at"> : never;

/** Hashes of subtrees that are kept as they were read or written: the edge that grows, and what proofs share. About a megabyte. */
const KEPT = 8_192;
const HASH = /^[0-9a-f]{64}$/;

export class Log extends Store {
  #size: number | undefined;
  readonly #nodes = new Memo<string>(KEPT);

  /** What an entry's time is, in seconds: the agent's own clock once it is there (clock.ts). */
  now: () => number = () => Math.floor(Date.now() / 1000);

  /** Appends a decision. Within a transaction. Returns its index. */
  protected append(decision: Decision): number {
    const { kind, ...rest } = decision;
    const line = entryText({ v: 1, kind, at: this.now(), ...rest } as Entry);
    const index = this.logSize();
    this.run("INSERT INTO log (n, entry) VALUES (?, ?)", index, line);
    this.#size = index + 1;
    this.#addNode(0, index, hash("sha256", `\0${line}`));
    for (const { level, at } of completed(index)) {
      this.#addNode(level, at, join(this.node(level - 1, 2 * at), this.node(level - 1, 2 * at + 1)));
    }
    return index;
  }

  /** How many entries there are. */
  logSize(): number {
    if (this.#size === undefined) {
      const last = this.get("SELECT max(n) AS n FROM log")?.["n"];
      this.#size = typeof last === "number" ? last + 1 : 0;
    }
    return this.#size;
  }

  logHead(): TreeHead {
    const size = this.logSize();
    return { size, root: this.logRoot(size) };
  }

  /** The root when the log had `size` entries. */
  logRoot(size: number): string {
    return rootAt(size, (level, at) => this.node(level, at), join);
  }

  /** Whether the log once was as `head` says. */
  hasBeen({ size, root }: TreeHead): boolean {
    return size <= this.logSize() && this.logRoot(size) === root;
  }

  /** The lines from `index` on, at most `most` of them. */
  logLines(index: number, most: number): string[] {
    return this.all("SELECT entry FROM log WHERE n >= ? ORDER BY n LIMIT ?", index, most).map((row) =>
      text(row["entry"]),
    );
  }

  /** Whether `line` is the entry that was logged at `index`: by its leaf, and by each whole subtree that it completed. */
  holds(index: number, line: string): boolean {
    const isTree = [...completed(index)].every(
      ({ level, at }) => this.node(level, at) === join(this.node(level - 1, 2 * at), this.node(level - 1, 2 * at + 1)),
    );
    return isTree && this.node(0, index) === hash("sha256", `\0${line}`);
  }

  /** An entry with its path to the root of the first `size` entries. @throws Fault ERR_STATE where there is none */
  prove(index: number, size: number): ProvedEntry {
    const line = text(this.get("SELECT entry FROM log WHERE n = ?", index)?.["entry"]);
    return { index, text: line, path: inclusionPath(index, size, (level, at) => this.node(level, at), join) };
  }

  /** That the log of `from` entries is the beginning of the one of `size`. */
  proveConsistency(from: number, size: number): string[] {
    return consistencyPath(from, size, (level, at) => this.node(level, at), join);
  }

  /** The hash of a whole subtree. @throws Fault ERR_STATE where it is missing, or is none: no root is made of that */
  node(level: number, at: number): string {
    const name = `${level} ${at}`;
    let hash = this.#nodes.get(name);
    if (hash === undefined) {
      hash = text(this.get("SELECT hash FROM log_nodes WHERE level = ? AND at = ?", level, at)?.["hash"]);
      if (!HASH.test(hash)) throw DAMAGED;
      this.#nodes.set(name, hash);
    }
    return hash;
  }

  protected override tookBack(): void {
    this.#size = undefined;
    this.#nodes.clear();
  }

  #addNode(level: number, at: number, hash: string): void {
    this.run("INSERT INTO log_nodes (level, at, hash) VALUES (?, ?, ?)", level, at, hash);
    this.#nodes.set(`${level} ${at}`, hash);
  }
}

const DAMAGED = new Fault(
  "ERR_STATE",
  "The agent's record is damaged: a hash of its log is none. Restore it from a backup.",
);

/** `nodeHash` of protocol/merkle.ts, by the system's SHA-256. It looks at neither: both are hashes. */
function join(left: string, right: string): string {
  return hash("sha256", Buffer.from(`01${left}${right}`, "hex"));
}
