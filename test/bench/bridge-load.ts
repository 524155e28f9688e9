/**
 * Clients of the bridge, and of the bare echo, as a process of their own. One job an IPC message; answers with its figures.
 * Not the product: what it sends is what the product's clients send.
 */
import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { WebSocket } from "ws";
import { dial, type Entry, enter, next } from "./bridge-socket.ts";

/** A sender, and its receiver where that is online. */
export interface Pair {
  readonly from: Entry;
  readonly to: Entry | null;
  /** Thumbprint of the receiver. */
  readonly address: string;
}

export type Job =
  | {
      readonly do: "echo";
      readonly port: number;
      readonly sockets: number;
      readonly flight: number;
      readonly length: number;
      readonly messages: number;
    }
  | {
      readonly do: "relay";
      readonly pairs: readonly Pair[];
      readonly flight: number;
      readonly body: number;
      readonly messages: number;
      readonly acks: "turn" | "each";
    }
  | { readonly do: "latency"; readonly pair: Pair; readonly samples: number; readonly pause: number }
  | { readonly do: "idle"; readonly entries: readonly Entry[] }
  | { readonly do: "flood-member"; readonly entry: Entry; readonly address: string }
  | { readonly do: "flood-strangers"; readonly port: number; readonly atOnce: number }
  | { readonly do: "stop" };

const sleep = async (ms: number) => await new Promise((resolve) => setTimeout(resolve, ms));
const idle: WebSocket[] = [];
/** Until when a flood goes on. */
let flood = new AbortController();

async function echo({ port, sockets, flight, length, messages }: Extract<Job, { do: "echo" }>): Promise<number[]> {
  const text = "x".repeat(length);
  const open = Array.from({ length: sockets }, () => dial(port));
  await Promise.all(open.map((socket) => new Promise((resolve) => socket.once("open", resolve))));
  const began = performance.now();
  await Promise.all(
    open.map(
      (socket) =>
        new Promise<void>((resolve) => {
          let [sent, got] = [0, 0];
          const fill = () => {
            while (sent < messages && sent - got < flight) {
              sent += 1;
              socket.send(text);
            }
          };
          socket.on("message", () => {
            got += 1;
            if (got === messages) resolve();
            else fill();
          });
          fill();
        }),
    ),
  );
  const time = performance.now() - began;
  for (const socket of open) socket.terminate();
  return [sockets * messages, time];
}

