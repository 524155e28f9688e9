import { afterEach, beforeEach, expect, test } from "vitest";
import { FREEZE, PAIR, VOUCH, WELCOME } from "../protocol/message.ts";
import { findMember } from "../protocol/people.ts";
import { vouch } from "./pairing.ts";
import { signRoster } from "./roster.ts";
import { Office } from "./testing.ts";
import { payloadOf, typOf } from "./testing-agent.ts";
import { fault, type Key, makeDevice, makeKey, makePerson, type Person, secondBrowser } from "./testing-people.ts";

const [ALICE, BOB, CAROL] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol")];
const [OLGA, OTTO] = [makePerson("Olga"), makePerson("Otto")];
const EVE = makePerson("Eve");
const WRONG = "abacus abacus abacus abacus abacus abacus";
let office: Office;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA, { roles: [[OTTO, ["initiator"]]] });
});
afterEach(() => office.dispose());

const people = () => office.desk.charter.require().people;
const pairings = () => office.desk.journal.pairings();
const pairOf = async (key: Key, { key: own, seal }: Person) =>
  await office.message(PAIR, key, { key: own.jwk, seal: seal.jwk });
const keysOnRoster = async () => {
  const payload = payloadOf((await signRoster(office.desk)).jws) as {
    members: { x: string }[];
    invites: { key: { x: string } }[];
  };
  return { members: payload.members.map(({ x }) => x), invites: payload.invites.map(({ key }) => key.x) };
};

test("from an invite to a member: nobody has a right before the admins have approved", async () => {
  const key = await office.invite(OLGA, "Eve", ["approver", "admin"]);
  expect((await keysOnRoster()).invites).toEqual([key.jwk.x]);
  expect(await office.deliver(key.kid, await pairOf(key, EVE))).toEqual({ requests: [], roster: true });
  expect(await keysOnRoster()).toMatchObject({
    members: expect.arrayContaining([EVE.key.jwk.x]) as unknown,
    invites: [],
  });
  expect(await office.sync(EVE)).toBeUndefined();
  expect(office.sent(WELCOME.typ).at(-1)).toMatchObject({
    receiver: EVE.key.kid,
    name: "Eve",
    standing: "pending",
    devices: [],
  });
  expect(await office.enrol(EVE)).toBeUndefined();
  const pending = { address: EVE.address, state: "pending" };
  expect(office.sent(WELCOME.typ).at(-1)).toMatchObject({ standing: "pending", devices: [pending] });
  const request = await office.vouch(OLGA, "Eve", office.words(EVE));
  expect(office.row(request)).toMatchObject({ verb: "ENROLL", initiator: "Olga" });
  expect(people().members.map(({ name }) => name)).not.toContain("Eve");
  await office.carry(request, [ALICE, BOB]);
  await office.settle();
  expect(findMember(people(), "Eve")).toMatchObject({ roles: ["approver", "admin"], extensions: [EVE.key.jwk] });
  expect(
    office
      .sent(WELCOME.typ)
      .filter(({ receiver }) => receiver === EVE.key.kid)
      .at(-1),
  ).toMatchObject({
    standing: "member",
    devices: [{ address: EVE.address, state: "enrolled" }],
  });
  // All acts, in order, so that the new browser can judge for itself.
  const acts = office.sent("oc-act+jws").filter(({ receiver }) => receiver === EVE.key.kid);
  expect(acts.map(({ n }) => n)).toEqual([1, 2]);
  expect(pairings()).toEqual([]);
});

test("a browser that is pairing can do nothing else, also one that pairs as a member", async () => {
  const second = secondBrowser(ALICE);
  await office.join(second, await office.invite(OLGA, "Alice", []));
  const request = await office.propose(OLGA);
  await office.drive(request);
  expect(await office.approve(second, request)).toBe("ERR_APPROVAL_NOT_ELIGIBLE");
  expect(await office.reject(second, request)).toBe("ERR_APPROVAL_NOT_ELIGIBLE");
  expect(await office.withdraw(second, request)).toBe("ERR_APPROVAL_NOT_ELIGIBLE");
  expect(await office.freeze(second)).toBe("ERR_MEMBER_ROLE");
  expect(office.desk.journal.freezes()).toEqual([]);
  await office.drive(request);
  office.forget();
  await office.sync(second);
  expect(
    office.desk.journal
      .outbox()
      .filter(({ jws }) => typOf(jws) !== "oc-view")
      .map(({ jws }) => payloadOf(jws)),
  ).toMatchObject([{ standing: "pending" }]);
});

test("a person's second browser: the same device, both approve, one person", async () => {
  const second = secondBrowser(ALICE);
  await office.hire(OLGA, second, [], [BOB, CAROL]);
  expect(findMember(people(), "Alice")).toMatchObject({ extensions: [ALICE.key.jwk, second.key.jwk] });
  const request = await office.propose(OLGA);
  await office.drive(request);
  expect(await office.approve(second, request)).toBeUndefined();
  expect(await office.approve(ALICE, request)).toBe("ERR_APPROVAL_DUPLICATE");
});

