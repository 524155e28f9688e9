/** A member who never comes back: what waits for them does not grow with every request that ends without them. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { REJECTION } from "../protocol/message.ts";
import { Office } from "./testing.ts";
import { makePerson, newJti, type Person } from "./testing-people.ts";

const [ALICE, BOB, OLGA] = [makePerson("Alice"), makePerson("Bob"), makePerson("Olga")];
const ABSENT = 1_000;
let office: Office;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB], 1, OLGA);
});
afterEach(() => office.dispose());

/** Nobody fetches anything for Bob; Alice's mail is all gone. */
const leave = (count: number) =>
  office.desk.journal.transaction(() => {
    for (let n = 0; n < count; n += 1) office.desk.journal.post(newJti(), [BOB.key.kid], "e30.e30.e30");
  });
const asked = ({ key }: Person) =>
  office.sent("oc-request+jws").flatMap(({ receiver, request }) => (receiver === key.kid ? [request] : []));
const owed = ({ key }: Person) => office.desk.journal.owedTo(key.kid, 1_000).filter((request) => request !== "");
const made = async () => {
  const id = await office.propose(OLGA);
  await office.drive(id);
  return id;
};

const reject = async (id: string) => {
  const body = { request: id, digest: office.row(id).digest, reason: "suspicious" } as const;
  await office.deliver(ALICE.key.kid, await office.message(REJECTION, ALICE.key, body));
  expect(office.row(id).state).toBe("rejected");
};

test("a request that ended is not sent any more to whoever is away, nor what became of it", async () => {
  leave(ABSENT);
  const [rejected, signed, open] = [await made(), await made(), await made()];
  expect(asked(BOB)).toEqual([rejected, signed, open]);
  await reject(rejected);
  await office.deliver(ALICE.key.kid, await office.approval(ALICE, signed));
  await office.drive(signed);
  expect(office.row(signed).state).toBe("signed");
  expect([asked(BOB), owed(BOB)]).toEqual([[open], []]);
  // Everybody else is told.
  expect(asked(ALICE)).toEqual([rejected, signed, open]);
  expect(owed(ALICE).toSorted()).toEqual([rejected, signed].toSorted());
});

test("who has less than that before it, or was asked already, is told how it ended", async () => {
  const asleep = await made();
  await reject(asleep);
  expect([asked(BOB), owed(BOB)]).toEqual([[asleep], [asleep]]);
  const reached = await made();
  const { journal } = office.desk;
  for (const { n, receiver } of journal.outbox(100)) if (receiver === BOB.key.kid) journal.removeFromOutbox(n);
  leave(ABSENT);
  await reject(reached);
  expect(owed(BOB).toSorted()).toEqual([asleep, reached].toSorted());
});

test("what may be on its way is not taken back, however much comes after it", async () => {
  const first = await made();
  leave(ABSENT);
  await reject(first);
  expect([asked(BOB), owed(BOB)]).toEqual([[first], [first]]);
});
