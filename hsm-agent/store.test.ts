import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Fault } from "../protocol/error.ts";
import { type Commit, Store } from "./store.ts";
import { endsRecord, isStoreError } from "./store-error.ts";

class Notes extends Store {
  settled: () => void = () => {};
  tookBackTimes = 0;

  add(key: string, value = "v"): void {
    this.run("INSERT INTO meta (key, value) VALUES (?, ?)", key, value);
  }

  keys(): string {
    return this.all("SELECT key FROM meta ORDER BY key")
      .map(({ key }) => String(key))
      .join(" ");
  }

  number(n: number): unknown {
    return this.get(`SELECT ${n} AS n`)?.["n"];
  }

  /** As on a disk that is full: SQLite itself then answers SQLITE_FULL. */
  fill(): void {
    const pages = Number(this.get("PRAGMA page_count")?.["page_count"]);
    this.get(`PRAGMA max_page_count = ${pages}`);
  }

  empty(): void {
    this.get("PRAGMA max_page_count = 4294967294");
  }

  protected override settle(): void {
    this.settled();
  }

  protected override tookBack(): void {
    this.tookBackTimes += 1;
  }
}

const BIG = "v".repeat(20_000);
let folder: string;
let path: string;
let store: Notes;
let commits: Commit[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "opencustody-store-"));
  path = join(folder, "record.db");
  open();
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(): void {
  store = new Notes(path);
  commits = [];
  store.onCommit((commit) => commits.push(commit));
}

