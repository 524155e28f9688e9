import { afterEach, beforeEach, expect, test } from "vitest";
import type { ClientFrame } from "../protocol/frame.ts";
import { Outgoing } from "./outgoing.ts";
import { Office } from "./testing.ts";
import { makePerson, newJti } from "./testing-people.ts";

const [ALICE, BOB, OLGA] = [makePerson("Alice"), makePerson("Bob"), makePerson("Olga")];
const BOTH = [ALICE.key.kid, BOB.key.kid];

let office: Office;
let outgoing: Outgoing;
let sent: Extract<ClientFrame, { t: "send" }>[];
let wakes: number;
let online: boolean;

beforeEach(async () => {
  office = await Office.open([ALICE, BOB], 2, OLGA);
  [sent, wakes, online] = [[], 0, true];
  for (const { n } of office.desk.journal.outbox()) office.desk.journal.removeFromOutbox(n);
  outgoing = make();
});
afterEach(() => {
  outgoing.stop();
  office.dispose();
});

function make(): Outgoing {
  return new Outgoing(office.desk, {
    isOnline: () => online,
    send: (frame) => void (frame.t === "send" && sent.push(frame)),
    wake: () => (wakes += 1),
  });
}
const waiting = () => office.desk.journal.outbox().length;
const post = (count: number, to: readonly string[] = BOTH) => {
  for (let n = 0; n < count; n += 1) office.desk.journal.post(newJti(), to, "x.y.z");
};

test("one message to several is a frame to each at once, and each is gone when the bridge has taken it", async () => {
  post(1);
  expect(await outgoing.flush()).toBe(true);
  expect(sent.map(({ to }) => to)).toEqual(BOTH);
  const [first, second] = sent.map(({ id }) => id);
  expect(first).not.toBe(second);
  outgoing.accepted(second ?? "");
  await outgoing.flush();
  expect(office.desk.journal.outbox().map(({ receiver }) => receiver)).toEqual([ALICE.key.kid]);
  expect(sent).toHaveLength(2);
});

test("after a loss, and after a restart, the same message has the same id: the bridge delivers it once", async () => {
  post(3);
  await outgoing.flush();
  outgoing.lost();
  await outgoing.flush();
  outgoing = make();
  await outgoing.flush();
  const ids = sent.map(({ id }) => id);
  expect(ids).toHaveLength(18);
  expect(new Set(ids).size).toBe(6);
  expect(ids.slice(6, 12)).toEqual(ids.slice(0, 6));
});

test("64 are under way at most; the next ones follow when half of them are taken", async () => {
  post(100, [ALICE.key.kid]);
  expect(await outgoing.flush()).toBe(false);
  expect(sent).toHaveLength(64);
  for (const { id } of sent.slice(0, 31)) outgoing.accepted(id);
  expect(wakes).toBe(0);
  outgoing.accepted(sent[31]?.id ?? "");
  expect(wakes).toBe(1);
  expect(waiting()).toBe(100);
  await outgoing.flush();
  expect([sent.length, waiting()]).toEqual([96, 68]);
  for (const { id } of sent) outgoing.accepted(id);
  expect(await outgoing.flush()).toBe(true);
  for (const { id } of sent) outgoing.accepted(id);
  // Nobody flushes any more; what the bridge has is not sent again by whoever comes after.
  outgoing.stop();
  expect([sent.length, waiting()]).toEqual([100, 0]);
});

test("what cannot be sealed to anybody leaves its room to others", async () => {
  const nobody = makePerson("Nobody").key.kid;
  post(70, [nobody]);
  post(1, [ALICE.key.kid]);
  for (let before = -1; before !== wakes; ) {
    before = wakes;
    await outgoing.flush();
  }
  expect(sent.map(({ to }) => to)).toEqual([ALICE.key.kid]);
  expect(waiting()).toBe(1);
});

test("a connection that is gone is sent nothing", async () => {
  post(1);
  const flushed = outgoing.flush();
  online = false;
  await flushed;
  expect([sent.length, waiting()]).toEqual([0, 2]);
});
