/** Whoever edits the record has nothing handed out that was not approved; and what cannot be handed out changes nothing. */
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { PublicJwk } from "../protocol/primitive.ts";
import { run } from "./commands.ts";
import { Office } from "./testing.ts";
import { makePerson } from "./testing-people.ts";
import { showPolicy, showRequest } from "./views.ts";

const [ALICE, BOB, CAROL] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol")];
const OLGA = makePerson("Olga");
let office: Office;
let first: string;
let second: string;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA);
  first = await office.carry(await office.propose(OLGA, "1"), [ALICE, BOB]);
  second = await office.carry(await office.propose(OLGA, "2"), [ALICE, BOB]);
});
afterEach(() => office.dispose());

const released = () => office.desk.journal.logLines(0, 1_000).filter((line) => line.includes('"kind":"released"'));

async function edit(sql: string, ...values: (string | null)[]): Promise<void> {
  await office.reopen((path) => {
    const database = new DatabaseSync(path);
    database.prepare(sql).run(...values);
    database.close();
  });
}

test("what is signed is handed out, told to the log once, and told again", async () => {
  const { signed } = office.row(first);
  expect(signed).toMatch(/^0x02/);
  for (let n = 0; n < 2; n += 1) {
    expect(await showRequest(office.desk, first)).toMatchObject({ state: "signed", signed });
    expect(released()).toHaveLength(1);
  }
});

test.each<[string, string]>([
  [
    "another request's transaction",
    "UPDATE requests SET signed = (SELECT signed FROM requests WHERE id = ?2) WHERE id = ?1",
  ],
  [
    "another request's transaction and hash",
    "UPDATE requests SET (signed, hash) = (SELECT signed, hash FROM requests WHERE id = ?2) WHERE id = ?1",
  ],
  ["a transaction that is none", "UPDATE requests SET signed = '0x02zz' WHERE id = ?1 AND ?2 <> ''"],
  ["no hash", "UPDATE requests SET hash = NULL WHERE id = ?1 AND ?2 <> ''"],
  ["no approvals", "DELETE FROM records WHERE request = ?1 AND ?2 <> ''"],
  ["one approval", "DELETE FROM records WHERE request = ?1 AND person = 'Bob' AND ?2 <> ''"],
  [
    "another request's approvals",
    "UPDATE records SET jws = (SELECT jws FROM records AS o WHERE o.request = ?2 AND o.person = records.person) WHERE request = ?1",
  ],
])("%s in the record: nothing is handed out, now or after a freeze", async (_what, sql) => {
  await edit(sql, first, second);
  await expect(showRequest(office.desk, first)).rejects.toThrow(/record|approval|ENVELOPE/);
  expect(office.row(first).released).toBeNull();
  expect(await office.freeze(CAROL)).toBeUndefined();
  const again = await showRequest(office.desk, first).catch(() => ({ signed: null }));
  expect(again).toMatchObject({ signed: null });
  expect(released()).toEqual([]);
});

test("a row that was moved out of a frozen vault, or out of its time, is judged by what was approved", async () => {
  expect(await office.freeze(CAROL, office.row(first).vault)).toBeUndefined();
  await edit("UPDATE requests SET vault = 'Treasury-9', expires = expires + 1000000 WHERE id = ?", first);
  expect(await showRequest(office.desk, first)).toMatchObject({ signed: null, problem: "Treasury-1 is frozen" });
  expect(released()).toEqual([]);
});

test("what was signed under the identity before a rotation is handed out after it", async () => {
  const asked = { publishRoster: () => {}, state: "offline" } as const;
  const running = { desk: office.desk, link: asked, follow: () => {}, backups: { write: () => {}, status: null } };
  const { key } = (await run(running as never, { command: "rotate.prepare" })) as { key: PublicJwk };
  const before = office.desk.identity.signer.kid;
  await office.enact(OLGA, { verb: "ROTATE", change: { to: key } }, [ALICE, BOB]);
  expect(office.desk.identity.signer.kid).not.toBe(before);
  expect(await showRequest(office.desk, first)).toMatchObject({ signed: office.row(first).signed });
  expect(released()).toHaveLength(1);
});

test("a policy is found by its number, in force or not", async () => {
  await office.govern(OLGA, { contact: "Somebody" }, [ALICE, BOB]);
  expect(showPolicy(office.desk, null)).toMatchObject({ n: 2, contact: "Somebody" });
  expect(showPolicy(office.desk, 1)).toMatchObject({ n: 1 });
  expect(() => showPolicy(office.desk, 7)).toThrow("There is no policy 7");
});
