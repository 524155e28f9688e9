import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { openEnvelope } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { type BridgeFrame, type ClientFrame, encodeFrame, parseClientFrame } from "../protocol/frame.ts";
import { CARD, type Card, LOGIN, SYNC } from "../protocol/message.ts";
import { receive } from "./inbound.ts";
import { Link } from "./link.ts";
import { makePerson, newJti, Office } from "./testing.ts";

const ALICE = makePerson("Alice");
const BOB = makePerson("Bob");
const NONCE = "A".repeat(43);

/** A bridge that does as it is told. */
let server: WebSocketServer;
let socket: WebSocket | undefined;
let frames: ClientFrame[];
let answer: (frame: ClientFrame) => BridgeFrame | undefined;
let office: Office;
let link: Link;

const rosterNumber = (jws: string): number =>
  (JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString("utf8")) as { n: number }).n;

function kindly(frame: ClientFrame): BridgeFrame | undefined {
  if (frame.t === "login") return { v: 1, t: "ready" };
  if (frame.t === "roster") return { v: 1, t: "enrolled", n: rosterNumber(frame.jws) };
  return frame.t === "send" ? { v: 1, t: "accepted", id: frame.id } : undefined;
}

beforeEach(async () => {
  frames = [];
  answer = kindly;
  server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  server.on("connection", (connection) => {
    socket = connection;
    const send = (frame: BridgeFrame) => connection.send(encodeFrame(frame));
    connection.on("message", (data: Buffer) => {
      const frame = parseClientFrame(data.toString("utf8"));
      frames.push(frame);
      const reply = answer(frame);
      if (reply !== undefined) send(reply);
    });
    send({ v: 1, t: "hello", nonce: NONCE });
  });
  await once(server, "listening");
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  office = await Office.open([ALICE, BOB], 2);
  office.desk = { ...office.desk, bridgeUrl: url, wake: () => link.wake() };
  link = new Link({
    desk: office.desk,
    dial: url,
    receive: async (from, body) => void (await receive(office.desk, from, body)),
  });
  for (const row of office.desk.journal.outbox()) office.desk.journal.removeFromOutbox(row.n);
});
afterEach(async () => {
  link.stop();
  for (const client of server.clients) client.terminate();
  await new Promise((resolve) => server.close(resolve));
  office.dispose();
});

const until = async (done: () => boolean) =>
  await vi.waitFor(() => expect(done()).toBe(true), { timeout: 30_000, interval: 2 });
const sendsTo = (kid: string) => frames.filter((frame) => frame.t === "send" && frame.to === kid).length;
const rosters = () => frames.filter((frame) => frame.t === "roster");
const deliver = (seq: number, jws: string, from = ALICE.key.kid) =>
  socket?.send(encodeFrame({ v: 1, t: "deliver", seq, id: newJti(), from, body: jws }));
const acked = () => frames.flatMap((frame) => (frame.t === "ack" ? [frame.seq] : []));

test("logs in with the key that the card certifies, over the bridge's nonce, not with the HSM identity", async () => {
  link.start();
  await until(() => link.state === "online" && rosters().length === 1);
  const [login] = frames;
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
    answer = (frame) =>
      frame.t === "send" && frame.to === ALICE.key.kid ? { v: 1, t: "error", code, id: frame.id } : kindly(frame);
    link.start();
    await until(() => sendsTo(BOB.key.kid) === 1 && office.desk.journal.waitingFor(BOB.key.kid) === 0);
    expect(office.desk.journal.outbox().map(({ receiver }) => receiver)).toEqual(Array(100).fill(ALICE.key.kid));
    answer = kindly;
    socket?.terminate();
    await until(() => office.desk.journal.outbox().length === 0);
  },
);

test("a message to somebody whom no roster knows is dropped, but not while a new roster is on its way", async () => {
  link.start();
  await until(() => rosters().length === 1);
  const late = makePerson("Late").key.kid;
  answer = (frame) => {
    if (frame.t === "roster") return undefined;
    return frame.t === "send" ? { v: 1, t: "error", code: "ERR_FRAME_UNKNOWN_RECEIVER", id: frame.id } : kindly(frame);
  };
  office.desk.journal.post(newJti(), [late], "x.y.z");
  link.publishRoster();
  await until(() => sendsTo(late) === 1 && rosters().length === 2);
  // What was sent before this was handled before it.
  deliver(1, "x.y.z");
  await until(() => acked().includes(1));
  answer = (frame) =>
    frame.t === "send" ? { v: 1, t: "error", code: "ERR_FRAME_UNKNOWN_RECEIVER", id: frame.id } : kindly(frame);
  expect(office.desk.journal.waitingFor(late)).toBe(1);
  const roster = rosters()[1];
  if (roster?.t === "roster") socket?.send(encodeFrame({ v: 1, t: "enrolled", n: rosterNumber(roster.jws) }));
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
  await until(() => rosters().some((frame) => frame.t === "roster" && rosterNumber(frame.jws) === 2));
});

test("while the HSM is away nothing is acknowledged; what was not comes again and then is", async () => {
  link.start();
  await until(() => rosters().length === 1);
  const jws = await office.message(SYNC, ALICE.key, { known: [] });
  let failures = 2;
  office.hsm.before = () => {
    if (failures-- > 0) throw new Fault("ERR_HSM_DOWN", "The HSM is down.");
  };
  answer = (frame) => {
    if (frame.t === "login" || frame.t === "roster") setImmediate(() => frame.t === "roster" && deliver(1, jws));
    return kindly(frame);
  };
  deliver(1, jws);
  await until(() => acked().includes(1));
  expect(failures).toBeLessThanOrEqual(0);
  await until(() => sendsTo(ALICE.key.kid) > 0);
});

test("a message that can never be used is acknowledged, and the connection stays", async () => {
  link.start();
  await until(() => rosters().length === 1);
  const first = socket;
  deliver(1, "x.y.z");
  deliver(2, "not-a-jws");
  deliver(3, await office.message(SYNC, ALICE.key, { known: [] }), BOB.key.kid);
  await until(() => acked().length === 3);
  expect(acked()).toEqual([1, 2, 3]);
  expect(socket).toBe(first);
});

test("a frame that the bridge may not send ends the connection, and the next one works", async () => {
  link.start();
  await until(() => rosters().length === 1);
  const first = socket;
  socket?.send('{"v":1,"t":"shutdown"}');
  await until(() => socket !== first && link.state === "online");
});

test("card and roster are signed again before they expire", async () => {
  link.start();
  await until(() => rosters().length === 1);
  office.now += 20 * 86_400;
  socket?.terminate();
  await until(() => rosters().length === 2);
  const cards = frames.flatMap((frame) => (frame.t === "login" ? [rosterNumber(frame.card ?? "")] : []));
  expect(cards).toEqual([1, 2]);
  expect(rosters().map((frame) => (frame.t === "roster" ? rosterNumber(frame.jws) : 0))).toEqual([1, 2]);
});
