/** Messages between people who are online: given at once, stored only where nobody acknowledges, accepted after one or the other. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Client, deliveries, makeKey, newId, type Rig, withRig } from "./testing.ts";

const [alice, bob] = [await makeKey(), await makeKey()];

/** Alice and the agent, who has acknowledged one message of hers. */
async function meet(rig: Rig): Promise<{ agent: Client; member: Client }> {
  const [agent, member] = [await rig.agentClient(), await rig.member(alice)];
  expect(await member.post(rig.agent.hsm.id)).toMatchObject({ t: "accepted" });
  await acknowledge(agent, 1);
  return { agent, member };
}

/** Takes `count` deliveries and acknowledges the last. */
async function acknowledge(client: Client, count: number): Promise<string[]> {
  const taken = await deliveries(client, count);
  client.send({ v: 1, t: "ack", seq: taken.at(-1)?.seq ?? 0 });
  expect(await client.quiet()).toBe(true);
  return taken.map(({ body }) => body);
}

function post(rig: Rig, from: Client, body: string): string {
  const id = newId();
  from.send({ v: 1, t: "send", id, to: rig.agent.hsm.id, body });
  return id;
}

const onDisk = (rig: Rig, text: string): boolean =>
  readdirSync(join(rig.folder, "data")).some((name) => readFileSync(join(rig.folder, "data", name)).includes(text));

/** So long that nothing is stored for want of time while a test runs. */
const LONG = { hold: 600_000 };

test("given at once, on no disk, accepted when it is acknowledged", async () => {
  await withRig(
    [alice],
    async (rig) => {
      const { agent, member } = await meet(rig);
      const ids = ["fast.one", "fast.two"].map((body) => post(rig, member, body));
      expect(await member.quiet()).toBe(true);
      const given = await deliveries(agent, 2);
      expect(given.map(({ id, seq, body }) => [id, seq, body])).toEqual([
        [ids[0], 2, "fast.one"],
        [ids[1], 3, "fast.two"],
      ]);
      expect(await member.quiet()).toBe(true);
      agent.send({ v: 1, t: "ack", seq: 3 });
      for (const id of ids) expect(await member.next()).toEqual({ v: 1, t: "accepted", id });
      expect(onDisk(rig, "fast.")).toBe(false);
      expect(rig.bridge.measure().mailboxDepth).toBe(0);
    },
    LONG,
  );
});

test("a receiver that never acknowledges: accepted all the same, and there when it comes again", async () => {
  await withRig([alice], async (rig) => {
    const { agent, member } = await meet(rig);
    const ids = ["a", "b", "c"].map((body) => post(rig, member, body));
    for (const id of ids) expect(await member.next()).toEqual({ v: 1, t: "accepted", id });
    await deliveries(agent, 3);
    await agent.leave();
    await rig.restart();
    expect((await deliveries(await rig.agentClient(), 3)).map(({ seq, body }) => [seq, body])).toEqual([
      [2, "a"],
      [3, "b"],
      [4, "c"],
    ]);
  });
});

test("the receiver's connection ends: what it was given is stored and accepted", async () => {
  await withRig(
    [alice],
    async (rig) => {
      const { agent, member } = await meet(rig);
      const second = await rig.agentClient();
      const id = post(rig, member, "left");
      for (const client of [agent, second]) expect(await deliveries(client, 1)).toMatchObject([{ seq: 2 }]);
      // One of two is still there to acknowledge it.
      await agent.leave();
      expect(await member.quiet()).toBe(true);
      second.socket.terminate();
      expect(await member.next()).toEqual({ v: 1, t: "accepted", id });
      expect(onDisk(rig, "left")).toBe(true);
      expect(await deliveries(await rig.agentClient(), 1)).toMatchObject([{ seq: 2, id, body: "left" }]);
    },
    LONG,
  );
});

test("an end in good order stores what is held, and tells its sender first", async () => {
  await withRig(
    [alice],
    async (rig) => {
      const { agent, member } = await meet(rig);
      const ids = ["x", "y"].map((body) => post(rig, member, body));
      await deliveries(agent, 2);
      await rig.restart();
      for (const id of ids) expect(await member.next()).toEqual({ v: 1, t: "accepted", id });
      expect(await member.closed).toBe(1001);
      const again = await rig.agentClient();
      expect((await deliveries(again, 2)).map(({ seq, id }) => [seq, id])).toEqual(ids.map((id, at) => [at + 2, id]));
      // Nothing was left out, and nothing comes twice.
      again.send({ v: 1, t: "ack", seq: 3 });
      const back = await rig.member(alice);
      post(rig, back, "z");
      expect(await again.next()).toMatchObject({ seq: 4, body: "z" });
    },
    LONG,
  );
});

