/** Backups: whole, private, while the agent goes on; and which of them are kept. */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Backups, backUp, ownBackups, superfluous } from "./backup.ts";
import { Office } from "./testing.ts";
import { fault, makePerson } from "./testing-people.ts";
import { known, show } from "./testing-restore.ts";

const [ALICE, BOB] = [makePerson("Alice"), makePerson("Bob")];
const OLGA = makePerson("Olga");
let office: Office;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB], 2, OLGA);
});
afterEach(() => office.dispose());

const written = async (name: string) =>
  await backUp(office.desk.journal, office.folder, join(office.folder, name), office.now);

test("a backup is for its owner alone, holds no private key, is not written over anything, and leaves nothing beside it", async () => {
  const { journal } = office.desk;
  const [{ key } = { key: {} }] = journal.seals();
  const secret = String((key as { d?: string }).d);
  expect(secret).toHaveLength(43);
  const before = readdirSync(office.folder);
  const { file, entries } = await written("one.db");
  expect(entries).toBe(journal.logSize());
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file).includes(secret)).toBe(false);
  expect(readdirSync(office.folder).sort()).toEqual([...before, "one.db"].sort());
  await expect(written("one.db")).rejects.toMatchObject(fault("ERR_STATE"));
  await expect(written("no-folder/one.db")).rejects.toMatchObject(fault("ERR_STATE"));
  expect(readdirSync(office.folder).sort()).toEqual([...before, "one.db"].sort());
});