test("an invite pairs one browser, once", async () => {
  const key = await office.invite(OLGA, "Eve");
  const jws = await pairOf(key, EVE);
  await office.deliver(key.kid, jws);
  const [before] = pairings();
  for (const again of [jws, await pairOf(key, makePerson("thief"))])
    expect(await office.deliver(key.kid, again)).toEqual({ requests: [], roster: false });
  expect(pairings()).toEqual([before]);
});

test("a stolen invite that was used first has other words, and the person's own comes too late", async () => {
  const key = await office.invite(OLGA, "Eve");
  const thief = { ...makePerson("Eve"), ...makeDevice() };
  await office.join(thief, key);
  await expect(office.join(EVE, key))
    .resolves.toBeUndefined()
    .catch(() => {});
  expect(pairings()).toMatchObject([{ kid: thief.key.kid }]);
  await expect(office.vouch(OLGA, "Eve", office.words(EVE))).rejects.toMatchObject(fault("ERR_WORDS"));
  expect(office.desk.journal.requests(["proposed", "pending"])).toEqual([]);
});

test("an expired invite pairs nobody; nor does a key that is somebody's; nor is an invite's key good for anything else", async () => {
  const key = await office.invite(OLGA, "Eve");
  expect(await office.receive(key, await pairOf(key, ALICE))).toBe("ERR_MEMBER_EXISTS");
  const other = await office.invite(OLGA, "Dan");
  expect(await office.receive(key, await pairOf(key, { ...EVE, key: other }))).toBe("ERR_MEMBER_EXISTS");
  expect(await office.sync({ ...EVE, key })).toBeUndefined();
  expect(await office.receive(key, await office.message(FREEZE, key, { vault: null }))).toBeUndefined();
  expect(office.desk.journal.freezes()).toEqual([]);
  office.now += 3_600;
  expect(await office.receive(key, await pairOf(key, EVE))).toBe("ERR_INVITE");
  expect(pairings()).toEqual([]);
});

test("a refused pairing is answered to the invite's key, sealed to the key that it brought", async () => {
  const key = await office.invite(OLGA, "Eve");
  const jws = await pairOf(key, { ...EVE, key: ALICE.key });
  expect(await office.receive(key, jws)).toBe("ERR_MEMBER_EXISTS");
  expect(office.desk.journal.outbox().at(-1)).toMatchObject({ receiver: key.kid, seal: EVE.seal.jwk });
});

test("wrong words, three times: the pairing is over, and its browser is told", async () => {
  const key = await office.invite(OLGA, "Eve");
  const jws = await pairOf(key, EVE);
  await office.deliver(key.kid, jws);
  await office.enrol(EVE);
  for (let left = 2; left > 0; left -= 1) {
    await expect(office.vouch(OLGA, "Eve", WRONG)).rejects.toMatchObject(fault("ERR_WORDS"));
    await office.reopen();
    expect(pairings()).toHaveLength(1);
  }
  await expect(office.vouch(OLGA, "Eve", WRONG)).rejects.toMatchObject(fault("ERR_WORDS"));
  expect(pairings()).toEqual([]);
  await expect(office.vouch(OLGA, "Eve", WRONG)).rejects.toMatchObject(fault("ERR_PAIRING"));
  await office.settle();
  const { jti: of } = payloadOf(jws);
  expect(office.sent("oc-refusal+jws").at(-1)).toMatchObject({ receiver: EVE.key.kid, of, code: "ERR_WORDS" });
  expect((await keysOnRoster()).members).not.toContain(EVE.key.jwk.x);
  const before = office.sent(WELCOME.typ).length;
  expect(await office.sync(EVE)).toBeUndefined();
  expect(office.sent(WELCOME.typ)).toHaveLength(before);
});

test("the right words after a wrong try are right; for another device or other roles they are wrong", async () => {
  await office.join(EVE, await office.invite(OLGA, "Eve"));
  const words = office.words(EVE);
  await expect(office.vouch(OLGA, "Eve", WRONG)).rejects.toMatchObject(fault("ERR_WORDS"));
  await office.enrol({ ...EVE, ...makeDevice() });
  await expect(office.vouch(OLGA, "Eve", words)).rejects.toMatchObject(fault("ERR_WORDS"));
  await office.enrol(EVE);
  await office.vouch(OLGA, "Eve", words);
  // From now on it is that device which the admins decide on.
  expect(await office.enrol({ ...EVE, ...makeDevice() })).toBe("ERR_PAIRING");
});

