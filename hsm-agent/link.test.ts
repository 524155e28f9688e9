import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openEnvelope } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { encodeFrame } from "../protocol/frame.ts";
import { CARD, type Card, LOGIN, REJECTION } from "../protocol/message.ts";
import { type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import { peekSeal } from "../protocol/seal.ts";
import { advance } from "./advance.ts";
import { receive } from "./inbound.ts";
import { Link } from "./link.ts";
import { Owed } from "./owed.ts";
import { Office } from "./testing.ts";
import { payloadOf, typOf } from "./testing-agent.ts";
import { FakeBridge, kindly, NONCE } from "./testing-bridge.ts";
import { away } from "./testing-hsm.ts";
import { makePerson, makeReceiving, newJti, type Person } from "./testing-people.ts";

const [ALICE, BOB, OLGA] = [makePerson("Alice"), makePerson("Bob"), makePerson("Olga")];
const DAY = 86_400;

let bridge: FakeBridge;
let office: Office;
let link: Link;
let owed: Owed;

beforeEach(async () => {
  bridge = await FakeBridge.open();
  office = await Office.open([ALICE, BOB], 2, OLGA, { policy: { bridge: bridge.url } });
  office.onWake = () => {
    owed.kick();
    link.wake();
  };
  const { desk, keys } = office;
  link = new Link({ desk, keys, dial: bridge.url, receive: async (frame) => void (await receive(desk, keys, frame)) });
  owed = new Owed(
    desk,
    () => link.card,
    () => link.wake(),
  );
});
afterEach(async () => {
  link.stop();
  await owed.stop();
  await bridge.close();
  office.dispose();
});

const until = async (done: () => boolean) =>
  await vi.waitFor(() => expect(done()).toBe(true), { timeout: 30_000, interval: 2 });
const sendsTo = (kid: string) => bridge.sentTo(kid).length;
const rosters = () => bridge.rosters();
const tell = async (person: Person, jws: string, to?: PublicJwk) => await bridge.deliver(jws, person.key.kid, to);
const typesOf = async (person: Person) => (await bridge.mailOf(person)).map((jws) => typOf(jws));

test("logs in with the key that the card certifies, over the bridge's nonce, not with the HSM identity", async () => {
  link.start();
  await until(() => link.state === "online" && rosters().length === 1);
  const [login] = bridge.frames;
  if (login?.t !== "login" || login.card === null) throw new Error("no login");
  const { jwk, signer } = office.desk.identity;
  const open = { audience: office.desk.bridgeUrl, now: office.now };
  const card: Card = (await openEnvelope(login.card, { ...open, type: CARD, keyOf: () => jwk })).payload;
  const { payload } = await openEnvelope(login.jws, { ...open, type: LOGIN, keyOf: () => card.link });
  expect(payload).toMatchObject({ bridgeNonce: NONCE, agent: signer.kid });
  expect(payload.iss).not.toBe(signer.kid);
});

test("what waits is sent and gone once the bridge has stored it, and the roster once for each connection", async () => {
  for (let n = 0; n < 200; n += 1) office.desk.journal.post(newJti(), [ALICE.key.kid, BOB.key.kid], "x.y.z");
  link.start();
  await until(() => office.desk.journal.outbox().length === 0 && rosters().length > 0);
  expect([sendsTo(ALICE.key.kid), sendsTo(BOB.key.kid)]).toEqual([200, 200]);
  expect(rosters()).toHaveLength(1);
});

test.each(["ERR_FRAME_MAILBOX_FULL", "ERR_FRAME_RATE"] as const)(
  "%s of one receiver holds up nobody else",
  async (code) => {
    for (let n = 0; n < 100; n += 1) office.desk.journal.post(newJti(), [ALICE.key.kid], "x.y.z");
    office.desk.journal.post(newJti(), [BOB.key.kid], "x.y.z");
    bridge.answer = (frame) =>
      frame.t === "send" && frame.to === ALICE.key.kid ? { v: 1, t: "error", code, id: frame.id } : kindly(frame);
    link.start();
    await until(() => sendsTo(BOB.key.kid) === 1 && office.desk.journal.waitingFor(BOB.key.kid) === 0);
    expect(office.desk.journal.outbox().map(({ receiver }) => receiver)).toEqual(Array(100).fill(ALICE.key.kid));
    bridge.answer = kindly;
    bridge.socket?.terminate();
    await until(() => office.desk.journal.outbox().length === 0);
  },
);

test("a message to somebody whom no roster knows is dropped, but not while a new roster is on its way", async () => {
  link.start();
  await until(() => rosters().length === 1);
  const late = makePerson("Late").key.kid;
  bridge.answer = (frame) => {
    if (frame.t === "roster") return undefined;
    return frame.t === "send" ? { v: 1, t: "error", code: "ERR_FRAME_UNKNOWN_RECEIVER", id: frame.id } : kindly(frame);
  };
  office.desk.journal.post(newJti(), [late], "x.y.z", makeReceiving().jwk);
  link.publishRoster();
  await until(() => sendsTo(late) === 1 && rosters().length === 2);
  // What was sent before this was handled before it.
  await tell(ALICE, "x.y.z");
  await until(() => bridge.acked().includes(1));
  bridge.answer = (frame) =>
    frame.t === "send" ? { v: 1, t: "error", code: "ERR_FRAME_UNKNOWN_RECEIVER", id: frame.id } : kindly(frame);
  expect(office.desk.journal.waitingFor(late)).toBe(1);
  const roster = rosters()[1];
  bridge.socket?.send(encodeFrame({ v: 1, t: "enrolled", n: roster ?? 0 }));
  await until(() => sendsTo(late) === 2 && office.desk.journal.waitingFor(late) === 0);
});

test("a roster that could not be signed is signed later", async () => {
  link.start();
  await until(() => rosters().length === 1);
  let failures = 1;
  office.hsm.before = () => {
    if (failures-- > 0) throw new Fault("ERR_HSM_DOWN", "The HSM is down.");
  };
  link.publishRoster();
  await until(() => rosters().some((n) => n > 1));
});

test("while the HSM is away messages are stored and acknowledged, a stop behind a sync too; answers come later, in order", async () => {
  const id = await office.propose(OLGA);
  await advance(office.desk, id);
  link.start();
  await until(() => rosters().length === 1 && office.desk.journal.outbox().length === 0);
  const before = sendsTo(ALICE.key.kid);
  office.hsm.before = away;
  await tell(ALICE, await office.syncOf(ALICE));
  const digest = "0".repeat(64);
  await tell(ALICE, await office.message(REJECTION, ALICE.key, { request: id, digest, reason: "other" }));
  const stop = { request: id, digest: office.row(id).digest, reason: "other" } as const;
  await tell(ALICE, await office.message(REJECTION, ALICE.key, stop));
  await until(() => bridge.acked().length === 3);
  expect(office.row(id).state).toBe("rejected");
  expect((await typesOf(ALICE)).slice(before)).not.toContain("oc-welcome+jws");
  expect(office.desk.journal.owed().map(({ what }) => what)).toEqual(["welcome", "freezes", "refusal"]);
  office.hsm.before = () => {};
  owed.kick();
  await until(() => office.desk.journal.owed().length === 0 && office.desk.journal.outbox().length === 0);
  const answers = (await typesOf(ALICE)).slice(before).filter((typ) => !/act|request|view/.test(typ));
  expect(answers).toEqual(["oc-welcome+jws", "oc-freezes+jws", "oc-refusal+jws"]);
});

test("a message that can never be used is acknowledged, and the connection stays", async () => {
  link.start();
  await until(() => rosters().length === 1);
  const first = bridge.socket;
  await tell(ALICE, "x.y.z");
  bridge.deliverBody("not-sealed", ALICE.key.kid);
  await tell(BOB, await office.syncOf(ALICE));
  await until(() => bridge.acked().length === 3);
  expect(bridge.acked()).toEqual([1, 2, 3]);
  expect(bridge.socket).toBe(first);
});

test("what is sent is sealed to the receiver's newest key", async () => {
  link.start();
  const jws = await office.syncOf(BOB);
  office.desk.journal.post(newJti(), [ALICE.key.kid], jws);
  await until(() => sendsTo(ALICE.key.kid) === 1);
  expect(await bridge.mailOf(ALICE)).toEqual([jws]);
  const next = makeReceiving();
  office.desk.journal.setMemberSeal(ALICE.key.kid, 2, next.jwk);
  office.desk.journal.post(newJti(), [ALICE.key.kid], jws);
  link.wake();
  await until(() => sendsTo(ALICE.key.kid) === 2);
  const body = bridge.sentTo(ALICE.key.kid)[1]?.body ?? "";
  expect(peekSeal(body).kid).toBe(next.kid);
  expect(await next.open(body)).toBe(jws);
});

const OFF_CURVE = { ...ALICE.seal.jwk, y: ALICE.seal.jwk.x };
const UNSEALABLE: [string, () => void][] = [
  ["without a key to seal it to", () => office.desk.journal.post(newJti(), [makePerson("x").key.kid], "x.y.z")],
  ["to a key that is no point", () => office.desk.journal.post(newJti(), [ALICE.key.kid], "x.y.z", OFF_CURVE)],
  ["that no seal holds", () => office.desk.journal.post(newJti(), [ALICE.key.kid], `x.y.${"z".repeat(96_000)}`)],
];
test.each(UNSEALABLE)("a message %s is dropped, and holds up nobody", async (_what, post) => {
  post();
  office.desk.journal.post(newJti(), [BOB.key.kid], "x.y.z");
  link.start();
  await until(() => sendsTo(BOB.key.kid) === 1 && rosters().length === 1);
  await until(() => office.desk.journal.outbox().length === 0);
  expect(bridge.frames.filter(({ t }) => t === "send")).toHaveLength(1);
  expect(bridge.frames.filter(({ t }) => t === "login")).toHaveLength(1);
});

test("a key that is no point, told by a browser, stops nobody's messages", async () => {
  link.start();
  await until(() => rosters().length === 1);
  await tell(ALICE, await office.syncOf({ ...ALICE, seal: { ...ALICE.seal, jwk: OFF_CURVE } }, [], 1, 2));
  await tell(BOB, await office.syncOf(BOB, [], 1));
  await until(() => sendsTo(BOB.key.kid) === 3 && office.desk.journal.outbox().length === 0);
  expect(sendsTo(ALICE.key.kid)).toBe(0);
  expect(bridge.frames.filter(({ t }) => t === "login")).toHaveLength(1);
});

test("a roster goes after the outbox: who is removed is told first", async () => {
  link.start();
  await until(() => rosters().length === 1);
  for (let n = 0; n < 100; n += 1) office.desk.journal.post(newJti(), [ALICE.key.kid, BOB.key.kid], "x.y.z");
  link.publishRoster();
  await until(() => rosters().length === 2);
  const at = bridge.frames.findLastIndex(({ t }) => t === "roster");
  expect(bridge.frames.slice(0, at).filter(({ t }) => t === "send")).toHaveLength(200);
});

test("the card is renewed while connected: a day later, for the same login, with another receiving key", async () => {
  link.start();
  await until(() => rosters().length === 1);
  link.renewCard();
  office.now += DAY - 1;
  link.renewCard();
  await tell(ALICE, await office.syncOf(ALICE));
  await until(() => bridge.acked().includes(1));
  expect(bridge.cards()).toHaveLength(1);
  office.now += 1;
  link.renewCard();
  await until(() => bridge.cards().length === 2);
  const [first, second] = bridge.cards();
  expect(second).toMatchObject({
    link: first?.link,
    exp: office.now + 3 * DAY,
    iss: office.desk.identity.signer.kid,
  });
  expect(second?.n).toBeGreaterThan(first?.n ?? Number.POSITIVE_INFINITY);
  expect(second?.seal).not.toEqual(first?.seal);
  expect(thumbprint(second?.seal ?? OFF_CURVE)).not.toBe(thumbprint(first?.seal ?? OFF_CURVE));
  expect(link.card).toBeDefined();
  // What was sealed to the one before is opened.
  await tell(ALICE, await office.syncOf(ALICE), first?.seal);
  await until(() => bridge.acked().includes(2) && office.desk.journal.owed().length === 0);
  expect(await typesOf(ALICE)).not.toContain("oc-reseal+jws");
});

test("what is sealed to a key that is gone is asked for again, with the newest card", async () => {
  link.start();
  await until(() => rosters().length === 1);
  const [first] = bridge.cards();
  office.now += 12 * DAY;
  link.renewCard();
  await until(() => bridge.cards().length === 2);
  const id = await tell(ALICE, await office.syncOf(ALICE), first?.seal);
  await until(() => sendsTo(ALICE.key.kid) === 1);
  const [reseal = ""] = await bridge.mailOf(ALICE);
  expect(payloadOf(reseal)).toMatchObject({ of: id, card: link.card });
  expect(payloadOf(String(payloadOf(reseal)["card"]))).toMatchObject({ n: bridge.cards()[1]?.n });
  // Sealed to that card it is used.
  await tell(ALICE, await office.syncOf(ALICE));
  await until(() => bridge.acked().includes(2) && sendsTo(ALICE.key.kid) > 1);
});

test("a frame that the bridge may not send ends the connection, and the next one works", async () => {
  link.start();
  await until(() => rosters().length === 1);
  const first = bridge.socket;
  bridge.socket?.send('{"v":1,"t":"shutdown"}');
  await until(() => bridge.socket !== first && link.state === "online");
});

test("card and roster are signed again before they expire", async () => {
  link.start();
  await until(() => rosters().length === 1);
  office.now += 20 * DAY;
  bridge.socket?.terminate();
  await until(() => rosters().length === 2);
  for (const numbers of [bridge.cards().map(({ n }) => n), rosters()]) {
    expect(numbers).toHaveLength(2);
    expect(numbers[1]).toBeGreaterThan(numbers[0] ?? Number.POSITIVE_INFINITY);
  }
});

test("numbers never go back, also not with a record that was restored from before they were given out", async () => {
  link.start();
  await until(() => rosters().length === 1);
  for (const key of ["card", "roster"]) office.desk.journal.removeMeta(key);
  office.now += DAY;
  link.renewCard();
  link.publishRoster();
  await until(() => rosters().length === 2 && bridge.cards().length === 2);
  for (const numbers of [bridge.cards().map(({ n }) => n), rosters()])
    expect(numbers[1]).toBeGreaterThan(numbers[0] ?? Number.POSITIVE_INFINITY);
});

test("a card from the bridge, which only agents make, ends the connection", async () => {
  link.start();
  await until(() => rosters().length === 1);
  const first = bridge.socket;
  bridge.socket?.send(encodeFrame({ v: 1, t: "card", jws: "x.y.z" }));
  await until(() => bridge.socket !== first && link.state === "online");
});
