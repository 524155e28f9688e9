import { p256 } from "@noble/curves/nist.js";
import { base64url } from "jose";
import { afterEach, beforeEach, expect, test } from "vitest";
import { signPayload } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { parseInvite } from "../protocol/invite.ts";
import { APPROVAL, CARD, ENROLMENT, PAIR, PROPOSAL, SYNC, WELCOME, WITHDRAWAL } from "../protocol/message.ts";
import { thumbprint } from "../protocol/primitive.ts";
import { advance } from "./advance.ts";
import { currentPeople } from "./desk.ts";
import { invite } from "./directory.ts";
import { receive } from "./inbound.ts";
import { findMember } from "./people.ts";
import { type Key, makeKey, makePerson, newJti, Office } from "./testing.ts";

const [ALICE, BOB, CAROL, DAVE] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol"), makePerson("Dave")];
const OLGA = makePerson("Olga");
const NOTHING = { requests: [], roster: false };
let office: Office;
let id: string;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA);
  office.add(DAVE);
  id = await office.propose(OLGA);
  await advance(office.desk, id);
});
afterEach(() => office.dispose());

const device = (address: string) => ({ address, vendor: "Ledger", model: "flex", path: "m/44'/60'/7'/0/0" }) as const;
const outbox = () => office.desk.journal.outbox(10_000).length;
/** A JWS of `key` whose payload is any text at all. */
const raw = async (typ: string, text: string, key: Key = ALICE.key) =>
  await signPayload({ ...APPROVAL, typ: typ as `oc-${string}+jws` }, text, key.signer);

const DROPPED: [string, () => Promise<[from: string, body: string]>][] = [
  ["no JWS", async () => [ALICE.key.kid, "x"]],
  ["an empty body", async () => [ALICE.key.kid, ""]],
  ["three dots", async () => [ALICE.key.kid, ".."]],
  ["a stranger's", async () => pair(makeKey(), await office.message(SYNC, makeKey(), { known: [] }))],
  ["another sender than its signer", async () => [BOB.key.kid, await office.message(SYNC, ALICE.key, { known: [] })]],
  ["a key file's, not a browser's", async () => pair(OLGA.key, await office.message(SYNC, OLGA.key, { known: [] }))],
  ["a type that members do not send", async () => pair(ALICE.key, await raw(CARD.typ, "{}"))],
  ["a proposal, which comes through the control socket", async () => pair(ALICE.key, await raw(PROPOSAL.typ, "{}"))],
  ["an unknown type", async () => pair(ALICE.key, await raw("oc-freeze+jws", "{}"))],
  ["an approval that is not JSON", async () => pair(ALICE.key, await raw(APPROVAL.typ, "approve"))],
  ["an approval that is null", async () => pair(ALICE.key, await raw(APPROVAL.typ, "null"))],
  ["bytes that are no text", async () => pair(ALICE.key, await rawBytes())],
  ["arrays without end", async () => pair(ALICE.key, await raw(SYNC.typ, "[".repeat(40_000) + "]".repeat(40_000)))],
  [
    "an object without end",
    async () => pair(ALICE.key, await raw(SYNC.typ, `${'{"a":'.repeat(15_000)}1${"}".repeat(15_000)}`)),
  ],
  ["__proto__", async () => pair(ALICE.key, await raw(SYNC.typ, '{"__proto__":{"v":1}}'))],
  ["a member with a very long name", async () => pair(ALICE.key, await raw(SYNC.typ, `{"${"x".repeat(60_000)}":1}`))],
  [
    "an expired one",
    async () =>
      pair(ALICE.key, await office.message(SYNC, ALICE.key, { known: [] }, { iat: office.now - 9, exp: office.now })),
  ],
  [
    "one of tomorrow",
    async () => pair(ALICE.key, await office.message(SYNC, ALICE.key, { known: [] }, { iat: office.now + 86_000 })),
  ],
  [
    "one to another agent",
    async () => pair(ALICE.key, await office.message(SYNC, ALICE.key, { known: [] }, { aud: [BOB.key.kid] })),
  ],
  ["an approval with a pairing's type", async () => pair(ALICE.key, await raw(PAIR.typ, "{}"))],
];
test.each(DROPPED)("dropped without an answer, and not for ever: %s", async (_what, make) => {
  const before = outbox();
  const people = currentPeople(office.desk.journal);
  const [from, body] = await make();
  expect(await receive(office.desk, from, body)).toEqual(NOTHING);
  expect(outbox()).toBe(before);
  expect(currentPeople(office.desk.journal)).toEqual(people);
  expect(office.desk.journal.records(id)).toEqual([]);
});

