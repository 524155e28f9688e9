/** The bridge as a process, killed, stopped, or out of disk: what it accepted is delivered, and no number means two messages. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { ProgramRig } from "./program-rig.ts";
import { type Client, deliveries, makeKey, newId } from "./testing.ts";

const alice = await makeKey();
let rig: ProgramRig;
beforeEach(async () => {
  rig = await ProgramRig.begin([alice]);
});
afterEach(async () => rig.end());

/** Alice and the agent, who has acknowledged one message of hers. */
async function meet(): Promise<{ agent: Client; member: Client }> {
  const [agent, member] = [await rig.agentClient(), await rig.member(alice)];
  expect(await member.post(rig.agent.hsm.id, "warm")).toMatchObject({ t: "accepted" });
  agent.send({ v: 1, t: "ack", seq: (await deliveries(agent, 1))[0]?.seq ?? 0 });
  expect(await agent.quiet()).toBe(true);
  return { agent, member };
}

function post(from: Client, id: string, body: string): void {
  from.send({ v: 1, t: "send", id, to: rig.agent.hsm.id, body });
}

test("killed between delivery and acknowledgement: what was not accepted is sent again, and its number is another", async () => {
  const { agent, member } = await meet();
  const ids = Array.from({ length: 5 }, newId);
  for (const id of ids) post(member, id, "x");
  const seen = new Map((await deliveries(agent, 5)).map(({ seq, id }) => [seq, id]));
  await rig.stop("SIGKILL");
  const accepted = new Set<string>();
  for (let frame = await member.next(); frame !== undefined; frame = await member.next()) {
    if (frame.t === "accepted") accepted.add(frame.id);
  }

  await rig.start();
  const again = await rig.member(alice);
  for (const id of ids)
    if (!accepted.has(id)) expect(await again.post(rig.agent.hsm.id, "x", id)).toMatchObject({ id });
  const receiver = await rig.agentClient();
  const given = await deliveries(receiver, 5);
  expect(given.map(({ id }) => id)).toEqual(ids);
  for (const { seq, id } of given) expect([id, undefined]).toContain(seen.get(seq));
  expect(await receiver.quiet()).toBe(true);
});

test("killed again and again under load: accepted and lost 0, one number for two messages 0", async () => {
  /** By seq and by id, over all lives of the bridge. */
  const numbers = new Map<number, string>();
  const received = new Set<string>();
  const accepted = new Set<string>();
  const open = new Map<string, string>();
  let made = 0;
  for (let life = 0; life < 6; life++) {
    if (life > 0) await rig.start();
    const [agent, member] = [await rig.agentClient(), await rig.member(alice)];
    const receiving = (async () => {
      for (let taken = 0, frame = await agent.next(); frame !== undefined; frame = await agent.next()) {
        if (frame.t !== "deliver") continue;
        expect([frame.id, undefined]).toContain(numbers.get(frame.seq));
        numbers.set(frame.seq, frame.id);
        received.add(frame.id);
        taken += 1;
        // Sometimes late, sometimes of several at once.
        if (taken % 3 === 0 && agent.socket.readyState === 1) agent.send({ v: 1, t: "ack", seq: frame.seq });
      }
    })();
    const enough = new Promise<void>((resolve) => {
      const sending = async () => {
        for (const [id, body] of open) post(member, id, body);
        for (let count = 0; ; count++) {
          const id = newId();
          open.set(id, `m${made++}`);
          if (member.socket.readyState !== 1) return resolve();
          post(member, id, open.get(id) ?? "");
          const answer = await member.next();
          if (answer === undefined) return resolve();
          if (answer.t === "accepted") {
            accepted.add(answer.id);
            open.delete(answer.id);
          }
          if (count === 12 + life) resolve();
        }
      };
      void sending();
    });
    await enough;
    await rig.stop("SIGKILL");
    await receiving;
  }
  await rig.start();
  const agent = await rig.agentClient();
  agent.send({ v: 1, t: "ping" });
  for (let frame = await agent.next(); frame?.t === "deliver"; frame = await agent.next()) {
    expect([frame.id, undefined]).toContain(numbers.get(frame.seq));
    received.add(frame.id);
    agent.send({ v: 1, t: "ack", seq: frame.seq });
  }
  expect(accepted.size).toBeGreaterThan(6 * 10);
  expect([...accepted].filter((id) => !received.has(id))).toEqual([]);
});

test("on SIGTERM what is in memory is stored and accepted, then everybody is sent away", async () => {
  const { agent, member } = await meet();
  const ids = Array.from({ length: 20 }, newId);
  for (const [at, id] of ids.entries()) post(member, id, `m${at}`);
  expect(await deliveries(agent, 20)).toHaveLength(20);
  expect(await rig.stop("SIGTERM")).toMatchObject({ code: 0, stderr: "" });
  for (const id of ids) expect(await member.next()).toEqual({ v: 1, t: "accepted", id });
  expect(await member.closed).toBe(1001);
  await rig.start();
  const given = await deliveries(await rig.agentClient(), 20);
  expect(given.map(({ seq, id }) => [seq, id])).toEqual(ids.map((id, at) => [at + 2, id]));
});

test("out of disk: nothing more is accepted, it ends with 1, and what was accepted is delivered", async () => {
  await rig.stop("SIGTERM");
  await rig.start(1_024);
  const member = await rig.member(alice);
  const accepted: string[] = [];
  let end: unknown;
  for (let at = 0; at < 40 && end === undefined; at++) {
    const answer = await member.post(rig.agent.hsm.id, `${at}.${"x".repeat(100_000)}`);
    if (answer?.t === "accepted") accepted.push(answer.id);
    else end = answer;
  }
  expect(end).toEqual({ v: 1, t: "error", code: "ERR_INTERNAL", id: null });
  expect(await member.closed).toBe(1011);
  const { code, stderr, log } = await rig.ended();
  expect([code, stderr]).toEqual([1, ""]);
  expect(log).toContain("the store has failed");
  expect(accepted.length).toBeGreaterThan(3);

  await rig.start();
  const agent = await rig.agentClient();
  const given: string[] = [];
  while (given.length < accepted.length) {
    const [frame] = await deliveries(agent, 1);
    given.push(frame?.id ?? "");
    agent.send({ v: 1, t: "ack", seq: frame?.seq ?? 0 });
  }
  expect(given).toEqual(accepted);
});

test("out of disk while messages are in memory: SIGTERM cannot store them, and does not say that it did", async () => {
  await rig.stop("SIGTERM");
  await rig.start(1_024);
  const { agent, member } = await meet();
  for (let at = 0; at < 15; at++) post(member, newId(), `${at}.${"x".repeat(100_000)}`);
  await deliveries(agent, 10);
  const { code } = await rig.stop("SIGTERM");
  const accepted: string[] = [];
  for (let frame = await member.next(); frame !== undefined; frame = await member.next()) {
    if (frame.t === "accepted") accepted.push(frame.id);
  }
  // However far it came: what it accepted it has.
  expect([0, 1]).toContain(code);
  expect(code === 0).toBe(accepted.length === 15);
  await rig.start();
  const back = await rig.agentClient();
  const given: string[] = [];
  while (given.length < accepted.length) {
    const [frame] = await deliveries(back, 1);
    given.push(frame?.id ?? "");
    back.send({ v: 1, t: "ack", seq: frame?.seq ?? 0 });
  }
  expect(given).toEqual(accepted);
});