test("in order through a window, from memory and from the store, to each connection", async () => {
  await withRig(
    [alice, bob],
    async (rig) => {
      const { agent, member } = await meet(rig);
      const other = await rig.member(bob);
      const bodies: string[] = [];
      const put = (from: Client, count: number) => {
        for (let i = 0; i < count; i++) {
          const body = `m${bodies.length}`;
          bodies.push(body);
          post(rig, from, body);
        }
      };
      put(member, 5);
      expect(await member.quiet()).toBe(true);
      put(other, 5);
      expect(await other.quiet()).toBe(true);
      // More than the window holds waits in memory.
      const got = (await deliveries(agent, 3)).map(({ body }) => body);
      expect(await agent.quiet()).toBe(true);
      const late = await rig.agentClient();
      expect((await deliveries(late, 3)).map(({ body }) => body)).toEqual(got);
      agent.send({ v: 1, t: "ack", seq: 4 });
      got.push(...(await deliveries(agent, 3)).map(({ body }) => body));
      expect((await deliveries(late, 3)).map(({ body }) => body)).toEqual(got.slice(3));
      // All of it goes to the store when both leave, and comes from there, with what is new behind it.
      await agent.leave();
      await late.leave();
      for (let i = 0; i < 5; i++) expect(await member.next()).toMatchObject({ t: "accepted" });
      for (let i = 0; i < 5; i++) expect(await other.next()).toMatchObject({ t: "accepted" });
      const back = await rig.agentClient();
      const seqs: number[] = [];
      for (let round = 0; round < 3; round++) {
        const given = await deliveries(back, 3);
        for (const { seq, body } of given) {
          seqs.push(seq);
          if (!got.includes(body)) got.push(body);
        }
        if (round === 0) put(member, 2);
        expect(["accepted", "pong"]).toContain((await ping(member))?.t);
        back.send({ v: 1, t: "ack", seq: given.at(-1)?.seq ?? 0 });
      }
      expect(await back.quiet()).toBe(true);
      expect(seqs).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13]);
      expect(got).toEqual(bodies);
    },
    { ...LONG, window: { messages: 3, bytes: 1_000_000 } },
  );
});

async function ping(client: Client) {
  client.send({ v: 1, t: "ping" });
  return await client.next();
}

test("a sender that comes back before the answer gets it on its new connection, once the message is safe", async () => {
  await withRig(
    [alice],
    async (rig) => {
      const { agent, member } = await meet(rig);
      const id = post(rig, member, "twice");
      await deliveries(agent, 1);
      member.socket.terminate();
      await member.closed;
      const back = await rig.member(alice);
      for (let i = 0; i < 3; i++) back.send({ v: 1, t: "send", id, to: rig.agent.hsm.id, body: "twice" });
      expect(await back.quiet()).toBe(true);
      expect(await agent.quiet()).toBe(true);
      agent.send({ v: 1, t: "ack", seq: 2 });
      expect(await back.next()).toEqual({ v: 1, t: "accepted", id });
      expect(await back.post(rig.agent.hsm.id, "twice", id)).toEqual({ v: 1, t: "accepted", id });
      for (const client of [agent, back]) expect(await client.quiet()).toBe(true);
    },
    LONG,
  );
});

test("who is dropped from the roster while the message is held gets nothing more of it", async () => {
  await withRig(
    [alice, bob],
    async (rig) => {
      const [agent, member] = [await rig.agentClient(), await rig.member(alice)];
      expect(await agent.post(alice.id)).toMatchObject({ t: "accepted" });
      await acknowledge(member, 1);
      for (let i = 0; i < 3; i++) agent.send({ v: 1, t: "send", id: newId(), to: alice.id, body: `n${i}` });
      expect(await deliveries(member, 1)).toMatchObject([{ body: "n0" }]);
      agent.send({ v: 1, t: "roster", jws: await rig.agent.roster(2, [bob]) });
      expect(await member.next()).toMatchObject({ code: "ERR_LOGIN_UNKNOWN" });
      expect(await member.closed).toBe(4401);
      // It is stored, as for anybody who is away.
      const answers = new Set([(await agent.next())?.t, (await agent.next())?.t]);
      expect([...answers].every((t) => t === "enrolled" || t === "accepted")).toBe(true);
      expect(rig.bridge.measure().mailboxDepth).toBe(3);
    },
    { ...LONG, window: { messages: 1, bytes: 1_000_000 } },
  );
});

test("an invite's only message is stored, whoever is online", async () => {
  await withRig(
    [alice],
    async (rig) => {
      const { agent } = await meet(rig);
      const guest = await makeKey();
      const listed = [{ key: guest, exp: Math.floor(Date.now() / 1000) + 600 }];
      agent.send({ v: 1, t: "roster", jws: await rig.agent.roster(2, [alice], listed) });
      expect(await agent.next()).toMatchObject({ t: "enrolled" });
      const client = await rig.member(guest);
      expect(await client.post(rig.agent.hsm.id, "pair.stored")).toMatchObject({ t: "accepted" });
      expect(onDisk(rig, "pair.stored")).toBe(true);
      expect(await client.post(rig.agent.hsm.id, "more")).toMatchObject({ code: "ERR_INVITE" });
    },
    LONG,
  );
});
