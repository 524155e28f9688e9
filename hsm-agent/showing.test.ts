import { readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isConsistent } from "../protocol/merkle.ts";
import { WITNESS } from "../protocol/message.ts";
import { lastCheckpoint } from "./showing.ts";
import { Office } from "./testing.ts";
import { away } from "./testing-hsm.ts";
import { makePerson, type Person } from "./testing-people.ts";

const OLGA = makePerson("Olga");
const ALICE = makePerson("Alice");
const BOB = makePerson("Bob");
const CAROL = makePerson("Carol");

let office: Office;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA);
});
afterEach(() => office.dispose());

const identitySignatures = () => {
  const identity = office.desk.journal.requireMeta("identity");
  return office.hsm.signatures.filter(({ id }) => id === identity).length;
};

async function pending(): Promise<string> {
  const id = await office.propose(OLGA);
  await office.drive(id);
  return id;
}

test("one signature of the HSM acknowledges all that came since the last", async () => {
  const ids = [await pending(), await pending(), await pending()];
  await office.settle();
  office.forget();
  const before = identitySignatures();
  for (const id of ids)
    for (const person of [ALICE, BOB]) await office.deliver(person.key.kid, await office.approval(person, id));
  for (const id of ids) await office.drive(id);
  const receipts = await office.receipts();
  expect(identitySignatures()).toBe(before + 1);
  for (const id of ids)
    for (const { key } of [ALICE, BOB, CAROL])
      expect(receipts).toContainEqual(expect.objectContaining({ request: id, receiver: key.kid, state: "signed" }));
});

test("each view of one receiver goes on from the one before", async () => {
  const id = await pending();
  await office.settle();
  await office.approve(ALICE, id);
  await office.approve(BOB, id);
  await office.drive(id);
  const views = (await office.views()).filter(({ receiver }) => receiver === CAROL.key.kid);
  expect(views.length).toBeGreaterThan(1);
  for (const [at, { view, head }] of views.entries()) {
    const before = views[at - 1]?.head;
    if (before === undefined) continue;
    expect(view.from).toBe(before.size);
    expect(isConsistent(before.size, before.root, head.size, head.root, view.consistency)).toBe(true);
  }
});

test("while the HSM is away nothing is shown, and nothing that is owed is forgotten", async () => {
  const id = await pending();
  await office.settle();
  office.forget();
  office.hsm.before = away;
  await office.deliver(ALICE.key.kid, await office.approval(ALICE, id));
  await expect(office.settle()).rejects.toMatchObject({ code: "ERR_HSM_DOWN" });
  expect(office.desk.journal.outbox(9)).toEqual([]);
  office.hsm.before = () => {};
  expect(await office.receipts()).toContainEqual(
    expect.objectContaining({
      request: id,
      receiver: ALICE.key.kid,
      records: [expect.objectContaining({ person: "Alice" })],
    }),
  );
});

test("what changes while the checkpoint is signed is shown under the next one, not left out", async () => {
  const id = await pending();
  await office.settle();
  office.forget();
  await office.deliver(ALICE.key.kid, await office.approval(ALICE, id));
  let isFirst = true;
  office.hsm.before = async () => {
    if (!isFirst) return;
    isFirst = false;
    await office.deliver(BOB.key.kid, await office.approval(BOB, id));
  };
  const mine = (await office.receipts()).filter(({ receiver }) => receiver === BOB.key.kid);
  expect(mine.at(-1)?.records.map(({ person }) => person)).toEqual(["Alice", "Bob"]);
});

/** What Alice's browser would say of the last checkpoint that it was shown. */
async function witnessOf(person: Person): Promise<string> {
  const { note, size, root } = lastCheckpoint(office.desk.journal) ?? { note: "", size: 0, root: "" };
  const witness = await office.message(WITNESS, person.key, { checkpoint: note });
  return await office.syncOf(person, [], 1, 1, { log: { size, root }, witness });
}

test("others' witnesses come with a sync's answer and with a request, each with its proof; one's own never", async () => {
  await pending();
  await office.settle();
  expect(await office.receive(ALICE.key, await witnessOf(ALICE))).toBeUndefined();
  await pending();
  const views = await office.views();
  const told = (person: Person) =>
    views.filter(({ receiver }) => receiver === person.key.kid).flatMap(({ view }) => view.witnesses);
  expect(told(BOB).length).toBeGreaterThan(0);
  expect(told(ALICE)).toEqual([]);
});

test("after a start nothing is signed before enough people have shown what they know", async () => {
  const id = await pending();
  await office.settle();
  const [alice, bob] = [await witnessOf(ALICE), await witnessOf(BOB)];
  office.trusting = false;
  await office.reopen();
  for (const person of [ALICE, BOB]) await office.approve(person, id);
  await office.drive(id);
  expect(office.row(id)).toMatchObject({ state: "approved", signed: null });
  expect(office.desk.witnesses).toMatchObject({ needed: 2, seen: 0 });
  expect(await office.receive(ALICE.key, alice)).toBeUndefined();
  await office.drive(id);
  expect(office.row(id).state).toBe("approved");
  // The last one that was missing sets going what waits.
  expect((await office.deliver(BOB.key.kid, bob)).requests).toEqual([id]);
  await office.drive(id);
  expect(office.row(id).state).toBe("signed");
});

test("a browser that knows more than the record stops every signature, and is refused", async () => {
  const id = await pending();
  await office.settle();
  let copy = new Uint8Array();
  let anchor: string | undefined;
  await office.reopen((path) => {
    copy = readFileSync(path);
    anchor = office.hsm.anchor;
  });
  await pending();
  await office.settle();
  const ahead = await witnessOf(ALICE);
  // Disk and token are set back together.
  await office.reopen((path) => {
    writeFileSync(path, copy);
    office.hsm.anchor = anchor;
  });
  expect(await office.receive(ALICE.key, ahead)).toBe("ERR_LOG");
  expect(office.desk.witnesses.behind).toMatchObject({ person: "Alice" });
  for (const person of [ALICE, BOB]) await office.approve(person, id);
  await office.drive(id);
  expect(office.row(id)).toMatchObject({ state: "approved", signed: null });
  await office.reopen();
  expect(office.desk.witnesses.isCurrent).toBe(false);
});
