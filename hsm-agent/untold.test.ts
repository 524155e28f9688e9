/** Open requests stand as the log last told of them, in every state and over any number of starts; one that was put there does not. */
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Office } from "./testing.ts";
import { away } from "./testing-hsm.ts";
import { makePerson, VAULT } from "./testing-people.ts";
import { findUntold } from "./untold.ts";

const [ALICE, BOB, CAROL, OLGA] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol"), makePerson("Olga")];
let office: Office;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA);
});
afterEach(() => office.dispose());

const untold = () => [...findUntold(office.desk.journal)];
async function editing(sql: string): Promise<void> {
  await office.reopen((path) => {
    const record = new DatabaseSync(path);
    record.exec(sql);
    record.close();
  });
}

/** Proposed, pending, answered, approved and back, approved; and one that is no transfer. */
async function openOnes(): Promise<string[]> {
  const ids = [await office.propose(OLGA)];
  for (let n = 0; n < 4; n += 1) {
    const id = await office.propose(OLGA);
    await office.drive(id);
    ids.push(id);
  }
  const [, , answered = "", back = "", approved = ""] = ids;
  await office.approve(ALICE, answered);
  office.hsm.before = ({ curve }) => (curve === "secp256k1" ? away() : undefined);
  for (const id of [back, approved]) {
    for (const person of [ALICE, BOB]) await office.approve(person, id);
    await office.drive(id).catch(() => {});
  }
  await office.withdraw(BOB, back);
  await office.freeze(CAROL, VAULT);
  await office.drive(back);
  expect(ids.map((id) => office.row(id).state)).toEqual(["proposed", "pending", "pending", "pending", "approved"]);
  return [...ids, await office.motion(OLGA, { verb: "UNFREEZE", change: { vault: VAULT } })];
}

test("what the agent itself wrote is told, also where thousands of entries came after it", async () => {
  await openOnes();
  expect(untold()).toEqual([]);
  const { journal } = office.desk;
  journal.transaction(() => {
    for (let n = 0; n < 2_100; n += 1) journal.addFreeze({ vault: null, by: null, at: office.now, of: null });
  });
  expect(untold()).toEqual([]);
  await office.reopen();
  expect([...office.desk.untold]).toEqual([]);
});

test("of all that is open nothing is told once the log since then was altered, or a hash of it is missing", async () => {
  const ids = (await openOnes()).sort();
  await editing("UPDATE log SET entry = replace(entry, 'Carol', 'Karol') WHERE entry LIKE '%Carol%'");
  expect([...office.desk.untold].sort()).toEqual(ids);
  await editing("UPDATE log SET entry = replace(entry, 'Karol', 'Carol') WHERE entry LIKE '%Karol%'");
  expect([...office.desk.untold]).toEqual([]);
  await editing("DELETE FROM log_nodes WHERE level = 0 AND at = (SELECT max(n) FROM log) - 1");
  expect([...office.desk.untold].sort()).toEqual(ids);
});

test("one that was asked for, and is made a proposal again, is not told", async () => {
  const [, pending = "", answered = ""] = await openOnes();
  await editing(
    `DELETE FROM records WHERE request = '${answered}'; UPDATE requests SET state = 'proposed', issued = NULL, entry = NULL, revision = 0, logged = 0 WHERE id IN ('${pending}', '${answered}')`,
  );
  expect([...office.desk.untold].sort()).toEqual([pending, answered].sort());
});