test("only whoever invited can enter the words, and only once a device is there", async () => {
  const key = await office.invite(OLGA, "Eve");
  await office.deliver(key.kid, await pairOf(key, EVE));
  await expect(office.vouch(OLGA, "Eve", WRONG)).rejects.toMatchObject(fault("ERR_PAIRING"));
  await office.enrol(EVE);
  await expect(office.vouch(OTTO, "Eve", office.words(EVE))).rejects.toMatchObject(fault("ERR_MEMBER_ROLE"));
  await expect(office.vouch({ ...OLGA, file: makeKey() }, "Eve", office.words(EVE))).rejects.toMatchObject(
    fault("ERR_ENVELOPE_KEY"),
  );
  // A browser's key proposes nothing.
  await expect(office.vouch({ ...ALICE, file: ALICE.key }, "Eve", office.words(EVE))).rejects.toMatchObject(
    fault("ERR_ENVELOPE_KEY"),
  );
  expect(pairings()).toMatchObject([{ tries: 0, vouched: false }]);
});

test("a new invite takes the place of the old one, used or not", async () => {
  const first = await office.invite(OLGA, "Eve");
  const second = await office.invite(OTTO, "Eve");
  expect(await office.deliver(first.kid, await pairOf(first, EVE))).toEqual({ requests: [], roster: false });
  await office.join(EVE, second);
  const third = await office.invite(OLGA, "Eve");
  expect(pairings()).toEqual([]);
  const again = { ...EVE, key: makeKey() };
  await office.join(again, third);
  await expect(office.vouch(OLGA, "Eve", office.words(EVE))).rejects.toMatchObject(fault("ERR_WORDS"));
  await office.carry(await office.vouch(OLGA, "Eve", office.words(again)), [ALICE, BOB]);
  expect(findMember(people(), "Eve").extensions).toEqual([again.key.jwk]);
});

test("an ENROLL that another change made void can be vouched for again, with the same words", async () => {
  await office.join(EVE, await office.invite(OLGA, "Eve"));
  const words = office.words(EVE);
  const first = await office.vouch(OLGA, "Eve", words);
  await office.drive(first);
  expect(await office.vouch(OLGA, "Eve", words)).toBe(first);
  await office.govern(OLGA, { contact: "Somebody" }, [ALICE, BOB]);
  expect(office.row(first).state).toBe("void");
  const second = await office.vouch(OLGA, "Eve", words);
  expect(second).not.toBe(first);
  await office.carry(second, [ALICE, BOB]);
  expect(findMember(people(), "Eve").devices).toHaveLength(1);
});

test("the same vouching message again makes nothing new", async () => {
  await office.join(EVE, await office.invite(OLGA, "Eve"));
  const body = { name: "Eve", words: office.words(EVE), recovery: false };
  const jws = await office.message(VOUCH, OLGA.file, body);
  const { request } = await vouch(office.desk, jws);
  await office.govern(OLGA, { contact: "Somebody" }, [ALICE, BOB]);
  expect((await vouch(office.desk, jws)).request).toBe(request);
});

test("two who pair with one device: the second is refused", async () => {
  const dan = makePerson("Dan");
  await office.join(EVE, await office.invite(OLGA, "Eve"));
  await expect(office.join({ ...dan, address: EVE.address }, await office.invite(OLGA, "Dan"))).rejects.toMatchObject({
    message: "ERR_DEVICE_TAKEN",
  });
});

const INVITES: [string, () => Promise<unknown>, string][] = [
  ["a name like a member's", async () => await office.invite(OLGA, "AIice"), "ERR_NAME"],
  ["a name like a vault's", async () => await office.invite(OLGA, "Treasury-l"), "ERR_NAME"],
  ["nobody with no role", async () => await office.invite(OLGA, "Eve", []), "ERR_MEMBER_ROLE"],
  ["for more than a week", async () => await office.invite(OLGA, "Eve", ["approver"], 169), "ERR_INVITE"],
  ["for no time", async () => await office.invite(OLGA, "Eve", ["approver"], 0), "ERR_INVITE"],
  ["by nobody", async () => await office.invite(makePerson("x"), "Eve"), "ERR_ENVELOPE_KEY"],
  ["by a browser", async () => await office.invite({ ...ALICE, file: ALICE.key }, "Eve"), "ERR_ENVELOPE_KEY"],
];
test.each(INVITES)("no invite: %s", async (_what, attempt, code) => {
  await expect(attempt()).rejects.toMatchObject(fault(code));
  expect(office.desk.journal.invites()).toEqual([]);
});

test("only initiators and admins invite", async () => {
  const dan = makePerson("Dan");
  await office.hire(OLGA, dan, ["auditor"], [ALICE, BOB]);
  const change = { name: "Dan", roles: [], extension: null, file: dan.file.jwk, device: null };
  await office.enact(OLGA, { verb: "ENROLL", change }, [ALICE, BOB]);
  await expect(office.invite(dan, "Eve")).rejects.toMatchObject(fault("ERR_MEMBER_ROLE"));
});

test("nobody fills the roster alone: ten invites and pairings of one person are open", async () => {
  await office.join(EVE, await office.invite(OLGA, "Eve"));
  for (let n = 1; n < 10; n += 1) await office.invite(OLGA, `E${n + 20}x`);
  await expect(office.invite(OLGA, "Last")).rejects.toMatchObject(fault("ERR_INVITE"));
  await office.invite(OTTO, "Last");
  office.now += 3_600;
  await office.invite(OLGA, "Latest");
});
