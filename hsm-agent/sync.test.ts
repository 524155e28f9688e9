/** What a browser is told when it asks. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { advance } from "./advance.ts";
import { Office } from "./testing.ts";
import { makePerson } from "./testing-people.ts";

const [ALICE, BOB, CAROL, DAVE] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol"), makePerson("Dave")];
const OLGA = makePerson("Olga");
let office: Office;
let id: string;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA, { roles: [[DAVE, ["auditor", "approver"]]] });
  id = await office.propose(OLGA);
  await advance(office.desk, id);
});
afterEach(() => office.dispose());

test("a sync brings the welcome, what is open and not known, and receipts of what is known and over", async () => {
  await office.approve(ALICE, id);
  await advance(office.desk, id);
  const counts = async () =>
    [office.sent("oc-welcome+jws"), office.sent("oc-request+jws"), await office.receipts()].map(
      (all) => all.filter(({ receiver }) => receiver === BOB.key.kid).length,
    );
  const sync = async (known: string[]) => {
    const before = await counts();
    expect(await office.sync(BOB, known)).toBeUndefined();
    return (await counts()).map((count, at) => count - (before[at] ?? 0));
  };
  expect(await sync([])).toEqual([1, 1, 1]);
  expect(await sync([id])).toEqual([1, 0, 1]);
  await office.reject(CAROL, id);
  await advance(office.desk, id);
  expect(await sync([])).toEqual([1, 0, 0]);
  expect(await sync([id, "0000000000000000"])).toEqual([1, 0, 1]);
});

test("a sync brings nobody a receipt of what they were not asked, nor of a request that is another's", async () => {
  const eve = makePerson("Eve");
  await office.hire(OLGA, eve, ["admin"], [ALICE, BOB]);
  const next = await office.propose(OLGA);
  await office.drive(next);
  await office.reject(CAROL, next);
  await office.drive(next);
  office.forget();
  await office.sync(eve, [id, next]);
  expect(await office.receipts()).toEqual([]);
  expect(office.sent("oc-request+jws")).toEqual([]);
});

test("auditors are sent every request and every receipt, and decide nothing", async () => {
  expect(office.sent("oc-request+jws").map(({ receiver }) => receiver)).toContain(DAVE.key.kid);
  expect(await office.approve(DAVE, id)).toBe("ERR_APPROVAL_NOT_ELIGIBLE");
  expect(await office.reject(DAVE, id)).toBe("ERR_APPROVAL_NOT_ELIGIBLE");
  expect(await office.withdraw(DAVE, id)).toBe("ERR_APPROVAL_NOT_ELIGIBLE");
  await office.carry(id, [ALICE, BOB]);
  expect((await office.receipts()).at(-1)).toMatchObject({ state: "signed" });
  expect((await office.receipts()).map(({ receiver }) => receiver)).toContain(DAVE.key.kid);
});

test("a sync brings the acts after the one that is known, under another frame each time: the bridge delivers one once", async () => {
  await office.govern(OLGA, { contact: "Somebody" }, [ALICE, BOB]);
  const acts = async (charter: number) => {
    office.forget();
    await office.sync(BOB, [], charter);
    return office.desk.journal.outbox(100).filter(({ jws }) => office.desk.journal.acts().includes(jws));
  };
  const [all, again] = [await acts(0), await acts(0)];
  expect([all, again, await acts(1), await acts(2)].map(({ length }) => length)).toEqual([2, 2, 1, 0]);
  expect(all.map(({ jws }) => jws)).toEqual(office.desk.journal.acts());
  expect(new Set([...all, ...again].map(({ id: frame }) => frame)).size).toBe(4);
});

test("a sync tells the key to seal to; a lower number changes nothing", async () => {
  const [second, third] = [makePerson("x"), makePerson("y")];
  const sealed = () => office.desk.journal.memberSeal(ALICE.key.kid);
  await office.sync({ ...ALICE, seal: second.seal }, [], 0, 2);
  expect(sealed()).toEqual(second.seal.jwk);
  await office.sync({ ...ALICE, seal: third.seal }, [], 0, 1);
  expect(sealed()).toEqual(second.seal.jwk);
});
