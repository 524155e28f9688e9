import { readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isConsistent } from "../protocol/merkle.ts";
import { WITNESS } from "../protocol/message.ts";
import { seal } from "../protocol/seal.ts";
import { VIEW_ENTRIES_MAX } from "../protocol/view.ts";
import type { RecordRow } from "./rows.ts";
import { lastCheckpoint, showLog, showNext } from "./showing.ts";
import { Office } from "./testing.ts";
import { away } from "./testing-hsm.ts";
import { makePerson, newJti, type Person } from "./testing-people.ts";

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
  office.trusting = false;
  await office.reopen();
  const [alice, bob] = [await witnessOf(ALICE), await witnessOf(BOB)];
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

/** So many requests about which Bob is owed a receipt of this many records each. */
function oweReceipts(count: number, records: number): string[] {
  const { journal } = office.desk;
  const ids = Array.from({ length: count }, (_, n) => `${n}`.padStart(16, "0"));
  const digest = "5".repeat(64);
  const common = {
    verb: "DRILL",
    state: "proposed",
    vault: null,
    network: null,
    nonce: null,
    notBefore: null,
  } as const;
  const record = {
    kind: "approval",
    vendor: "Ledger",
    address: BOB.address,
    reason: null,
    at: office.now,
    jws: "",
  } as const;
  for (const id of ids)
    journal.transaction(() => {
      const payload = JSON.stringify({ aud: [BOB.key.kid] });
      const made = { proposal: newJti(), proposalJws: "a.b.c", initiator: "Olga", payload, digest };
      journal.addRequest({ id, ...common, expires: office.now + 60, at: office.now, policy: 1, people: 1, ...made });
      journal.issueRequest({ id, digest }, "pending", "jws");
      for (let n = 0; n < records; n += 1) {
        const answer: RecordRow = { ...record, person: `Approver-${n}`, of: newJti() };
        journal.addRecord(id, answer);
      }
      journal.changeRequest(id, {});
    });
  return ids;
}

test.each([1, 5, 24, 60])(
  "receipts with %d answers each: all arrive by themselves, and every view can be sealed",
  async (records) => {
    const { journal } = office.desk;
    await office.settle();
    for (const person of [ALICE, BOB, CAROL]) await office.receive(person.key, await witnessOf(person));
    office.forget();
    // As others may say it: longer than what this test's people do.
    const said = { jws: "w".repeat(2_048), size: journal.logSize(), at: office.now };
    for (const { key } of [ALICE, CAROL]) journal.setWitness({ kid: key.kid, ...said });
    const ids = oweReceipts(VIEW_ENTRIES_MAX - 1, records);
    journal.oweView(BOB.key.kid);
    await showLog(office.desk);
    for (const { jws } of journal.outbox(1_000)) await seal(jws, BOB.seal.jwk);
    const views = await office.views();
    expect(views.flatMap(({ entries }) => entries.map((entry) => "request" in entry && entry.request))).toEqual(ids);
    // Fewer witnesses before fewer receipts, and in the end all of them.
    expect(Math.max(...views.map(({ view }) => view.witnesses.length))).toBe(2);
    expect(journal.owedTo(BOB.key.kid, 9)).toEqual([]);
    expect(journal.shown(BOB.key.kid)).toBe(journal.logSize());
  },
);

test("nobody waits for those who are always owed something", async () => {
  const { journal } = office.desk;
  const all = Array.from({ length: 40 }, (_, n) => `r${n}`.padStart(3, "0"));
  for (const receiver of all) journal.oweView(receiver);
  let last: string | undefined = "";
  for (let n = 0; n < 2 && last !== undefined; n += 1) {
    last = await showNext(office.desk, last);
    for (const receiver of all.slice(0, 32)) journal.oweView(receiver);
  }
  expect(new Set(journal.outbox().map(({ receiver }) => receiver))).toEqual(new Set(all));
});

test("for whoever does not fetch, receipts stay owed, once each; with room again they come by themselves", async () => {
  const { journal } = office.desk;
  const ids = oweReceipts(3, 1);
  for (let n = 0; n < 200; n += 1) {
    for (const id of ids) journal.transaction(() => journal.changeRequest(id, {}));
    await showLog(office.desk);
  }
  expect(journal.waitingFor(BOB.key.kid)).toBeLessThan(40);
  expect(journal.owedTo(BOB.key.kid, 9)).toEqual(ids);
  office.forget();
  const receipts = await office.receipts();
  expect(receipts.map(({ request, n }) => [request, n])).toEqual(ids.map((id) => [id, 201]));
});
