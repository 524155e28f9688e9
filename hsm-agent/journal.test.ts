import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RequestState } from "../protocol/message.ts";
import { Journal } from "./journal.ts";
import { isStoreError } from "./store-error.ts";
import { fault, newJti } from "./testing.ts";

let folder: string;
let path: string;
let journal: Journal;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "opencustody-journal-"));
  path = join(folder, "agent.db");
  journal = new Journal(path);
});
afterEach(() => {
  journal.close();
  rmSync(folder, { recursive: true, force: true });
});

function edit(sql: string): void {
  journal.close();
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
  journal = new Journal(path);
}

const V = ["Treasury-1", "eip155:1"] as const;

function add(id: string, nonce: number, state: RequestState = "pending"): void {
  journal.addRequest({
    id,
    proposal: newJti(),
    state,
    vault: V[0],
    network: V[1],
    nonce,
    initiator: "Olga",
    expires: 100,
    at: 1,
    payload: "{}",
    digest: "",
    policy: 1,
    people: 1,
  });
}

test("a transaction is done whole or not at all, nested ones with it", () => {
  expect(() =>
    journal.transaction(() => {
      journal.setMeta("outer", "1");
      journal.transaction(() => journal.setMeta("inner", "1"));
      throw new Error("stop");
    }),
  ).toThrow("stop");
  expect([journal.meta("outer"), journal.meta("inner")]).toEqual([undefined, undefined]);
  journal.transaction(() => journal.transaction(() => journal.setMeta("inner", "2")));
  expect(journal.meta("inner")).toBe("2");
});

test("what was committed is there after a kill: the file of a process that never closed it", () => {
  journal.setMeta("key", "value");
  // A second reader would be refused by the lock; SQLite recovers from the log of the first.
  journal.close();
  journal = new Journal(path);
  expect(journal.meta("key")).toBe("value");
});

test("nonces: in order, freed ones first and the lowest of them first, each once", () => {
  journal.setNextNonce(...V, 7);
  expect([journal.takeNonce(...V), journal.takeNonce(...V), journal.takeNonce(...V)]).toEqual([7, 8, 9]);
  for (const nonce of [9, 7, 7]) journal.freeNonce(...V, nonce);
  expect([journal.takeNonce(...V), journal.takeNonce(...V), journal.takeNonce(...V)]).toEqual([7, 9, 10]);
  expect(journal.nextNonce(...V)).toBe(11);
});

test("nonces of vaults and networks are their own, and there is none before the first was set", () => {
  journal.setNextNonce(...V, 7);
  expect(() => journal.takeNonce("Treasury-1", "eip155:10")).toThrow(expect.objectContaining(fault("ERR_STATE")));
  expect(() => journal.takeNonce("Treasury-2", "eip155:1")).toThrow(expect.objectContaining(fault("ERR_STATE")));
});

test("a nonce that a rolled back transaction took is not lost", () => {
  journal.setNextNonce(...V, 7);
  const take = () =>
    journal.transaction(() => {
      journal.takeNonce(...V);
      throw new Error("fee cap");
    });
  expect(take).toThrow("fee cap");
  journal.freeNonce(...V, 3);
  expect(take).toThrow("fee cap");
  expect([journal.takeNonce(...V), journal.takeNonce(...V)]).toEqual([3, 7]);
});

const LIVE: RequestState[] = ["proposed", "pending", "approved", "signed"];
test.each(LIVE)("two live requests never have one nonce: one is %s", (state) => {
  add("A", 7, state);
  expect(() => add("B", 7)).toThrow("UNIQUE");
  add("C", 8);
});

const ENDED: RequestState[] = ["rejected", "cancelled", "expired", "void", "failed"];
test.each(ENDED)("the nonce of one that is %s may be used again", (state) => {
  add("A", 7, state);
  add("B", 7);
  expect(() => journal.changeRequest("A", { state: "pending" })).toThrow("UNIQUE");
});

test("one approval of a person for a request, one use of a jti, one request of a proposal", () => {
  add("A", 7);
  const record = { kind: "approval", person: "Alice", at: 1, vendor: null, reason: null, jws: "" } as const;
  journal.addRecord("A", { ...record, of: "1" });
  expect(() => journal.addRecord("A", { ...record, of: "2" })).toThrow("UNIQUE");
  expect(() => journal.addRecord("A", { ...record, person: "Bob", of: "1" })).toThrow("UNIQUE");
  journal.addRecord("A", { ...record, kind: "withdrawal", of: "3" });
  expect(journal.records("A").map(({ of }) => of)).toEqual(["1", "3"]);
  expect(journal.recordOf("1")).toEqual({ request: "A", person: "Alice" });
});

test("the outbox holds a message once for each receiver, in order, until it is removed", () => {
  journal.post("1", ["a", "b"], "x");
  journal.post("1", ["b", "c"], "x");
  journal.post("2", ["a"], "y");
  expect(journal.outbox().map(({ id, receiver }) => id + receiver)).toEqual(["1a", "1b", "1c", "2a"]);
  expect(journal.outbox(2).map(({ id, receiver }) => id + receiver)).toEqual(["1a", "1b"]);
  expect(journal.outbox(9, ["a", "c"]).map(({ id, receiver }) => id + receiver)).toEqual(["1b"]);
  expect(journal.waitingFor("a")).toBe(2);
  journal.removeFromOutbox(journal.outbox()[0]?.n ?? 0);
  expect(journal.outbox().map(({ id, receiver }) => id + receiver)).toEqual(["1b", "1c", "2a"]);
});

test("a change owes a receipt until the receipt for it is stored", () => {
  add("A", 7);
  journal.issueRequest("A", "pending", "jws");
  expect(journal.owedReceipts()).toEqual([]);
  journal.changeRequest("A", { state: "rejected", problem: null });
  journal.changeRequest("A", {});
  expect(journal.owedReceipts()).toEqual(["A"]);
  journal.setReceipt("A", 1, "receipt");
  expect(journal.owedReceipts()).toEqual(["A"]);
  journal.setReceipt("A", 2, "receipt");
  expect(journal.owedReceipts()).toEqual([]);
});

test("only what is due is found by its expiry", () => {
  add("A", 7);
  add("B", 8, "signed");
  expect(journal.requests(["pending"], 99)).toEqual([]);
  expect(journal.requests(["pending"], 100).map(({ id }) => id)).toEqual(["A"]);
});

test("a value that cannot be is said to be damage, not used", () => {
  add("A", 7);
  edit(
    "ALTER TABLE requests RENAME TO old; CREATE TABLE requests AS SELECT * FROM old; UPDATE requests SET nonce = 'x'",
  );
  expect(() => journal.request("A")).toThrow(expect.objectContaining(fault("ERR_STATE")));
});

test("no document before the first", () => {
  expect(() => journal.document("policy")).toThrow(expect.objectContaining(fault("ERR_STATE")));
});

test("errors of the store that may pass are told from those of what was to be stored", () => {
  add("A", 7);
  const catching = (work: () => unknown): unknown => {
    try {
      return work();
    } catch (error) {
      return error;
    }
  };
  expect(isStoreError(catching(() => add("B", 7)))).toBe(false);
  expect(isStoreError(new RangeError("too deep"))).toBe(false);
  const other = new Journal(join(folder, "other.db"));
  other.close();
  expect(isStoreError(catching(() => other.meta("x")))).toBe(true);
});
