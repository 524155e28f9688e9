/** Receiving keys: a new one with each card, the old ones for as long as a mailbox may hold what was sealed to them. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { PAIR } from "../protocol/message.ts";
import { type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import { seal } from "../protocol/seal.ts";
import { receive } from "./inbound.ts";
import { SealKeys } from "./sealing.ts";
import { Office } from "./testing.ts";
import { renewSeal } from "./testing-agent.ts";
import { makeKey, makePerson, makeReceiving, newJti, type Person } from "./testing-people.ts";

const [ALICE, BOB, OLGA] = [makePerson("Alice"), makePerson("Bob"), makePerson("Olga")];
/** Card, mailbox and an hour: 3 and 7 days. Seconds. */
const LIFE = 10 * 86_400 + 3_600;
const NOTHING = { requests: [], roster: false };
let office: Office;
let keys: SealKeys;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB], 2, OLGA);
  keys = await SealKeys.load(office.desk.journal);
});
afterEach(() => office.dispose());

const owed = () => office.desk.journal.owed().map(({ what, receiver, body }) => [what, receiver, body]);
async function send(person: Person, to: PublicJwk, id = newJti()): Promise<string> {
  const body = await seal(await office.syncOf(person), to);
  expect(await receive(office.desk, keys, { from: person.key.kid, id, body })).toEqual(NOTHING);
  return id;
}
const isHeard = () => owed().some(([what]) => what === "welcome");

test("each key is another one, and is kept in the record before anybody hears of it", async () => {
  const [one, two] = [await renewSeal(keys, office.desk), await renewSeal(keys, office.desk)];
  expect(thumbprint(one)).not.toBe(thumbprint(two));
  const again = await SealKeys.load(office.desk.journal);
  for (const key of [one, two]) {
    expect(keys.get(thumbprint(key))).toBeDefined();
    expect(again.get(thumbprint(key))).toBeDefined();
  }
  expect(keys.get(makeReceiving().kid)).toBeUndefined();
});

test("an old key opens for its life, also after a restart, and not longer", async () => {
  const old = await renewSeal(keys, office.desk);
  office.now += LIFE - 1;
  await renewSeal(keys, office.desk);
  keys = await SealKeys.load(office.desk.journal);
  await send(ALICE, old);
  expect(isHeard()).toBe(true);
  await office.settle();
  office.now += 1;
  await renewSeal(keys, office.desk);
  const id = await send(ALICE, old);
  expect(owed()).toEqual([["reseal", ALICE.key.kid, JSON.stringify({ of: id })]]);
  keys = await SealKeys.load(office.desk.journal);
  expect(keys.get(thumbprint(old))).toBeUndefined();
});

test("what the stolen key of yesterday opens is yesterday's", async () => {
  const yesterday = await renewSeal(keys, office.desk);
  const today = await renewSeal(keys, office.desk);
  const stolen = keys.get(thumbprint(yesterday));
  const body = await seal(await office.syncOf(ALICE), today);
  const thief = { get: (kid: string) => (kid === thumbprint(yesterday) ? stolen : undefined), isFresh: () => true };
  const from = ALICE.key.kid;
  expect(await receive(office.desk, thief, { from, id: newJti(), body })).toEqual(NOTHING);
  expect(isHeard()).toBe(false);
});

test("a reseal names the frame and brings the card; one is enough for all that waits", async () => {
  const gone = makeReceiving().jwk;
  const id = newJti();
  await send(ALICE, gone, id);
  await send(ALICE, gone, id);
  await send(ALICE, gone);
  await office.settle();
  const reseals = office.sent("oc-reseal+jws");
  expect(reseals.map(({ of, receiver }) => [of, receiver])).toEqual([[id, ALICE.key.kid]]);
  expect(String(reseals[0]?.["card"]).split(".")).toHaveLength(3);
  // What came after it was said is asked for again.
  const later = await send(ALICE, gone);
  await office.settle();
  expect(office.sent("oc-reseal+jws").map(({ of }) => of)).toEqual([id, later]);
});

test("a sender whom nobody knows is not answered, whatever they are stamped", async () => {
  for (const person of [makePerson("x"), { ...OLGA, key: OLGA.file }]) await send(person, makeReceiving().jwk);
  const key = makeKey();
  const body = await seal(
    await office.message(PAIR, key, { key: makeKey().jwk, seal: makeReceiving().jwk }),
    makeReceiving().jwk,
  );
  await receive(office.desk, keys, { from: key.kid, id: newJti(), body });
  expect(owed()).toEqual([]);
});

test("reseals do not pile up for somebody who never fetches them", async () => {
  for (let n = 0; n < 1_000; n += 1) office.desk.journal.post(newJti(), [ALICE.key.kid], "x.y.z");
  await send(ALICE, makeReceiving().jwk);
  expect(owed()).toEqual([]);
});

test("a message of another agent's member, sealed for this one, is nobody's here", async () => {
  const { office: other } = await Office.draft([ALICE], 1, OLGA);
  const to = await renewSeal(keys, office.desk);
  // Alice, who works with both, tells the other agent; somebody who opened that seals it for this one.
  const body = await seal(await other.syncOf(ALICE), to);
  expect(await receive(office.desk, keys, { from: ALICE.key.kid, id: newJti(), body })).toEqual(NOTHING);
  expect(owed()).toEqual([]);
  other.dispose();
});

test("an altered body is dropped, and not asked for again", async () => {
  const to = await renewSeal(keys, office.desk);
  const body = await seal(await office.syncOf(ALICE), to);
  const [header = "", empty = "", iv = "", ciphertext = "", tag = ""] = body.split(".");
  const altered = [
    [header, empty, iv, `AAAA${ciphertext.slice(4)}`, tag],
    [header, empty, "A".repeat(16), ciphertext, tag],
    [header, empty, iv, ciphertext, "A".repeat(22)],
    [header, "AAAA", iv, ciphertext, tag],
  ];
  for (const parts of altered) {
    const delivered = { from: ALICE.key.kid, id: newJti(), body: parts.join(".") };
    expect(await receive(office.desk, keys, delivered)).toEqual(NOTHING);
  }
  expect(owed()).toEqual([]);
});
