import { EventEmitter } from "node:events";
import { type Logger, pino } from "pino";
import { afterEach, expect, test } from "vitest";
import type { WebSocket } from "ws";
import { Connection, type ConnectionLimits, type Desk } from "./connection.ts";
import type { Wire } from "./farewell.ts";
import { Bucket } from "./rate.ts";
import { LIMITS } from "./server.ts";

const silent = pino({ enabled: false });
const desk: Desk = {
  login: () => new Promise(() => undefined),
  renew: () => new Promise(() => undefined),
  receive: () => undefined,
  leave: () => undefined,
};

/** The part of a WebSocket that a connection uses, recording what is asked of it. */
class FakeSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  bufferedAmount = 0;
  readonly calls: string[] = [];
  /** One short frame. */
  written(frame: Buffer): boolean {
    this.calls.push(`send ${frame.subarray(2).toString()}`);
    return true;
  }
  ping(): void {
    this.calls.push("ping");
  }
  pong(data: Buffer): void {
    this.calls.push(`pong ${data.toString()}`);
  }
  pause(): void {
    this.calls.push("pause");
  }
  resume(): void {
    this.calls.push("resume");
  }
  close(code: number): void {
    this.readyState = 2;
    this.calls.push(`close ${code}`);
  }
  terminate(): void {
    this.readyState = 3;
    this.calls.push("terminate");
    this.emit("close", 1006);
  }
}

const opened: FakeSocket[] = [];
afterEach(() => {
  for (const socket of opened.splice(0)) socket.terminate();
});
function open(at: Desk = desk, log: Logger = silent, limits: ConnectionLimits = LIMITS) {
  const socket = new FakeSocket();
  opened.push(socket);
  const office = {
    desk: at,
    limits,
    log,
    turn: { later: (work: () => void) => work(), clock: () => 0 },
    mayTell: () => true,
    counts: { read: 0, written: 0 },
  };
  const wire = new EventEmitter();
  const write = (frame: Buffer) => socket.written(frame);
  const pause = () => socket.calls.push("wire paused");
  const stream = Object.assign(wire, { write, pause, end: () => socket.calls.push("wire ended") }) as unknown as Wire;
  const connection = new Connection(socket as unknown as WebSocket, stream, office);
  socket.calls.length = 0;
  return { socket, connection, wire };
}

test("one period without a sign of life ends a connection; a pong or a frame is one", () => {
  const { socket, connection } = open();
  connection.beat();
  socket.emit("pong");
  connection.beat();
  socket.emit("message", Buffer.from('{"v":1,"t":"login","jws":"a.b.c","card":null}'), false);
  connection.beat();
  expect(socket.calls).toEqual(["ping", "ping", "pause", "ping"]);
  connection.beat();
  expect(socket.calls.at(-1)).toBe("terminate");
});

test("while a login is verified nothing is read, and what was already read is refused", () => {
  const { socket } = open();
  socket.emit("message", Buffer.from('{"v":1,"t":"login","jws":"a.b.c","card":null}'), false);
  socket.emit("message", Buffer.from('{"v":1,"t":"ping"}'), false);
  expect(socket.calls).toEqual([
    "pause",
    'send {"v":1,"t":"error","code":"ERR_FRAME_MALFORMED","id":null}',
    "close 4400",
    "resume",
    "wire ended",
  ]);
});

test.each(["roster", "card"])("while a %s is verified nothing is read", (t) => {
  const { socket, connection } = open();
  const bucket = new Bucket(LIMITS.memberRate, 0);
  connection.enter({ agent: "A".repeat(43), key: "A".repeat(43), card: null }, null, bucket);
  socket.emit("message", Buffer.from('{"v":1,"t":"ping"}'), false);
  socket.emit("message", Buffer.from(`{"v":1,"t":"${t}","jws":"a.b.c"}`), false);
  expect(socket.calls).toEqual(['send {"v":1,"t":"ready","card":null}', "pause"]);
});

test("after its end nothing that arrives is looked at", () => {
  const { socket, connection } = open();
  connection.fail("ERR_LOGIN_TIMEOUT");
  const before = [...socket.calls];
  socket.emit("message", Buffer.from("junk"), false);
  connection.fail("ERR_INTERNAL");
  expect(socket.calls).toEqual(before);
});

test("after its end it takes what was under way, and not whatever else comes", () => {
  const { socket, connection, wire } = open();
  connection.fail("ERR_LOGIN_TIMEOUT");
  expect(socket.calls.at(-1)).toBe("wire ended");
  for (let at = 0; at < 256; at += 1) wire.emit("data", Buffer.alloc(1_024));
  expect(socket.calls).not.toContain("wire paused");
  wire.emit("data", Buffer.alloc(1));
  expect(socket.calls.at(-1)).toBe("wire paused");
});

test("pings and pongs count as frames: answered within the rate, then not, then the end", () => {
  const limits = { ...LIMITS, memberRate: { perSecond: 0.0001, burst: 2 } };
  const { socket } = open(desk, silent, limits);
  for (const name of ["a", "b", "c"]) socket.emit("ping", Buffer.from(name));
  expect(socket.calls).toEqual(["pong a", "pong b"]);
  socket.emit("pong", Buffer.alloc(0));
  expect(socket.calls).toHaveLength(2);
  socket.emit("ping", Buffer.from("d"));
  expect(socket.calls.slice(2)).toEqual([
    'send {"v":1,"t":"error","code":"ERR_FRAME_RATE","id":null}',
    "close 4429",
    "resume",
    "wire ended",
  ]);
});

test("who reads no answers to its pings is dropped, as with any other answer, and is kept none of what they came in", () => {
  const { socket } = open();
  const chunk = Buffer.alloc(65_536, "x");
  const kept: unknown[] = [];
  socket.pong = (data) => {
    kept.push(data.buffer);
  };
  socket.emit("ping", chunk.subarray(0, 4));
  expect(kept).toHaveLength(1);
  expect(kept[0] === chunk.buffer).toBe(false);
  socket.bufferedAmount = LIMITS.sendBuffer;
  socket.emit("ping", Buffer.from("a"));
  expect(socket.calls).toEqual([]);
  socket.bufferedAmount += 1;
  socket.emit("ping", Buffer.from("b"));
  expect(socket.calls).toEqual(["terminate"]);
});

test("of an unforeseen error the log has its kind and its place, and nothing that it says", async () => {
  const lines: string[] = [];
  // What it says looks like a stack, with a frame in it.
  const said = "eyJ.secret.one\n    at eyJ.secret.two (file:///a.ts:1:1)\n    at eyJ.secret.three";
  const failing: Desk = { ...desk, login: () => Promise.reject(new RangeError(said)) };
  const { socket } = open(failing, pino({ level: "trace" }, { write: (line) => lines.push(line) }));
  socket.emit("message", Buffer.from('{"v":1,"t":"login","jws":"a.b.c","card":null}'), false);
  await new Promise(setImmediate);
  expect(socket.calls).toContain("close 1011");
  expect(lines.join("")).toContain("RangeError at ");
  expect(lines.join("")).toContain("connection.test.ts");
  expect(lines.join("")).not.toContain("eyJ");
});
