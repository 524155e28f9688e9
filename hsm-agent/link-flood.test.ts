/** A bridge that sends without waiting for anything: what the agent has not handled yet must not fill its memory. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { Link } from "./link.ts";
import { Office } from "./testing.ts";
import { FakeBridge, kindly } from "./testing-bridge.ts";
import { makePerson, newJti } from "./testing-people.ts";

const [ALICE, BOB, OLGA] = [makePerson("Alice"), makePerson("Bob"), makePerson("Olga")];
const [FRAMES, BODY] = [1_000, "x".repeat(60_000)];
/** Of 1,000 at most so many are taken: what waits, and what was read with the last of it. */
const TAKEN_MAX = 300;

let bridge: FakeBridge;
let office: Office;
let link: Link;
let release: () => void;
let received = 0;
beforeEach(async () => {
  bridge = await FakeBridge.open();
  office = await Office.open([ALICE, BOB], 2, OLGA, { policy: { bridge: bridge.url } });
  const free = new Promise<void>((resolve) => (release = resolve));
  received = 0;
  const receive = async () => {
    await free;
    received += 1;
  };
  link = new Link({ desk: office.desk, keys: office.keys, dial: bridge.url, receive });
  link.start();
  await until(() => link.state === "online");
});
afterEach(async () => {
  release();
  link.stop();
  await bridge.close();
  office.dispose();
});

const until = async (done: () => boolean) =>
  await vi.waitFor(() => expect(done()).toBe(true), { timeout: 30_000, interval: 5 });
const flood = () => {
  for (let n = 0; n < FRAMES; n += 1) bridge.deliverBody(BODY, ALICE.key.kid);
};

test("it is not read further until there is room, and nothing of it is lost", async () => {
  const heard = vi.spyOn(WebSocket.prototype, "emit");
  const pause = vi.spyOn(WebSocket.prototype, "pause");
  flood();
  await until(() => pause.mock.calls.length > 0);
  // Far more than systems hold on a socket has not been read.
  expect(bridge.socket?.bufferedAmount).toBeGreaterThan(FRAMES * 20_000);
  expect(
    heard.mock.contexts.filter((each, at) => each !== bridge.socket && heard.mock.calls[at]?.[0] === "message").length,
  ).toBeLessThan(TAKEN_MAX);
  release();
  await until(() => bridge.acked().at(-1) === FRAMES);
  expect(received).toBe(FRAMES);
  vi.restoreAllMocks();
});

test("a connection that is lost while it is not read is made anew", async () => {
  const pause = vi.spyOn(WebSocket.prototype, "pause");
  flood();
  await until(() => pause.mock.calls.length > 0);
  vi.restoreAllMocks();
  const first = bridge.socket;
  first?.terminate();
  release();
  await until(() => bridge.socket !== first && link.state === "online");
});

test("a bridge that reads nothing is left, and what was not taken is sent again", async () => {
  office.desk.journal.post(newJti(), [ALICE.key.kid], "e30.e30.e30");
  const first = bridge.socket;
  bridge.answer = (frame) => (frame.t === "send" ? undefined : kindly(frame));
  const unread = vi.spyOn(WebSocket.prototype, "bufferedAmount", "get").mockReturnValue(16_777_217);
  link.wake();
  await until(() => bridge.socket !== first || first?.readyState === WebSocket.CLOSED);
  unread.mockRestore();
  bridge.answer = kindly;
  await until(() => bridge.socket !== first && link.state === "online" && office.desk.journal.outbox().length === 0);
});

test("a message in pieces without an end is not read to its end: each piece would keep what was read with it", async () => {
  const first = bridge.socket;
  // Nothing whole comes in between.
  bridge.answer = (frame) => (bridge.socket === first ? undefined : kindly(frame));
  for (let n = 0; n < 1_100; n += 1) first?.send("x", { fin: false });
  await until(() => bridge.socket !== first && link.state === "online");
});
