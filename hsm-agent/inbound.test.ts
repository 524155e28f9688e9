import { base64url } from "jose";
import { afterEach, beforeEach, expect, test } from "vitest";
import { signPayload } from "../protocol/envelope.ts";
import { APPROVAL, CARD, ENROLMENT, PAIR, PROPOSAL, SYNC, WITHDRAWAL } from "../protocol/message.ts";
import { advance } from "./advance.ts";
import { receive } from "./inbound.ts";
import { Office } from "./testing.ts";
import { away } from "./testing-hsm.ts";
import { deviceOf, type Key, makeDevice, makeKey, makePerson, newJti, type Person } from "./testing-people.ts";

const [ALICE, BOB, CAROL, DAVE] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol"), makePerson("Dave")];
const OLGA = makePerson("Olga");
const NOTHING = { requests: [], roster: false };
let office: Office;
let id: string;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA, { roles: [[DAVE, ["auditor", "approver"]]] });
  id = await office.propose(OLGA);
  await advance(office.desk, id);
});
afterEach(() => office.dispose());

const outbox = () => office.desk.journal.outbox(10_000).length + office.desk.journal.owed().length;
/** A JWS of `key` whose payload is any text at all. */
const raw = async (typ: string, text: string, key: Key = ALICE.key) =>
  await signPayload({ ...APPROVAL, typ: typ as `oc-${string}+jws` }, text, key.signer);

/** What somebody sends that nobody is answered to: `from` is what the bridge stamps. */
const DROPPED: [string, () => Promise<[from: string, jws: string]>][] = [
  ["two empty parts", async () => [ALICE.key.kid, "a.b.c"]],
  ["a stranger's", async () => by(makeKey(), await office.syncOf(makePerson("x")))],
  ["another sender than its signer", async () => [BOB.key.kid, await office.syncOf(ALICE)]],
  ["a key file's, not a browser's", async () => by(OLGA.file, await office.syncOf({ ...ALICE, key: OLGA.file }))],
  ["a type that members do not send", async () => by(ALICE.key, await raw(CARD.typ, "{}"))],
  ["a proposal, which comes through the control socket", async () => by(ALICE.key, await raw(PROPOSAL.typ, "{}"))],
  ["an unknown type", async () => by(ALICE.key, await raw("oc-thaw+jws", "{}"))],
  ["an approval that is not JSON", async () => by(ALICE.key, await raw(APPROVAL.typ, "approve"))],
  ["an approval that is null", async () => by(ALICE.key, await raw(APPROVAL.typ, "null"))],
  ["bytes that are no text", async () => by(ALICE.key, await rawBytes())],
  ["arrays without end", async () => by(ALICE.key, await raw(SYNC.typ, "[".repeat(30_000) + "]".repeat(30_000)))],
  [
    "an object without end",
    async () => by(ALICE.key, await raw(SYNC.typ, `${'{"a":'.repeat(11_000)}1${"}".repeat(11_000)}`)),
  ],
  ["__proto__", async () => by(ALICE.key, await raw(SYNC.typ, '{"__proto__":{"v":1}}'))],
  ["a member with a very long name", async () => by(ALICE.key, await raw(SYNC.typ, `{"${"x".repeat(60_000)}":1}`))],
  ["an expired one", async () => by(ALICE.key, await syncWith({ iat: office.now - 9, exp: office.now }))],
  ["one of tomorrow", async () => by(ALICE.key, await syncWith({ iat: office.now + 86_000 }))],
  ["one of one agent, sealed for another", async () => by(ALICE.key, await syncWith({ aud: [makeKey().kid] }))],
  ["an approval with a pairing's type", async () => by(ALICE.key, await raw(PAIR.typ, "{}"))],
  ["a pairing by a member's key", async () => by(ALICE.key, await pairOf(ALICE.key, makePerson("x")))],
  [
    "a pairing by an invite that is nobody's",
    async () => {
      const key = makeKey();
      return by(key, await pairOf(key, makePerson("x")));
    },
  ],
];
test.each(DROPPED)("dropped without an answer, and not for ever: %s", async (_what, make) => {
  const before = outbox();
  const charter = office.desk.charter.current;
  const [from, jws] = await make();
  expect(await office.deliver(from, jws)).toEqual(NOTHING);
  expect(outbox()).toBe(before);
  expect(office.desk.charter.current).toBe(charter);
  expect(office.desk.journal.records(id)).toEqual([]);
  expect(office.desk.journal.pairings()).toEqual([]);
});

