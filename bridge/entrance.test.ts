import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Entrance } from "./entrance.ts";
import { listen } from "./listen.ts";

const LIMITS = { intake: 10, intakeAfterStranger: 100, loginTime: 1_000 };
const MOST = 12;
let taken: Socket[] = [];
let clients: Socket[] = [];
let entrance: Entrance;
let port = 0;

beforeEach(async () => {
  // Only these: sockets go their own pace, and turns come when a test says so.
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  [taken, clients] = [[], []];
  entrance = new Entrance((socket) => taken.push(socket), LIMITS, MOST);
  port = await listen(entrance.server, { host: "127.0.0.1", port: 0 });
});
afterEach(async () => {
  for (const socket of [...clients, ...taken]) socket.destroy();
  await entrance.close();
  vi.useRealTimers();
});

/** A newcomer from an address of this machine, once it waits. */
async function come(localAddress = "127.0.0.1"): Promise<Socket> {
  const client = connect({ host: "127.0.0.1", port, localAddress });
  client.on("error", () => undefined);
  clients.push(client);
  await once(entrance.server, "connection");
  return client;
}

test("one at a time, the first at once", async () => {
  for (let count = 0; count < 3; count += 1) await come();
  vi.advanceTimersByTime(1);
  expect(taken).toHaveLength(1);
  vi.advanceTimersByTime(LIMITS.intake / 2);
  expect(taken).toHaveLength(1);
  vi.advanceTimersByTime(LIMITS.intake);
  expect(taken).toHaveLength(2);
  vi.advanceTimersByTime(10 * LIMITS.intake);
  expect(taken).toHaveLength(3);
});

test("nobody leaves a gap to use: whoever comes right after another waits for the rest of its time", async () => {
  await come();
  vi.advanceTimersByTime(1);
  await come();
  vi.advanceTimersByTime(1);
  expect(taken).toHaveLength(1);
  vi.advanceTimersByTime(LIMITS.intake);
  expect(taken).toHaveLength(2);
});

test("a crowd from one address does not keep another's waiting", async () => {
  for (let count = 0; count < 10; count += 1) await come();
  await come("127.0.0.2");
  vi.advanceTimersByTime(2 * LIMITS.intake);
  expect(taken.map(({ remoteAddress }) => remoteAddress)).toEqual(["127.0.0.1", "127.0.0.2", "127.0.0.1"]);
});

test("after a stranger the next one waits longer, once, and whoever comes after a guest does not", async () => {
  for (let count = 0; count < 5; count += 1) await come();
  vi.advanceTimersByTime(1);
  expect(taken).toHaveLength(1);
  entrance.stranger();
  entrance.stranger();
  vi.advanceTimersByTime(LIMITS.intakeAfterStranger - 2);
  expect(taken).toHaveLength(1);
  // Another's end while it waits is the next one's to wait for.
  entrance.stranger();
  vi.advanceTimersByTime(2);
  expect(taken).toHaveLength(2);
  vi.advanceTimersByTime(LIMITS.intakeAfterStranger - 2);
  expect(taken).toHaveLength(2);
  vi.advanceTimersByTime(3);
  expect(taken).toHaveLength(3);
  vi.advanceTimersByTime(2 * LIMITS.intake);
  expect(taken).toHaveLength(5);
});

test("who is cut before the upgrade is a stranger; a guest who leaves is not", async () => {
  await come();
  vi.advanceTimersByTime(1);
  const [first] = taken;
  if (first === undefined) throw new Error("nobody");
  await come();
  await come();
  first.destroy();
  await once(first, "close");
  vi.advanceTimersByTime(LIMITS.intakeAfterStranger - 2);
  expect(taken).toHaveLength(1);
  vi.advanceTimersByTime(3);
  const [, second] = taken;
  if (second === undefined) throw new Error("nobody");
  entrance.upgraded(second);
  second.destroy();
  await once(second, "close");
  vi.advanceTimersByTime(LIMITS.intake);
  expect(taken).toHaveLength(3);
});

test("when no more fit in, one of the crowd is put out, and who comes from elsewhere has their turn", async () => {
  const guest = await come("127.0.0.3");
  vi.advanceTimersByTime(1);
  const crowd: Socket[] = [];
  for (let count = 1; count < MOST; count += 1) crowd.push(await come());
  const ends = crowd.map((client) => once(client, "close"));
  const other = await come("127.0.0.2");
  await ends.at(-1);
  expect(crowd.filter(({ destroyed }) => destroyed)).toHaveLength(1);
  const more = await come();
  await once(more, "close");
  vi.advanceTimersByTime(3 * LIMITS.intake);
  expect(taken.map(({ remoteAddress }) => remoteAddress).slice(0, 3)).toEqual(["127.0.0.3", "127.0.0.1", "127.0.0.2"]);
  expect([guest, other].some(({ destroyed }) => destroyed)).toBe(false);
  // A place that is free again can be had.
  const [, left] = taken;
  if (left === undefined) throw new Error("nobody");
  left.destroy();
  await once(left, "close");
  const late = await come();
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
  expect(late.destroyed).toBe(false);
});

test("what it says is read once it is taken in, and not before", async () => {
  const client = await come();
  client.write("hello");
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
  vi.advanceTimersByTime(1);
  const [socket] = taken;
  if (socket === undefined) throw new Error("nobody");
  expect(socket.bytesRead).toBe(0);
  expect(String((await once(socket, "data"))[0])).toBe("hello");
});

test("who does not upgrade in time is cut, who did is not", async () => {
  const [silent, guest] = [await come(), await come()];
  vi.advanceTimersByTime(2 * LIMITS.intake);
  const upgraded = taken.find(({ remotePort }) => remotePort === guest.localPort);
  if (upgraded === undefined) throw new Error("nobody");
  entrance.upgraded(upgraded);
  vi.advanceTimersByTime(LIMITS.loginTime);
  await once(silent, "close");
  expect(upgraded.destroyed).toBe(false);
  entrance.upgraded(upgraded);
});

test("at the end those who wait are cut, and those who were taken in", async () => {
  const crowd = [await come(), await come(), await come()];
  vi.advanceTimersByTime(1);
  const ends = crowd.map((client) => once(client, "close"));
  await entrance.close();
  await Promise.all(ends);
  expect(taken).toHaveLength(1);
});