/** Acknowledges what comes: the last of a turn of the event loop, or each. */
function acknowledge(socket: WebSocket, acks: "turn" | "each"): void {
  let [last, waiting] = ["", false];
  const ack = () => socket.send(`{"v":1,"t":"ack","seq":${last}}`);
  socket.on("message", (data: Buffer) => {
    const seq = /^\{"v":1,"t":"deliver","seq":([0-9]+)/.exec(data.toString("latin1", 0, 60))?.[1];
    if (seq === undefined) return;
    last = seq;
    if (acks === "each") return ack();
    if (waiting) return;
    waiting = true;
    setImmediate(() => {
      waiting = false;
      ack();
    });
  });
}

async function relay({ pairs, flight, body, messages, acks }: Extract<Job, { do: "relay" }>): Promise<number[]> {
  const ends: { sender: WebSocket; receiver: WebSocket | undefined; address: string }[] = [];
  for (const { from, to, address } of pairs) {
    const receiver = to === null ? undefined : await enter(to);
    if (receiver !== undefined) acknowledge(receiver, acks);
    ends.push({ sender: await enter(from), receiver, address });
  }
  const text = "x".repeat(body);
  const run = async (count: number) =>
    await Promise.all(
      ends.map(
        async ({ sender, address }) =>
          await new Promise<void>((resolve, reject) => {
            let [sent, done] = [0, 0];
            const fill = () => {
              while (sent < count && sent - done < flight) {
                sent += 1;
                const id = randomBytes(16).toString("base64url");
                sender.send(`{"v":1,"t":"send","id":"${id}","to":"${address}","body":"${text}"}`);
              }
            };
            sender.removeAllListeners("message");
            sender.on("message", (data: Buffer) => {
              if (data.toString("latin1", 0, 26) !== '{"v":1,"t":"accepted","id"')
                return reject(new Error(data.toString()));
              done += 1;
              if (done === count) resolve();
              else fill();
            });
            sender.once("close", () => reject(new Error("closed")));
            fill();
          }),
      ),
    );
  // The first ones are stored: they reserve the numbers of those that follow.
  if (pairs.every(({ to }) => to !== null)) await run(2);
  process.send?.({ ready: true });
  await new Promise((resolve) => process.once("message", resolve));
  const began = performance.now();
  await run(messages);
  const time = performance.now() - began;
  for (const { sender, receiver } of ends) {
    sender.removeAllListeners("close");
    sender.terminate();
    receiver?.terminate();
  }
  return [pairs.length * messages, time];
}

/** Milliseconds from a send to its `accepted`, which is after the receiver's acknowledgement: one at a time, with pauses. */
async function latency({ pair, samples, pause }: Extract<Job, { do: "latency" }>): Promise<number[]> {
  if (pair.to === null) throw new Error("nobody there");
  const receiver = await enter(pair.to);
  acknowledge(receiver, "each");
  const sender = await enter(pair.from);
  const text = "x".repeat(1_024);
  const times: number[] = [];
  for (let at = 0; at < samples + 20; at += 1) {
    const id = randomBytes(16).toString("base64url");
    const began = performance.now();
    sender.send(`{"v":1,"t":"send","id":"${id}","to":"${pair.address}","body":"${text}"}`);
    const answer = await next(sender);
    if (answer?.includes('"accepted"') !== true) throw new Error(`refused: ${answer}`);
    if (at >= 20) times.push(performance.now() - began);
    await sleep(pause);
  }
  sender.terminate();
  receiver.terminate();
  return times;
}

async function holdIdle({ entries }: Extract<Job, { do: "idle" }>): Promise<number[]> {
  const left = [...entries];
  const lane = async () => {
    for (let entry = left.pop(); entry !== undefined; entry = left.pop()) idle.push(await enter(entry));
  };
  await Promise.all(Array.from({ length: 16 }, lane));
  return [idle.length];
}

/** Frames as fast as one connection takes them; when the bridge ends it, the next. */
async function floodMember(
  { entry, address }: Extract<Job, { do: "flood-member" }>,
  until: AbortSignal,
): Promise<void> {
  while (!until.aborted) {
    const socket = await enter(entry, "203.0.113.8").catch(() => undefined);
    if (socket === undefined) continue;
    const text = "x".repeat(1_024);
    while (!until.aborted && socket.readyState === socket.OPEN) {
      for (let at = 0; at < 50; at += 1) {
        const id = randomBytes(16).toString("base64url");
        socket.send(`{"v":1,"t":"send","id":"${id}","to":"${address}","body":"${text}"}`);
      }
      await new Promise(setImmediate);
    }
    socket.terminate();
  }
}

/** Connections that say what is no login, each followed by the next at once. */
async function floodStrangers(
  { port, atOnce }: Extract<Job, { do: "flood-strangers" }>,
  until: AbortSignal,
): Promise<void> {
  const lane = async () => {
    while (!until.aborted) {
      const socket = dial(port, "203.0.113.7");
      socket.on("error", () => undefined);
      socket.once("open", () => socket.send('{"v":1,"t":"login","jws":"a.b.c","card":null}'));
      await new Promise((resolve) => socket.once("close", resolve));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

async function perform(job: Job): Promise<number[]> {
  switch (job.do) {
    case "echo":
      return await echo(job);
    case "relay":
      return await relay(job);
    case "latency":
      return await latency(job);
    case "idle":
      return await holdIdle(job);
    case "flood-member":
    case "flood-strangers":
      flood = new AbortController();
      void (job.do === "flood-member" ? floodMember(job, flood.signal) : floodStrangers(job, flood.signal));
      return [];
    case "stop":
      flood.abort();
      for (const socket of idle.splice(0)) socket.terminate();
      return [];
  }
}

process.on("message", (message: Job | "go") => {
  if (message === "go") return;
  perform(message).then(
    (figures) => process.send?.({ figures }),
    (error: unknown) => process.send?.({ failed: String(error) }),
  );
});