const BODIES: [string, () => Promise<string> | string][] = [
  ["nothing", () => ""],
  ["no seal", () => "x"],
  ["dots", () => "...."],
  ["a message that nobody sealed", async () => await office.syncOf(ALICE)],
];
test.each(BODIES)("a body that is no sealed message is dropped: %s", async (_what, body) => {
  const before = outbox();
  const delivered = { from: ALICE.key.kid, id: newJti(), body: await body() };
  expect(await receive(office.desk, office.keys, delivered)).toEqual(NOTHING);
  expect(outbox()).toBe(before);
});

const by = (key: Key, jws: string): [string, string] => [key.kid, jws];

async function syncWith(claims: object): Promise<string> {
  const body = {
    known: [],
    charter: 0,
    seal: { n: 1, key: ALICE.seal.jwk },
    card: office.sealedTo,
    log: null,
    witness: null,
  };
  return await office.message(SYNC, ALICE.key, body, claims);
}

async function pairOf(invite: Key, { key, seal }: Person): Promise<string> {
  return await office.message(PAIR, invite, { key: key.jwk, seal: seal.jwk });
}

async function rawBytes(): Promise<string> {
  const [header = ""] = (await office.syncOf(ALICE)).split(".");
  const input = `${header}.${base64url.encode(new Uint8Array([0xff, 0xfe, 0x7b]))}`;
  return `${input}.${base64url.encode(await ALICE.key.signer.sign(new TextEncoder().encode(input)))}`;
}

const REFUSED: [string, () => Promise<string | undefined>, string | undefined][] = [
  ["of an unknown request", async () => await send({ request: "0000000000000000" }), "ERR_REQUEST_UNKNOWN"],
  ["of other bytes", async () => await send({ digest: "0".repeat(64) }), "ERR_APPROVAL_DIGEST"],
  ["with another's device", async () => await send({ address: BOB.address }), "ERR_APPROVAL_DEVICE"],
  ["with another's signature", async () => await send({ signature: BOB.sign("x") }), "ERR_APPROVAL_SIGNATURE"],
  ["by a member who is not asked", async () => await office.approve(DAVE, id), "ERR_APPROVAL_NOT_ELIGIBLE"],
  [
    "by the initiator, who is no browser",
    async () => await office.approve({ ...ALICE, key: OLGA.file }, id),
    undefined,
  ],
  ["too late", async () => late(async () => await office.approve(ALICE, id)), "ERR_REQUEST_EXPIRED"],
];
test.each(REFUSED)("an approval is refused, with a signed answer: %s", async (_what, attempt, code) => {
  expect(await attempt()).toBe(code);
  expect(office.desk.journal.records(id)).toEqual([]);
});

async function send(change: Partial<{ request: string; digest: string; address: string; signature: string }>) {
  const body = {
    request: id,
    digest: office.row(id).digest,
    address: ALICE.address,
    signature: ALICE.sign("x"),
    log: null,
    ...change,
  };
  return await office.receive(ALICE.key, await office.message(APPROVAL, ALICE.key, body));
}

async function late<T>(work: () => Promise<T>): Promise<T> {
  office.now += 3_660;
  return await work();
}

test("the same message again changes nothing and is answered with the receipt that names it", async () => {
  const jws = await office.approval(ALICE, id);
  expect(await office.deliver(ALICE.key.kid, jws)).toEqual({ requests: [id], roster: false });
  await advance(office.desk, id);
  await office.settle();
  const { revision } = office.row(id);
  const before = outbox();
  expect(await office.deliver(ALICE.key.kid, jws)).toEqual(NOTHING);
  expect(office.row(id).revision).toBe(revision);
  expect(office.desk.journal.records(id)).toHaveLength(1);
  await office.settle();
  expect(outbox()).toBe(before + 1);
  expect((await office.receipts()).at(-1)).toMatchObject({
    receiver: ALICE.key.kid,
    records: [{ person: "Alice" }],
  });
});

test("another's message id is no way to their receipt, nor to hide one's own message", async () => {
  const jti = newJti();
  await office.receive(ALICE.key, await office.approval(ALICE, id, { jti }));
  await advance(office.desk, id);
  const before = (await office.receipts()).length;
  for (const person of [BOB, DAVE])
    expect(await office.receive(person.key, await office.approval(person, id, { jti }))).toBe("ERR_ENVELOPE_REPLAYED");
  expect(await office.receipts()).toHaveLength(before);
  expect(office.desk.journal.records(id)).toHaveLength(1);
});