function pair(key: Key, jws: string): [string, string] {
  return [key.kid, jws];
}

async function rawBytes(): Promise<string> {
  const [header = ""] = (await office.message(SYNC, ALICE.key, { known: [] })).split(".");
  const input = `${header}.${base64url.encode(new Uint8Array([0xff, 0xfe, 0x7b]))}`;
  return `${input}.${base64url.encode(await ALICE.key.signer.sign(new TextEncoder().encode(input)))}`;
}

const REFUSED: [string, () => Promise<string | undefined>, string][] = [
  ["of an unknown request", async () => await send({ request: "0000000000000000" }), "ERR_REQUEST_UNKNOWN"],
  ["of other bytes", async () => await send({ digest: "0".repeat(64) }), "ERR_APPROVAL_DIGEST"],
  ["with another's device", async () => await send({ address: BOB.address }), "ERR_APPROVAL_DEVICE"],
  ["with another's signature", async () => await send({ signature: BOB.sign("x") }), "ERR_APPROVAL_SIGNATURE"],
  ["by a member who is not asked", async () => await office.approve(DAVE, id), "ERR_APPROVAL_NOT_ELIGIBLE"],
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
  expect(await receive(office.desk, ALICE.key.kid, jws)).toEqual({ requests: [id], roster: false });
  await advance(office.desk, id);
  const { revision } = office.row(id);
  const before = outbox();
  expect(await receive(office.desk, ALICE.key.kid, jws)).toEqual(NOTHING);
  expect(office.row(id).revision).toBe(revision);
  expect(office.desk.journal.records(id)).toHaveLength(1);
  expect(outbox()).toBe(before + 1);
  expect(office.sent("oc-receipt+jws").at(-1)).toMatchObject({
    receiver: ALICE.key.kid,
    records: [{ person: "Alice" }],
  });
});

