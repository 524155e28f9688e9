/** A drill: the whole road, and nothing moves. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { expireRequests } from "./advance.ts";
import { Office } from "./testing.ts";
import { makePerson, type Person, VAULT } from "./testing-people.ts";

const [ALICE, BOB, CAROL] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol")];
const [OLGA, RITA, RON] = [makePerson("Olga"), makePerson("Rita"), makePerson("Ron")];
const HOUR = 3_600;
let office: Office;
beforeEach(async () => {
  const recovery = { people: ["Rita", "Ron"], threshold: 2, delay: 48 };
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA, {
    policy: { governance: { threshold: 2, vendors: [], expiresAfter: 60, recovery } },
    roles: [
      [RITA, ["auditor"]],
      [RON, ["auditor"]],
    ],
  });
});
afterEach(() => office.dispose());

const charter = () => office.desk.charter.require();

const drill = async () => await office.motion(OLGA, { verb: "DRILL", change: { vault: VAULT } });

test("a drill ends when everybody has answered, and changes nothing", async () => {
  const before = charter();
  const id = await drill();
  expect(office.row(id).payload).toContain("DRILL Treasury-1; moves nothing");
  for (const person of [ALICE, BOB]) {
    expect(await office.approve(person, id)).toBeUndefined();
    await office.drive(id);
  }
  expect(office.row(id).state).toBe("approved");
  expect(await office.approve(CAROL, id)).toBeUndefined();
  await office.drive(id);
  expect(office.row(id).state).toBe("enacted");
  expect(charter()).toBe(before);
  expect(office.desk.journal.acts()).toHaveLength(1);
  expect((await office.receipts()).at(-1)).toMatchObject({
    state: "enacted",
    records: [ALICE, BOB, CAROL].map(({ name, address }) => ({
      kind: "approval",
      person: name,
      address,
      vendor: "Ledger",
    })),
  });
});

test("somebody who cancelled has answered too", async () => {
  const id = await drill();
  for (const person of [ALICE, BOB]) await office.approve(person, id);
  await office.withdraw(CAROL, id);
  await office.drive(id);
  expect(office.row(id).state).toBe("enacted");
});

test.each([
  ["with its quorum it did what it is for", [ALICE, BOB], "enacted"],
  ["without it expired", [ALICE], "expired"],
] as [string, Person[], string][])("at its time's end: %s", async (_what, people, state) => {
  const id = await drill();
  for (const person of people) await office.approve(person, id);
  await office.drive(id);
  office.now += HOUR + 60;
  expect(expireRequests(office.desk)).toEqual([id]);
  expect(office.row(id).state).toBe(state);
});

test("at its time's end an approval that was taken back just before does not count", async () => {
  const id = await drill();
  for (const person of [ALICE, BOB]) await office.approve(person, id);
  await office.drive(id);
  await office.withdraw(BOB, id);
  // Nobody has counted again since: the agent was killed, or had no time.
  expect(office.row(id).state).toBe("approved");
  office.now += HOUR + 60;
  expect(expireRequests(office.desk)).toEqual([id]);
  expect(office.row(id).state).toBe("expired");
});

test("a drill can be rejected, and goes on while its vault is frozen", async () => {
  const id = await drill();
  await office.freeze(CAROL);
  for (const person of [ALICE, BOB]) expect(await office.approve(person, id)).toBeUndefined();
  await office.drive(id);
  expect(await office.reject(CAROL, id)).toBeUndefined();
  expect(office.row(id).state).toBe("rejected");
});