function caught(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

const RECORD: unknown = expect.objectContaining({ code: "ERR_RECORD" });

test("all transactions of one turn, and what is written outside of any, are one COMMIT for all who wait", async () => {
  for (const key of ["a", "b", "c"]) store.transaction(() => store.add(key));
  store.setMeta("d", "1");
  store.removeMeta("a");
  expect(commits).toEqual([]);
  expect(store.keys()).toBe("b c d");
  await Promise.all([store.durable(), store.durable(), store.durable()]);
  expect(commits.map(({ transactions }) => transactions)).toEqual([5]);
  expect(commits[0]?.seconds).toBeGreaterThan(0);
  await store.durable();
  expect(commits).toHaveLength(1);
});

test("it is committed at the end of the turn though nobody waits", async () => {
  store.transaction(() => store.add("a"));
  await new Promise((resolve) => setImmediate(resolve));
  expect(commits).toHaveLength(1);
});

test("a transaction that only reads opens nothing", async () => {
  expect(store.transaction(() => store.keys())).toBe("");
  await store.durable();
  store.flush();
  expect(commits).toEqual([]);
});

test("a transaction is taken back whole, and what others wrote in the same batch stays", async () => {
  store.transaction(() => store.add("before"));
  const wrong = new RangeError("no");
  const failing = () =>
    store.transaction(() => {
      store.add("half");
      store.transaction(() => store.add("nested"));
      throw wrong;
    });
  expect(caught(failing)).toBe(wrong);
  expect(store.keys()).toBe("before");
  store.transaction(() => store.add("after"));
  await store.durable();
  expect([store.tookBackTimes, store.failure, commits.map(({ transactions }) => transactions)]).toEqual([1, null, [2]]);
  store.close();
  open();
  expect(store.keys()).toBe("after before");
});

test("what a constraint refuses takes back its own transaction only, and is no error of the record", async () => {
  store.add("a");
  store.transaction(() => store.add("b"));
  const refused = caught(() =>
    store.transaction(() => {
      store.add("c");
      store.add("a");
    }),
  );
  expect([isStoreError(refused), endsRecord(refused)]).toEqual([false, false]);
  expect(caught(() => store.add("b"))).toMatchObject({ code: "ERR_SQLITE_ERROR" });
  await store.durable();
  expect([store.keys(), store.failure]).toEqual(["a b", null]);
});

test("what a work refused and went on after is in its transaction still", () => {
  store.transaction(() => {
    store.add("a");
    caught(() => store.add("a"));
    store.add("b");
  });
  expect(store.keys()).toBe("a b");
});

test("each outermost transaction settles once, within; what settling throws takes it back", () => {
  let settled = 0;
  store.settled = () => {
    settled += 1;
    store.add(`settled${settled}`);
  };
  store.transaction(() => store.transaction(() => store.add("a")));
  expect(store.keys()).toBe("a settled1");
  store.add("b");
  expect(store.keys()).toBe("a b settled1 settled2");
  store.settled = () => {
    store.add("half");
    throw new RangeError("no");
  };
  expect(caught(() => store.transaction(() => store.add("c")))).toBeInstanceOf(RangeError);
  expect(caught(() => store.add("d"))).toBeInstanceOf(RangeError);
  expect(store.keys()).toBe("a b settled1 settled2");
});

test("flush commits at once, wakes who waits, and is refused within a transaction", async () => {
  store.add("a");
  const waiting = store.durable();
  store.flush();
  expect(commits).toHaveLength(1);
  await waiting;
  const within = caught(() =>
    store.transaction(() => {
      store.add("b");
      store.flush();
    }),
  );
  expect(within).toMatchObject({ code: "ERR_INTERNAL" });
  await new Promise((resolve) => setImmediate(resolve));
  expect([store.keys(), store.failure]).toEqual(["a", null]);
});

test("closing makes durable what was written", async () => {
  store.add("a");
  const waiting = store.durable();
  store.close();
  await waiting;
  expect(isStoreError(caught(() => store.keys()))).toBe(true);
  expect(isStoreError(caught(() => store.add("b")))).toBe(true);
  open();
  expect(store.keys()).toBe("a");
});

test("a full disk ends the record: the batch is taken back, whoever waits is refused, and so is everybody after", async () => {
  store.add("old");
  await store.durable();
  const heard: Fault[] = [];
  store.onFailure((fault) => heard.push(fault));
  store.fill();
  store.transaction(() => store.add("early"));
  const waiting = store.durable();
  const fault = caught(() => store.transaction(() => store.add("big", BIG)));
  expect(fault).toEqual(RECORD);
  expect(fault).toBe(store.failure);
  expect([isStoreError(fault), endsRecord((fault as Fault).cause)]).toEqual([true, true]);
  await expect(waiting).rejects.toBe(fault);
  store.empty();
  for (const _ of [1, 2]) {
    expect(caught(() => store.transaction(() => store.add("later")))).toBe(fault);
    expect(caught(() => store.transaction(() => 1))).toBe(fault);
    expect(caught(() => store.setMeta("later", "1"))).toBe(fault);
    expect(caught(() => store.flush())).toBe(fault);
    await expect(store.durable()).rejects.toBe(fault);
  }
  expect(heard).toEqual([fault]);
  store.onFailure((late) => heard.push(late));
  await Promise.resolve();
  expect(heard).toEqual([fault, fault]);
  expect(store.keys()).toBe("old");
  store.close();
  open();
  expect([store.keys(), store.failure]).toEqual(["old", null]);
});

test("a work that hides the record's failure, or takes it for something else, is refused all the same", () => {
  store.fill();
  const hiding = caught(() =>
    store.transaction(() => {
      caught(() => store.add("big", BIG));
      return "done";
    }),
  );
  expect(hiding).toEqual(RECORD);
  expect(store.keys()).toBe("");
  store.close();
  open();
  store.fill();
  const mistaking = caught(() =>
    store.transaction(() => {
      caught(() => store.add("big", BIG));
      throw new RangeError("no");
    }),
  );
  expect(mistaking).toBe(store.failure);
});

test("more statements than are kept prepared", () => {
  for (const _ of [1, 2])
    expect(Array.from({ length: 600 }, (_, n) => store.number(n))).toEqual([...Array(600).keys()]);
});
