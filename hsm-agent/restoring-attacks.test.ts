/** RESTORE as an attacker or bad luck would have it: old disks, old tokens, a gap that grows, a token that is lost as well. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WITNESS } from "../protocol/message.ts";
import { EMPTY_ANCHOR } from "./anchor.ts";
import { removeRecord } from "./backup.ts";
import { succeedOn } from "./init.ts";
import { Journal } from "./journal.ts";
import type { Restore } from "./restoring.ts";
import type { Checkpoint } from "./showing.ts";
import type { Office } from "./testing.ts";
import { LOG } from "./testing-agent.ts";
import { MemoryHsm } from "./testing-hsm.ts";
import { fault } from "./testing-people.ts";
import {
  ALICE,
  BOB,
  backup,
  CAROL,
  carryOutRestore,
  companyWithGap,
  gap,
  handedOut,
  headOf,
  known,
  lose,
  OLGA,
  proposeRestore,
  show,
} from "./testing-restore.ts";

let office: Office;
let file: string;
let newest: Checkpoint;
beforeEach(async () => {
  ({ office, file, newest } = await companyWithGap());
});
afterEach(() => office.dispose());

const motion = async (change: Restore) => await proposeRestore(office, change);
const restore = async (change: Restore) => await carryOutRestore(office, change);
const sign = async (amount: string) => await handedOut(office, amount);

test("what browsers said to an earlier start is sealed anew to the key of today by whoever reads the disk: nobody was heard", async () => {
  const said = await Promise.all(
    [ALICE, BOB].map(async (person) => {
      const witness = await office.message(WITNESS, person.key, { checkpoint: newest.note });
      return await office.syncOf(person, [], 1, 1, { log: headOf(newest), witness });
    }),
  );
  office.trusting = false;
  await office.reopen();
  for (const [place, person] of [ALICE, BOB].entries())
    expect(await office.receive(person.key, said[place] ?? "")).toBeUndefined();
  expect([office.desk.witnesses.seen, office.desk.witnesses.isCurrent]).toEqual([0, false]);
  for (const person of [ALICE, BOB]) await show(office, person, newest);
  expect(office.desk.witnesses.isCurrent).toBe(true);
});

test("a log that was emptied, or lost an act's entry, does not run, though the token's anchor is set back as well", async () => {
  office.trusting = false;
  const edit = async (sql: string) =>
    await office.reopen((path) => {
      office.hsm.anchor = EMPTY_ANCHOR;
      const database = new DatabaseSync(path);
      database.exec(sql);
      database.close();
    });
  for (const sql of [
    "DELETE FROM log; DELETE FROM log_nodes",
    "UPDATE log SET entry = replace(entry, '\"act\"', '\"akt\"')",
  ])
    await expect(edit(sql)).rejects.toMatchObject(fault("ERR_STATE"));
});

test("after a RESTORE a record that is set back behind it is found by two people, and by one alone it is not", async () => {
  // More is given up than what follows.
  for (const amount of ["4", "4.1", "4.2"]) await sign(amount);
  const gone = await known(office);
  await lose(office, file);
  for (const person of [ALICE, BOB]) await show(office, person, gone);
  await restore(gap(office, 9));
  await office.anchored();
  const { anchor } = office.hsm;
  const old = join(office.folder, "old.db");
  await office.reopen((path) => copyFileSync(path, old));
  for (const person of [ALICE, BOB]) await show(office, person, await known(office));
  const rejected = await office.propose(OLGA, "5");
  await office.drive(rejected);
  await office.reject(ALICE, rejected);
  const later = await known(office);
  expect(later.size).toBeLessThanOrEqual(gone.size);
  await office.reopen((path) => {
    removeRecord(path);
    copyFileSync(old, path);
    office.hsm.anchor = anchor;
  });
  const { witnesses } = office.desk;
  for (let times = 0; times < 3; times += 1) expect(await show(office, ALICE, later)).toBe("ERR_LOG");
  expect([witnesses.isReadOnly, witnesses.isCurrent]).toEqual([false, false]);
  expect(await show(office, CAROL, later)).toBe("ERR_LOG");
  expect(witnesses.behind).toMatchObject({ size: later.size });
  // They were heard, so that a RESTORE leads on from here.
  expect(office.row(await restore(gap(office, 9))).state).toBe("enacted");
});

test("a gap that grows meanwhile voids what was asked, and the old one is asked for in vain", async () => {
  const earlier = newest;
  await sign("4");
  const later = await known(office);
  await lose(office, file);
  await show(office, ALICE, earlier);
  const change = gap(office, 9);
  const id = await motion(change);
  for (const person of [ALICE, BOB]) await office.approve(person, id);
  expect(await show(office, BOB, later)).toBe("ERR_LOG");
  await office.drive(id);
  expect(office.row(id).state).toBe("void");
  await expect(motion(change)).rejects.toMatchObject(fault("ERR_STATE"));
  expect(gap(office, 9).seen).toEqual(headOf(later));
  expect(office.row(await restore(gap(office, 9))).state).toBe("enacted");
});

test("an old disk with an approved RESTORE on it, and its old token: nobody is heard, so nothing is done", async () => {
  await lose(office, file);
  await show(office, ALICE, newest);
  const id = await restore(gap(office, 9));
  await office.anchored();
  const copy = join(office.folder, "copy.db");
  const { anchor } = office.hsm;
  await office.reopen((path) => copyFileSync(path, copy));
  for (const person of [ALICE, BOB]) await show(office, person, newest);
  await office.drive(id);
  expect(office.row(id).state).toBe("enacted");
  const first = await sign("5");
  expect(first.nonce).toBe(9);
  const now = await known(office);
  // The disk and the token of then.
  await office.anchored();
  await office.reopen((path) => {
    replace(copy, path);
    office.hsm.anchor = anchor;
  });
  await office.drive(id);
  expect(office.row(id).state).toBe("approved");
  // Whoever speaks now knows more than it names.
  expect(await show(office, ALICE, now, 2)).toBe("ERR_LOG");
  expect(await show(office, BOB, now, 2)).toBe("ERR_LOG");
  await office.drive(id);
  expect(office.row(id).state).toBe("void");
  expect(office.desk.charter.require().n).toBe(1);
});

test("RESTORE is for a record that is not the newest, and each is asked for once", async () => {
  await lose(office, file);
  for (const person of [ALICE, BOB]) await show(office, person, newest);
  const change = gap(office, 9);
  await restore(change);
  await expect(motion(change)).rejects.toMatchObject({
    ...fault("ERR_STATE"),
    message: expect.stringContaining("nothing to restore") as string,
  });
});

test("restored twice: the second backup counts, whatever was decided on the first", async () => {
  await lose(office, file);
  for (const person of [ALICE, BOB]) await show(office, person, newest);
  const id = await motion(gap(office, 9));
  const second = await backup(office);
  await restore(gap(office, 10));
  await lose(office, second).then(
    () => expect.unreachable("the token knows the act"),
    (error: unknown) => expect(error).toMatchObject(fault("ERR_STATE")),
  );
  await lose(office, await backup(office));
  expect(office.desk.witnesses.isReadOnly).toBe(true);
  expect(office.row(id).state).toBe("void");
  for (const person of [ALICE, BOB]) expect(await show(office, person, await known(office))).toBeUndefined();
  // Everybody's browser knows what is there, and still it takes the admins.
  expect(office.desk.witnesses.isCurrent).toBe(false);
  expect(gap(office).seen).toBeNull();
  expect(office.row(await restore(gap(office))).state).toBe("enacted");
  expect((await sign("6")).nonce).toBe(10);
});

test("the token is lost as well: the next identity comes first, then the RESTORE", async () => {
  await office.anchored();
  office.hsm = new MemoryHsm();
  await lose(office, file).then(
    () => expect.unreachable("an agent does not start on an empty token"),
    (error: unknown) => expect(error).toMatchObject({ name: "Fault" }),
  );
  const fresh = new MemoryHsm();
  const journal = new Journal(office.path);
  // `opencustody succeed`, on the record that is in its place already.
  await succeedOn(journal, fresh, LOG);
  journal.close();
  office.hsm = fresh;
  await office.reopen();
  expect(office.desk.witnesses.restoredAt).not.toBeNull();
  const to = office.desk.identity.jwk;
  await office.enact(OLGA, { verb: "ROTATE", change: { to } }, [ALICE, BOB]);
  expect(office.desk.charter.require()).toMatchObject({ n: 2, hsm: to });
  await expect(office.propose(OLGA)).rejects.toMatchObject(fault("ERR_LOG"));
  for (const person of [ALICE, BOB]) await show(office, person, newest);
  expect(office.row(await restore(gap(office, 9))).state).toBe("enacted");
});

function replace(from: string, path: string): void {
  removeRecord(path);
  copyFileSync(from, path);
}