test("one approval a person; a withdrawal once, before or after it; a rejection whenever it is open", async () => {
  expect(await office.approve(ALICE, id)).toBeUndefined();
  expect(await office.approve(ALICE, id)).toBe("ERR_APPROVAL_DUPLICATE");
  expect(await office.withdraw(ALICE, id)).toBeUndefined();
  expect(await office.withdraw(ALICE, id)).toBe("ERR_APPROVAL_WITHDRAWN");
  expect(await office.withdraw(BOB, id)).toBeUndefined();
  expect(await office.approve(BOB, id)).toBe("ERR_APPROVAL_WITHDRAWN");
  expect(await office.reject(BOB, id)).toBeUndefined();
  expect(office.row(id).state).toBe("rejected");
  for (const attempt of [office.approve(CAROL, id), office.reject(CAROL, id), office.withdraw(CAROL, id)])
    expect(await attempt).toBe("ERR_REQUEST_STATE");
});

test("a person's records of a request are bounded, however often they write", async () => {
  for (let n = 0; n < 20; n += 1) await office.withdraw(ALICE, id);
  expect(office.desk.journal.records(id)).toHaveLength(1);
});

const enrolment = async (person: Person) =>
  await office.message(ENROLMENT, person.key, { ...deviceOf(person), path: "m/44'/60'/7'/0/0" });

test("answers do not pile up for somebody who never fetches them, and the rest still goes on", async () => {
  for (let n = 0; n < 1_000; n += 1) office.desk.journal.post(newJti(), [ALICE.key.kid], "x.y.z");
  const before = outbox();
  expect(await office.deliver(ALICE.key.kid, await office.syncOf(ALICE))).toEqual(NOTHING);
  const wrong = { request: id, digest: "0".repeat(64) };
  await office.deliver(ALICE.key.kid, await office.message(WITHDRAWAL, ALICE.key, wrong));
  const further = { ...ALICE, ...makeDevice() };
  await office.deliver(ALICE.key.kid, await enrolment(further));
  expect(outbox()).toBe(before);
  expect(office.desk.journal.waitingDevices()).toHaveLength(1);
  const approval = await office.approval(ALICE, id);
  expect(await office.deliver(ALICE.key.kid, approval)).toEqual({ requests: [id], roster: false });
});

test("a rejection needs no HSM", async () => {
  office.hsm.before = away;
  const before = office.desk.journal.records(id).length;
  expect(await office.reject(CAROL, id)).toBeUndefined();
  expect(office.row(id).state).toBe("rejected");
  expect(office.desk.journal.records(id)).toHaveLength(before + 1);
});

test("a message that cannot be stored is not acknowledged", async () => {
  const jws = await office.approval(ALICE, id);
  office.desk.journal.close();
  await expect(office.deliver(ALICE.key.kid, jws)).rejects.toThrow("not open");
});

test("a removed person is cut off at once, and a removed browser: not answered, and what they said counts no more", async () => {
  await office.approve(ALICE, id);
  const browser = { what: "browser", key: DAVE.key.kid } as const;
  await office.enact(OLGA, { verb: "REMOVE", change: { name: "Dave", removal: browser } }, [BOB, CAROL]);
  await office.enact(OLGA, { verb: "REMOVE", change: { name: "Alice", removal: { what: "person" } } }, [BOB, CAROL]);
  expect(office.row(id).state).toBe("void");
  const next = await office.propose(OLGA);
  await office.drive(next);
  await office.settle();
  for (const person of [ALICE, DAVE]) {
    const before = outbox();
    const messages = [await office.approval(person, next), await office.approval(person, id)];
    for (const jws of [...messages, await office.syncOf(person), await enrolment(person)])
      expect(await office.deliver(person.key.kid, jws)).toEqual(NOTHING);
    expect(outbox()).toBe(before);
  }
  expect(office.desk.journal.records(next)).toEqual([]);
  // What waited for them is gone, but for the act that tells them.
  expect(office.sent("oc-act+jws").map(({ receiver }) => receiver)).toContain(ALICE.key.kid);
  expect(office.sent("oc-welcome+jws").map(({ receiver }) => receiver)).not.toContain(ALICE.key.kid);
});
