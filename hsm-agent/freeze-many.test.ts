/** Somebody who freezes without end: what is kept of it, and what plays again. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { FREEZE } from "../protocol/message.ts";
import { Office } from "./testing.ts";
import { makePerson, VAULT } from "./testing-people.ts";

const [ALICE, BOB, CAROL, OLGA] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol"), makePerson("Olga")];
let office: Office;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA);
});
afterEach(() => office.dispose());

const frozen = () => office.desk.journal.freezes().map(({ vault, by }) => [vault, by]);
const thaw = async (vault: string | null) =>
  await office.enact(OLGA, { verb: "UNFREEZE", change: { vault } }, [ALICE, BOB]);

test("however many freezes somebody sends, little is kept of them, none works twice, and the next one works", async () => {
  const send = async (vault: string) => {
    const jws = await office.message(FREEZE, CAROL.key, { vault });
    return [jws, await office.receive(CAROL.key, jws)] as const;
  };
  const sent: string[] = [];
  for (let n = 0; n < 120; n += 1) {
    sent.push((await send(VAULT))[0]);
    if (n % 10 === 0) office.now += 1;
  }
  expect(office.desk.journal.countMarks("freeze ")).toBeLessThanOrEqual(51);
  await thaw(VAULT);
  for (const jws of sent) expect(await office.receive(CAROL.key, jws)).toBe("ERR_REQUEST_STATE");
  expect(frozen()).toEqual([]);
  office.now += 1;
  const [again, code] = await send(VAULT);
  expect([code, frozen()]).toEqual([undefined, [[VAULT, "Carol"]]]);
  await thaw(VAULT);
  expect(await office.receive(CAROL.key, again)).toBe("ERR_REQUEST_STATE");
  expect(frozen()).toEqual([]);
});