test("another's message id is no way to their receipt, nor to hide one's own message", async () => {
  const jti = newJti();
  await office.receive(ALICE.key, await office.approval(ALICE, id, { jti }));
  await advance(office.desk, id);
  const before = office.sent("oc-receipt+jws").length;
  for (const person of [BOB, DAVE])
    expect(await office.receive(person.key, await office.approval(person, id, { jti }))).toBe("ERR_ENVELOPE_REPLAYED");
  expect(office.sent("oc-receipt+jws")).toHaveLength(before);
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

test("an enrolment waits for the operator and stops nobody's requests; again it changes nothing", async () => {
  const own = makePerson("x").address;
  const jws = await office.message(ENROLMENT, DAVE.key, device(own));
  expect(await receive(office.desk, DAVE.key.kid, jws)).toEqual(NOTHING);
  expect(office.row(id).state).toBe("pending");
  expect(findMember(currentPeople(office.desk.journal), "Dave").devices).toMatchObject([
    { address: own, state: "pending" },
  ]);
  expect(await receive(office.desk, DAVE.key.kid, jws)).toEqual(NOTHING);
  expect(office.sent(WELCOME.typ).at(-1)).toMatchObject({ receiver: DAVE.key.kid, devices: [{ address: own }] });
});

test("another person's device is not enrolled", async () => {
  expect(await office.receive(DAVE.key, await office.message(ENROLMENT, DAVE.key, device(ALICE.address)))).toBe(
    "ERR_DEVICE_TAKEN",
  );
  expect(findMember(currentPeople(office.desk.journal), "Dave").devices).toEqual([]);
  expect(office.row(id).state).toBe("pending");
});

test("an enrolment while the HSM is away changes nothing yet, and works when it comes again", async () => {
  const jws = await office.message(ENROLMENT, DAVE.key, device(DAVE.address));
  office.hsm.before = () => {
    throw new Fault("ERR_HSM_DOWN", "The HSM is down.");
  };
  await expect(receive(office.desk, DAVE.key.kid, jws)).rejects.toMatchObject({ code: "ERR_HSM_DOWN" });
  expect(office.row(id).state).toBe("pending");
  office.hsm.before = () => {};
  expect(await receive(office.desk, DAVE.key.kid, jws)).toEqual(NOTHING);
  expect(findMember(currentPeople(office.desk.journal), "Dave").devices).toHaveLength(1);
});

async function makeInvite(name = "Eve", hours = 1): Promise<Key> {
  const { code } = await invite(office.desk, name, ["approver"], hours);
  const { key, d } = parseInvite(code);
  const kid = thumbprint(key);
  return { jwk: key, kid, signer: { kid, sign: async (input) => p256.sign(input, base64url.decode(d)) } };
}

test("an invite pairs one browser, once", async () => {
  const code = await makeInvite();
  const browser = makeKey();
  const jws = await office.message(PAIR, code, { key: browser.jwk });
  expect(await receive(office.desk, code.kid, jws)).toEqual({ requests: [id], roster: true });
  expect(findMember(currentPeople(office.desk.journal), "Eve")).toMatchObject({ extensions: [browser.jwk] });
  expect(office.sent(WELCOME.typ).at(-1)).toMatchObject({ receiver: code.kid, aud: [browser.kid], name: "Eve" });
  for (const again of [jws, await office.message(PAIR, code, { key: makeKey().jwk })])
    expect(await receive(office.desk, code.kid, again)).toEqual(NOTHING);
  expect(findMember(currentPeople(office.desk.journal), "Eve").extensions).toHaveLength(1);
});

test("an expired invite does not; nor a key that is somebody's; nor an invite's key for anything else", async () => {
  const code = await makeInvite();
  expect(await office.receive(code, await office.message(PAIR, code, { key: ALICE.key.jwk }))).toBe(
    "ERR_MEMBER_EXISTS",
  );
  expect(await receive(office.desk, code.kid, await office.message(SYNC, code, { known: [] }))).toEqual(NOTHING);
  office.now += 3_600;
  expect(await office.receive(code, await office.message(PAIR, code, { key: makeKey().jwk }))).toBe("ERR_INVITE");
  expect(currentPeople(office.desk.journal).members.map(({ name }) => name)).not.toContain("Eve");
});

test("a member's key does not pair", async () => {
  expect(
    await receive(office.desk, ALICE.key.kid, await office.message(PAIR, ALICE.key, { key: makeKey().jwk })),
  ).toEqual(NOTHING);
});

test("invites are as many as a roster holds", async () => {
  for (let n = 0; n < 50; n += 1) await makeInvite();
  await expect(makeInvite()).rejects.toMatchObject({ code: "ERR_INVITE" });
  office.now += 3_600;
  await makeInvite();
});

test("a sync brings the welcome, what is open and not known, and receipts of what is known and over", async () => {
  await office.approve(ALICE, id);
  await advance(office.desk, id);
  const counts = () =>
    ["oc-welcome+jws", "oc-request+jws", "oc-receipt+jws"].map(
      (typ) => office.sent(typ).filter((m) => m["receiver"] === BOB.key.kid).length,
    );
  const sync = async (known: string[]) => {
    const before = counts();
    await office.receive(BOB.key, await office.message(SYNC, BOB.key, { known }));
    return counts().map((count, at) => count - (before[at] ?? 0));
  };
  expect(await sync([])).toEqual([1, 1, 1]);
  expect(await sync([id])).toEqual([1, 0, 1]);
  await office.reject(CAROL, id);
  await advance(office.desk, id);
  expect(await sync([])).toEqual([1, 0, 0]);
  expect(await sync([id, "0000000000000000"])).toEqual([1, 0, 1]);
  await office.receive(DAVE.key, await office.message(SYNC, DAVE.key, { known: [id] }));
  expect(office.sent("oc-receipt+jws").filter((m) => m["receiver"] === DAVE.key.kid)).toEqual([]);
});

test("answers do not pile up for somebody who never fetches them, and the rest still goes on", async () => {
  for (let n = 0; n < 1_000; n += 1) office.desk.journal.post(newJti(), [ALICE.key.kid], "x.y.z");
  const before = outbox();
  expect(await receive(office.desk, ALICE.key.kid, await office.message(SYNC, ALICE.key, { known: [] }))).toEqual(
    NOTHING,
  );
  await receive(
    office.desk,
    ALICE.key.kid,
    await office.message(WITHDRAWAL, ALICE.key, { request: id, digest: "0".repeat(64) }),
  );
  expect(outbox()).toBe(before);
  const approval = await office.approval(ALICE, id);
  expect(await receive(office.desk, ALICE.key.kid, approval)).toEqual({ requests: [id], roster: false });
});

test("a rejection needs no HSM", async () => {
  office.hsm.before = () => {
    throw new Fault("ERR_HSM_DOWN", "The HSM is down.");
  };
  const before = office.desk.journal.records(id).length;
  await office.reject(CAROL, id);
  expect(office.row(id).state).toBe("rejected");
  expect(office.desk.journal.records(id)).toHaveLength(before + 1);
});

test("a message that cannot be stored is not acknowledged", async () => {
  const jws = await office.approval(ALICE, id);
  const closed = await Office.open([ALICE], 1);
  closed.desk.journal.close();
  await expect(receive({ ...office.desk, journal: closed.desk.journal }, ALICE.key.kid, jws)).rejects.toThrow(
    "not open",
  );
  closed.dispose();
});
