import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { EMPTY_ROOT, isConsistent, isIncluded, leafHash } from "../protocol/merkle.ts";
import { Journal } from "./journal.ts";

let folder: string;
let journal: Journal;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "opencustody-log-"));
  journal = new Journal(join(folder, "agent.db"));
  journal.now = () => 1_800_000_000;
});
afterEach(() => {
  journal.close();
  rmSync(folder, { recursive: true, force: true });
});

const freeze = (): void => journal.addFreeze({ vault: null, by: null, at: 1, of: null });
const hashOf = (line: string): string => leafHash(new TextEncoder().encode(line));

test("an empty log has the root of nothing", () => {
  expect(journal.logHead()).toEqual({ size: 0, root: EMPTY_ROOT });
  expect(journal.hasBeen({ size: 0, root: EMPTY_ROOT })).toBe(true);
  expect(journal.hasBeen({ size: 1, root: EMPTY_ROOT })).toBe(false);
});

test("every entry of every size is proved, and every size goes on from every smaller one", () => {
  const roots = [journal.logRoot(0)];
  for (let size = 1; size <= 40; size += 1) {
    freeze();
    roots.push(journal.logRoot(size));
  }
  for (const [size, root] of roots.entries()) {
    expect(journal.hasBeen({ size, root })).toBe(true);
    for (let index = 0; index < size; index += 1) {
      const { text, path } = journal.prove(index, size);
      expect(isIncluded(hashOf(text), index, size, path, root)).toBe(true);
    }
    for (const [from, fromRoot] of roots.slice(0, size + 1).entries())
      expect(isConsistent(from, fromRoot, size, root, journal.proveConsistency(from, size))).toBe(true);
  }
});

test("another root of a size that was is not what was", () => {
  for (let size = 0; size < 5; size += 1) freeze();
  expect(journal.hasBeen({ size: 4, root: journal.logRoot(3) })).toBe(false);
  expect(journal.hasBeen({ size: 6, root: journal.logRoot(5) })).toBe(false);
});

test("what is taken back leaves no entry and no node", () => {
  freeze();
  const head = journal.logHead();
  expect(() =>
    journal.transaction(() => {
      for (let more = 0; more < 7; more += 1) freeze();
      throw new Error("no");
    }),
  ).toThrow("no");
  expect(journal.logHead()).toEqual(head);
  for (let more = 0; more < 7; more += 1) freeze();
  expect(journal.logSize()).toBe(8);
});

const NODES: [string, string][] = [
  ["no hex", "not hex"],
  ["a digit too few", "a".repeat(63)],
  ["upper case", "A".repeat(64)],
  ["empty", ""],
  ["a line too many", `${"a".repeat(64)}\n`],
];
test.each(NODES)("no root is made of a node that is no hash: %s", (_what, hash) => {
  for (let size = 0; size < 3; size += 1) freeze();
  const path = join(folder, "agent.db");
  journal.close();
  const database = new DatabaseSync(path);
  database.prepare("UPDATE log_nodes SET hash = ? WHERE level = 0 AND at = 2").run(hash);
  database.close();
  journal = new Journal(path);
  // Not at the first time, and not later.
  for (const _ of [1, 2]) {
    const damaged: unknown = expect.objectContaining({ code: "ERR_STATE" });
    expect(() => journal.logHead()).toThrow(damaged);
    expect(() => journal.prove(0, 3)).toThrow(damaged);
    expect(() => journal.transaction(freeze)).toThrow(damaged);
  }
  expect(journal.logSize()).toBe(3);
});

test("an entry is a line that says when, by the agent's clock", () => {
  freeze();
  expect(journal.logLines(0, 9)).toEqual(['{"v":1,"kind":"freeze","at":1800000000,"vault":null,"by":null,"of":null}']);
});
