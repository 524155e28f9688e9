/** What becomes of a COMMIT that fails, and of whoever is told of one that did not: with statements that fail when a test says so. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sqlite, { type StatementSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Fault } from "../protocol/error.ts";
import { type Commit, Store } from "./store.ts";

class Notes extends Store {
  tookBackTimes = 0;

  add(key: string): void {
    this.setMeta(key, "v");
  }

  keys(): string {
    return this.all("SELECT key FROM meta ORDER BY key")
      .map(({ key }) => String(key))
      .join(" ");
  }

  protected override tookBack(): void {
    this.tookBackTimes += 1;
  }
}

const RECORD: unknown = expect.objectContaining({ code: "ERR_RECORD" });
let folder: string;
let store: Notes;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "opencustody-store-commit-"));
  open();
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(): void {
  store = new Notes(join(folder, "record.db"));
}

/** Until `heal`, every statement that begins with `sql` fails as on a disk that does not answer. */
function ail(sql: string): { heal: () => void } {
  const { StatementSync } = sqlite;
  const broken = (real: "run" | "get" | "all") => {
    const call = StatementSync.prototype[real] as (...values: unknown[]) => unknown;
    return vi.spyOn(StatementSync.prototype, real).mockImplementation(function (this: StatementSync, ...values) {
      if (this.sourceSQL.startsWith(sql))
        throw Object.assign(new Error("disk I/O error"), { code: "ERR_SQLITE_ERROR", errcode: 10 });
      return call.apply(this, values) as never;
    });
  };
  const spies = [broken("run"), broken("get"), broken("all")];
  return { heal: () => spies.forEach((spy) => spy.mockRestore()) };
}

test("a COMMIT that fails takes back what was kept in memory of the batch", async () => {
  store.add("a");
  await store.durable();
  const { takenBack, tookBackTimes } = store;
  store.transaction(() => store.add("b"));
  const disk = ail("COMMIT");
  const waiting = store.durable();
  await expect(waiting).rejects.toEqual(RECORD);
  disk.heal();
  expect([store.tookBackTimes, store.takenBack]).toEqual([tookBackTimes + 1, takenBack + 1]);
  expect(store.keys()).toBe("a");
});

test("a record that cannot be read when its COMMIT is told of has failed, and nobody hears of it in another way", async () => {
  const told: Commit[] = [];
  store.onCommit(() => void store.keys());
  store.onCommit((commit) => told.push(commit));
  const heard: Fault[] = [];
  store.onFailure((fault) => heard.push(fault));
  const disk = ail("SELECT key");
  store.add("a");
  await store.durable();
  await new Promise((resolve) => setImmediate(resolve));
  disk.heal();
  expect(heard).toEqual([RECORD]);
  expect(store.failure).toBe(heard[0]);
  // The commit succeeded, and everybody else was told of it.
  expect(told).toHaveLength(1);
  store.close();
  open();
  expect(store.keys()).toBe("a");
});

test("a mistake of whoever is told of a COMMIT is not taken for one of the commit, and not hidden", async () => {
  const wrong = new RangeError("no");
  store.onCommit(() => {
    throw wrong;
  });
  const told: Commit[] = [];
  store.onCommit((commit) => told.push(commit));
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  const thrown = new Promise((resolve) => process.once("uncaughtException", resolve));
  try {
    store.add("a");
    store.flush();
    expect(await thrown).toBe(wrong);
  } finally {
    for (const other of others) process.on("uncaughtException", other);
  }
  expect([told.length, store.failure, store.keys()]).toEqual([1, null, "a"]);
});
