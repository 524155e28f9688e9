/** Which files are taken for a record. What is durable in one is in store-faults.test.ts. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Store } from "./store.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "opencustody-record-"));
  path = join(folder, "record.db");
  new Store(path).close();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const opening =
  (file = path) =>
  () =>
    new Store(file).close();

test("its own is opened again, and again", () => {
  for (const _ of [1, 2]) expect(opening()).not.toThrow();
});

const OTHERS: [string, string][] = [
  ["a table lacks a column", "ALTER TABLE meta RENAME TO old; CREATE TABLE meta (key TEXT PRIMARY KEY) STRICT"],
  ["a table has one more", "ALTER TABLE requests ADD COLUMN more TEXT"],
  ["a table is not there", "DROP TABLE request_texts"],
  ["there is one more", "CREATE TABLE more (n INTEGER)"],
  ["a rule of theirs is not there", "DROP INDEX requests_nonce"],
  ["a trigger writes too", "CREATE TRIGGER more AFTER INSERT ON meta BEGIN DELETE FROM freezes; END"],
];
test.each(OTHERS)("a record whose tables are not those of this version is refused by name: %s", (_what, sql) => {
  const tables = () => {
    const database = new DatabaseSync(path);
    const found = database.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").all();
    database.close();
    return found;
  };
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
  const before = tables();
  const message: unknown = expect.stringContaining("another version");
  expect(opening()).toThrow(expect.objectContaining({ code: "ERR_STATE", message }));
  expect(tables()).toEqual(before);
});

test("a record that is no database is refused by a sentence", () => {
  writeFileSync(join(folder, "wrong.db"), "x".repeat(4096));
  expect(opening(join(folder, "wrong.db"))).toThrow(expect.objectContaining({ code: "ERR_RECORD" }));
});
