/** Answers wait for the HSM, are signed in their order, and say what is so when they are signed. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Owed, settleOne } from "./owed.ts";
import { Office } from "./testing.ts";
import { typOf } from "./testing-agent.ts";
import { away } from "./testing-hsm.ts";
import { makeDevice, makePerson, newJti } from "./testing-people.ts";

const [ALICE, BOB, OLGA] = [makePerson("Alice"), makePerson("Bob"), makePerson("Olga")];
let office: Office;
let owed: Owed;
let posted: number;
let card: string | undefined;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB], 2, OLGA);
  posted = 0;
  card = await office.card();
  owed = new Owed(
    office.desk,
    () => card,
    () => (posted += 1),
  );
});
afterEach(async () => {
  await owed.stop();
  vi.useRealTimers();
  office.dispose();
});

const owe = (what: "welcome" | "freezes" | "refusal" | "reseal", receiver: string, body: object = {}) =>
  office.desk.journal.owe({ what, receiver, body: JSON.stringify(body), seal: null });
const refusal = (of = newJti()) => ({ of, request: null, code: "ERR_QUORUM", message: "No." });
const types = () => office.desk.journal.outbox().map(({ jws }) => typOf(jws));
const until = async (done: () => boolean) =>
  await vi.waitFor(() => expect(done()).toBe(true), { timeout: 30_000, interval: 2 });

test("all that is owed is signed, in its order, and the link is told", async () => {
  owe("refusal", ALICE.key.kid, refusal());
  owe("welcome", BOB.key.kid);
  owe("reseal", ALICE.key.kid, { of: newJti() });
  owe("freezes", BOB.key.kid);
  for (let n = 0; n < 100; n += 1) owe("refusal", `somebody ${n}`, refusal());
  owed.kick();
  await until(() => office.desk.journal.owed().length === 0);
  expect(types().slice(0, 4)).toEqual(["oc-refusal+jws", "oc-welcome+jws", "oc-reseal+jws", "oc-freezes+jws"]);
  expect(types()).toHaveLength(104);
  expect(posted).toBeGreaterThan(0);
});

test("whoever has everything refused holds up nobody's receipts, however fast", async () => {
  const { journal } = office.desk;
  let signatures = 0;
  let before: number | undefined;
  owed = new Owed(
    office.desk,
    () => card,
    () => {
      if (types().includes("oc-view")) before ??= signatures;
    },
  );
  for (let n = 0; n < 100; n += 1) owe("refusal", OLGA.key.kid, refusal());
  journal.oweView(ALICE.key.kid);
  office.hsm.before = () => {
    signatures += 1;
    // For each that is signed there are two more.
    if (signatures < 400) for (let n = 0; n < 2; n += 1) owe("refusal", OLGA.key.kid, refusal());
  };
  owed.kick();
  await until(() => before !== undefined);
  // The answers of one turn, and the checkpoint.
  expect(before).toBeLessThanOrEqual(17);
  expect(journal.waitingFor(OLGA.key.kid)).toBeLessThan(400);
});

test("of one kind so many wait for one receiver; of another kind or another's none is left out", () => {
  for (let n = 0; n < 100; n += 1) owe("refusal", OLGA.key.kid, refusal());
  for (let n = 0; n < 100; n += 1) owe("reseal", OLGA.key.kid, { of: newJti() });
  owe("refusal", ALICE.key.kid, refusal());
  owe("welcome", OLGA.key.kid);
  const { journal } = office.desk;
  expect([journal.countWaiting("owed"), journal.waitingFor(ALICE.key.kid)]).toEqual([34, 1]);
});

test("with the HSM away they wait, and are asked for again by themselves", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  office.hsm.before = away;
  owe("refusal", ALICE.key.kid, refusal());
  owe("welcome", ALICE.key.kid);
  owed.kick();
  await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
  expect(types()).toEqual([]);
  office.hsm.before = () => {};
  vi.runAllTimers();
  vi.useRealTimers();
  await until(() => office.desk.journal.owed().length === 0);
  expect(types()).toEqual(["oc-refusal+jws", "oc-welcome+jws"]);
});

test("a reseal waits for the first card", async () => {
  const made = card;
  card = undefined;
  owe("reseal", ALICE.key.kid, { of: newJti() });
  const [row] = office.desk.journal.owed();
  if (row === undefined) throw new Error("nothing is owed");
  await expect(settleOne(office.desk, row, card)).rejects.toMatchObject({ code: "ERR_STATE" });
  expect(office.desk.journal.owed()).toHaveLength(1);
  await settleOne(office.desk, row, made);
  expect(office.sent("oc-reseal+jws")).toMatchObject([{ card: made }]);
});

test("a welcome for somebody who is gone is forgotten", async () => {
  owe("welcome", makePerson("x").key.kid);
  owed.kick();
  await until(() => office.desk.journal.owed().length === 0);
  expect(types()).toEqual([]);
});

test("what changes while it is signed is said anew: nobody is left with what is not so any more", async () => {
  const device = makeDevice();
  owe("welcome", ALICE.key.kid);
  office.hsm.before = async () => {
    office.hsm.before = () => {};
    const [row] = office.desk.journal.owed();
    expect(row?.what).toBe("welcome");
    office.desk.journal.addWaitingDevice("Alice", { address: device.address, vendor: "Ledger", model: "flex" }, 1);
    owe("welcome", ALICE.key.kid);
  };
  owed.kick();
  await until(() => office.desk.journal.owed().length === 0);
  expect(office.sent("oc-welcome+jws")).toMatchObject([
    { devices: [{}, { address: device.address, state: "pending" }] },
  ]);
});

test("nothing is begun after the end", async () => {
  await owed.stop();
  owe("welcome", ALICE.key.kid);
  owed.kick();
  await owed.stop();
  expect(office.desk.journal.owed()).toHaveLength(1);
});

test("killed between the signature and the record: said once, by the next start", async () => {
  owe("freezes", ALICE.key.kid);
  const real = office.hsm.sign.bind(office.hsm);
  office.hsm.sign = async (key, digest) => {
    await real(key, digest);
    throw new Error("killed");
  };
  await expect(office.settle()).rejects.toThrow("killed");
  office.hsm.sign = real;
  await office.reopen();
  await office.settle();
  expect(types()).toEqual(["oc-freezes+jws"]);
});
