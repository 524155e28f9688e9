/** After a start: whether this is the newest record is known by people's browsers, and nothing is signed before they said so. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { originOf, signCheckpoint } from "../protocol/checkpoint.ts";
import { WITNESS } from "../protocol/message.ts";
import type { Checkpoint } from "./showing.ts";
import { Office } from "./testing.ts";
import { fault, makeKey, makePerson, secondBrowser } from "./testing-people.ts";
import { headOf, known, logIn, show } from "./testing-restore.ts";
import { showRequest } from "./views.ts";

const [ALICE, BOB, CAROL] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol")];
const OLGA = makePerson("Olga");
let office: Office;
let approved: string;
let unreleased: string;
let newest: Checkpoint;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA);
  approved = await office.propose(OLGA);
  await office.drive(approved);
  unreleased = await office.propose(OLGA, "2");
  await office.carry(unreleased, [ALICE, BOB]);
  newest = await known(office);
  office.trusting = false;
  await office.reopen();
});
afterEach(() => office.dispose());

const witnesses = () => office.desk.witnesses;

test("nothing is signed, enacted or handed out for the first time until enough people have shown what they know", async () => {
  expect([witnesses().needed, witnesses().seen]).toEqual([2, 0]);
  const change = { policy: { ...office.policy, contact: "x" } };
  const motion = await office.motion(OLGA, { verb: "POLICY", change });
  for (const person of [ALICE, BOB]) expect(await office.approve(person, motion)).toBeUndefined();
  for (const person of [ALICE, BOB]) expect(await office.approve(person, approved)).toBeUndefined();
  await office.drive(motion);
  await office.drive(approved);
  expect([office.row(motion).state, office.row(approved).state]).toEqual(["approved", "approved"]);
  expect(await showRequest(office.desk, unreleased)).toMatchObject({ signed: null });
  expect(await show(office, ALICE, newest)).toBeUndefined();
  // One person with two browsers is one.
  expect(await show(office, ALICE, newest)).toBeUndefined();
  expect([witnesses().seen, witnesses().isEnough]).toEqual([1, false]);
  expect(await show(office, BOB, newest)).toBeUndefined();
  expect(witnesses().isCurrent).toBe(true);
  expect(await showRequest(office.desk, unreleased)).toMatchObject({ signed: expect.stringMatching(/^0x/) as string });
  await office.drive(approved);
  expect(office.row(approved).state).toBe("signed");
  await office.drive(motion);
  expect(office.row(motion).state).toBe("enacted");
});

test("the one who completes the number sets going what waited", async () => {
  for (const person of [ALICE, BOB]) await office.approve(person, approved);
  const login = async (person: typeof ALICE) => {
    const witness = await office.message(WITNESS, person.key, { checkpoint: newest.note });
    const sync = await office.syncOf(person, [], 1, 1, { log: headOf(newest), witness });
    return (await office.deliver(person.key.kid, sync)).requests;
  };
  await office.drive(approved);
  expect(await login(ALICE)).toEqual([]);
  expect(await login(BOB)).toEqual([approved]);
  expect(await login(CAROL)).toEqual([]);
});

test("a browser that knows nothing shows nothing, and neither does a stranger's", async () => {
  expect(await logIn(office, ALICE, { log: null, witness: null })).toBeUndefined();
  expect(witnesses().seen).toBe(0);
  const stranger = secondBrowser(BOB);
  await logIn(office, stranger, { log: headOf(newest), witness: null });
  expect(witnesses().seen).toBe(0);
});

test("a checkpoint that this record does not lead to stops everything, over restarts, whoever else knows less", async () => {
  const key = office.desk.identity;
  const { size } = newest;
  const ahead = { size: size + 10, root: "a".repeat(64) };
  const note = await signCheckpoint(originOf(key.signer.kid), ahead, key.signer, key.jwk);
  expect(await show(office, CAROL, { note, by: key.signer.kid, ...ahead })).toBe("ERR_LOG");
  expect(witnesses().behind).toMatchObject({ person: "Carol", ...ahead });
  for (const person of [ALICE, BOB]) expect(await show(office, person, newest)).toBeUndefined();
  await expect(office.propose(OLGA)).rejects.toMatchObject(fault("ERR_LOG"));
  await office.reopen();
  for (const person of [ALICE, BOB]) expect(await show(office, person, newest)).toBeUndefined();
  expect([witnesses().isEnough, witnesses().isCurrent]).toEqual([true, false]);
  expect(() => witnesses().require()).toThrow(expect.objectContaining(fault("ERR_LOG")) as Error);
  // The furthest is kept: a smaller one, and another of the same size, are no other gap.
  for (const root of ["b", "c"]) {
    const less = { size: root === "b" ? size + 5 : ahead.size, root: root.repeat(64) };
    const other = await signCheckpoint(originOf(key.signer.kid), less, key.signer, key.jwk);
    expect(await show(office, BOB, { note: other, by: key.signer.kid, ...less })).toBe("ERR_LOG");
  }
  expect(witnesses().behind).toMatchObject({ person: "Carol", ...ahead });
});

test("nobody can claim a log that there never was: a checkpoint by another key, another log, another person's witness", async () => {
  const own = makeKey();
  const hsm = office.desk.identity.signer.kid;
  const ahead = { size: newest.size + 10, root: "a".repeat(64) };
  const forged = await signCheckpoint(originOf(hsm), ahead, own.signer, own.jwk);
  const elsewhere = await signCheckpoint(
    originOf(own.kid),
    ahead,
    office.desk.identity.signer,
    office.desk.identity.jwk,
  );
  for (const note of [forged, elsewhere, newest.note.replace(`\n${newest.size}\n`, `\n${ahead.size}\n`)])
    expect(await show(office, CAROL, { note, by: hsm, ...ahead })).toBe("ERR_LOG");
  const bobs = await office.message(WITNESS, BOB.key, { checkpoint: newest.note });
  expect(await logIn(office, ALICE, { log: headOf(newest), witness: bobs })).toBe("ERR_ENVELOPE_KEY");
  // A head without a note is its browser's own word: it is refused, and stops nobody else.
  expect(await logIn(office, CAROL, { log: ahead, witness: null })).toBe("ERR_LOG");
  expect([witnesses().behind, witnesses().seen]).toEqual([null, 0]);
});

test("what was sealed before this start shows nothing: it may be said again by whoever kept it", async () => {
  const witness = await office.message(WITNESS, ALICE.key, { checkpoint: newest.note });
  const sync = await office.syncOf(ALICE, [], 1, 1, { log: headOf(newest), witness });
  const { keys } = office;
  const isFresh = keys.isFresh.bind(keys);
  keys.isFresh = () => false;
  expect(await office.receive(ALICE.key, sync)).toBeUndefined();
  expect(witnesses().seen).toBe(0);
  keys.isFresh = isFresh;
  expect(await office.receive(ALICE.key, sync)).toBeUndefined();
  expect(witnesses().seen).toBe(1);
});