test("one that is copied while others write is a record of one moment", async () => {
  const { journal } = office.desk;
  let n = 0;
  const state = { isDone: false };
  const copied = written("one.db").finally(() => {
    state.isDone = true;
  });
  while (!state.isDone) {
    // A batch is open at nearly every moment.
    n += 1;
    journal.transaction(() => {
      journal.setMeta("left", String(n));
      journal.setMeta("right", String(n));
    });
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { file } = await copied;
  const database = new DatabaseSync(file, { readOnly: true });
  const value = (key: string) => database.prepare("SELECT value FROM meta WHERE key = ?").get(key)?.["value"];
  expect(value("left")).toBe(value("right"));
  expect(database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  database.close();
  expect(n).toBeGreaterThan(1);
});

const days = (count: number) => Array.from({ length: count }, (_, day) => Date.UTC(2027, 0, 1 + day) / 1000);
const named = (at: number) =>
  `record-${new Date(at * 1000).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z-act-3.db`;

test("the last ten are kept, and the last of each month; nothing else is touched", () => {
  const names = days(90).map(named);
  const gone = superfluous([
    ...names,
    "record.db",
    "record-x.db",
    "mine.db",
    "record-20270101T000000Z-act-1.db.part-00",
  ]);
  const left = names.filter((name) => !gone.includes(name));
  expect(left.slice(-10)).toEqual(names.slice(-10));
  expect(left.slice(0, -10)).toEqual([named(Date.UTC(2027, 0, 31) / 1000), named(Date.UTC(2027, 1, 28) / 1000)]);
  expect(gone.every((name) => names.includes(name))).toBe(true);
  expect(superfluous(names.slice(0, 10))).toEqual([]);
  expect(ownBackups(["record-20279999T000000Z-act-1.db", "x"])).toEqual([]);
});

test("the agent's own: at once, after every act, once a day, and again where it failed", async () => {
  const folder = join(office.folder, "backups");
  const backups = new Backups(office.desk, office.folder, folder);
  const kept = async () => {
    backups.keep();
    await backups.settled();
    return readdirSync(folder).length;
  };
  expect(backups.status).toEqual({ folder, last: null, problem: null });
  expect(await kept()).toBe(1);
  expect(backups.status).toMatchObject({ last: { at: office.now, act: 1 }, problem: null });
  office.now += 60;
  expect(await kept()).toBe(1);
  await office.govern(OLGA, { contact: "One" }, [ALICE, BOB]);
  expect(await kept()).toBe(2);
  expect(await kept()).toBe(2);
  office.now += 86_400;
  expect(await kept()).toBe(3);
  // Another process finds what there is.
  const again = new Backups(office.desk, office.folder, folder);
  expect(again.status?.last).toEqual({ at: office.now, act: 2 });
  again.keep();
  await again.settled();
  expect(readdirSync(folder)).toHaveLength(3);
  // All of it is signed for.
  const database = new DatabaseSync(join(folder, named(office.now).replace("act-3", "act-2")), { readOnly: true });
  const { value } = database.prepare("SELECT value FROM meta WHERE key = 'checkpoint'").get() ?? {};
  expect(JSON.parse(String(value))).toMatchObject({ size: office.desk.journal.logSize() });
  database.close();
});

test("what a process that was killed in the middle left is removed by the next one, and nothing else", async () => {
  const folder = join(office.folder, "backups");
  mkdirSync(folder);
  const rest = "0123456789abcdef";
  const own = `record-20270101T000000Z-act-1.db.part-${rest}`;
  const copy = `agent.db.copy-${rest}`;
  const left = [own, `${own}-wal`, `${own}-shm`, `${own}-journal`];
  const others = [
    `mine.db.part-${rest}`,
    `${own}0`,
    `${own}-more`,
    `x${own}`,
    `record-20270101T000000Z-act-1.db.part-`,
  ];
  for (const name of [...left, ...others]) writeFileSync(join(folder, name), "x");
  const named = `record-20270102T000000Z-act-1.db.part-${rest}`;
  mkdirSync(join(folder, named));
  for (const name of [copy, `${copy}-wal`, `${copy}.db`, "agent.db.copy-mine"])
    writeFileSync(join(office.folder, name), "x");
  mkdirSync(join(office.folder, `${copy.slice(0, -1)}0`));
  const backups = new Backups(office.desk, office.folder, folder);
  const copies = readdirSync(office.folder).filter((name) => name.startsWith("agent.db.copy-"));
  expect(copies.toSorted()).toEqual([`${copy.slice(0, -1)}0`, `${copy}.db`, "agent.db.copy-mine"].toSorted());
  backups.keep();
  await backups.settled();
  expect(backups.status?.problem).toBeNull();
  const [kept] = ownBackups(readdirSync(folder));
  expect(readdirSync(folder).toSorted()).toEqual([...others, named, kept?.name ?? ""].toSorted());
  // An operator's own goes by its name.
  for (const name of ["one.db", "two.db"]) writeFileSync(join(folder, `${name}.part-${rest}`), "x");
  await backups.write(join(folder, "one.db"));
  expect(readdirSync(folder).filter((name) => /^(one|two)/.test(name))).toEqual(["one.db", `two.db.part-${rest}`]);
});

test("a folder that cannot be written to is told of, stops nothing, and is tried again", async () => {
  const folder = join(office.folder, "backups");
  writeFileSync(folder, "a file");
  const backups = new Backups(office.desk, office.folder, folder);
  const keep = async () => {
    backups.keep();
    await backups.settled();
  };
  await keep();
  expect(backups.status).toMatchObject({ last: null, problem: expect.any(String) as string });
  const id = await office.propose(OLGA);
  await office.carry(id, [ALICE, BOB]);
  expect(office.row(id).state).toBe("signed");
  rmSync(folder);
  await keep();
  expect(backups.status?.last).toBeNull();
  office.now += 600;
  await keep();
  expect(backups.status).toMatchObject({ last: { act: 1 }, problem: null });
});

test("none is kept of a record that may not be the newest: it would push out better ones", async () => {
  const folder = join(office.folder, "backups");
  mkdirSync(folder);
  const checkpoint = await known(office);
  office.trusting = false;
  await office.reopen();
  const backups = new Backups(office.desk, office.folder, folder);
  backups.keep();
  await backups.settled();
  expect(readdirSync(folder)).toEqual([]);
  for (const person of [ALICE, BOB]) await show(office, person, checkpoint);
  backups.keep();
  await backups.settled();
  expect(readdirSync(folder)).toHaveLength(1);
});
