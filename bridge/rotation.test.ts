/** A member on the rosters of two agents, as while an HSM identity is rotated: one login, one mailbox. */
import { expect, test } from "vitest";
import {
  Agent,
  type Client,
  deliveries,
  error,
  type Key,
  makeKey,
  newId,
  type Rig,
  seconds,
  withRig,
} from "./testing.ts";

const [alice, bob, guest] = [await makeKey(), await makeKey(), await makeKey()];

interface Two {
  readonly rig: Rig;
  readonly next: Agent;
  /** Connections of the old and of the new identity. */
  readonly clients: readonly [Client, Client];
}

/** Alice and Bob are on the old agent's roster, `people` on the new one's. */
async function withTwo(people: readonly Key[], work: (two: Two) => Promise<void>, limits = {}): Promise<void> {
  const next = await Agent.make();
  const run = async (rig: Rig) => {
    const clients = [await rig.agentClient(), await rig.agentClient(7, next)] as const;
    await enrol(clients[1], next, 1, people);
    await work({ rig, next, clients });
  };
  await withRig([alice, bob], run, limits, { others: [next] });
}

async function enrol(
  client: Client,
  agent: Agent,
  n: number,
  ...people: [readonly Key[], { key: Key; exp: number }[]?]
) {
  client.send({ v: 1, t: "roster", jws: await agent.roster(n, ...people) });
  expect(await client.next()).toEqual({ v: 1, t: "enrolled", n });
}

test("one connection, whichever agent it names, gets what both send and sends to both", async () => {
  await withTwo([alice], async ({ rig, next, clients: [first, second] }) => {
    const [old, named] = [await rig.member(alice), await rig.member(alice, next)];
    expect(await first.post(alice.id, "from-the-old")).toMatchObject({ t: "accepted" });
    expect(await second.post(alice.id, "from-the-new")).toMatchObject({ t: "accepted" });
    for (const client of [old, named]) {
      expect((await deliveries(client, 2)).map(({ seq, from, body }) => [seq, from, body])).toEqual([
        [1, rig.agent.hsm.id, "from-the-old"],
        [2, next.hsm.id, "from-the-new"],
      ]);
    }
    // One acknowledgement, for both connections and both senders.
    old.send({ v: 1, t: "ack", seq: 2 });
    expect(await old.quiet()).toBe(true);
    expect(rig.bridge.measure().mailboxDepth).toBe(0);
    // The same id to each is two messages: it is remembered for each sender and receiver.
    const id = newId();
    for (const [agent, client] of [
      [rig.agent, first],
      [next, second],
    ] as const) {
      for (let i = 0; i < 2; i++) expect(await named.post(agent.hsm.id, "up", id)).toEqual({ v: 1, t: "accepted", id });
      expect(await client.next()).toEqual({ v: 1, t: "deliver", seq: 1, id, from: alice.id, body: "up" });
      expect(await client.quiet()).toBe(true);
    }
  });
});

test("who is on one roster only is nobody to the other agent", async () => {
  await withTwo([alice], async ({ rig, next, clients: [first, second] }) => {
    const id = newId();
    const stranger = rig.connect();
    expect(await stranger.login(bob, next)).toEqual(error("ERR_LOGIN_UNKNOWN", null));
    const member = await rig.member(bob);
    expect(await member.post(next.hsm.id, "x", id)).toEqual(error("ERR_FRAME_UNKNOWN_RECEIVER", id));
    expect(await second.post(bob.id, "x", id)).toEqual(error("ERR_FRAME_UNKNOWN_RECEIVER", id));
    // Nor do agents reach each other, though one lists the other's identity.
    await enrol(second, next, 2, [alice, rig.agent.hsm]);
    expect(await second.post(rig.agent.hsm.id, "x", id)).toEqual(error("ERR_FRAME_UNKNOWN_RECEIVER", id));
    const disguised = rig.connect();
    expect(await disguised.login(rig.agent.hsm, next)).toEqual(error("ERR_LOGIN_UNKNOWN", null));
    for (const client of [first, second, member]) expect(await client.quiet()).toBe(true);
  });
});

test("dropped by one, it stays for the other and gets nothing more of the first; dropped by both, it goes", async () => {
  await withTwo([alice], async ({ rig, next, clients: [first, second] }) => {
    await first.post(alice.id, "waiting");
    await enrol(first, rig.agent, 2, [bob]);
    const late = rig.connect();
    expect(await late.login(alice, rig.agent)).toEqual(error("ERR_LOGIN_UNKNOWN", null));
    // What its old agent had left for it stays where it is.
    const member = await rig.member(alice, next);
    expect(await member.quiet()).toBe(true);
    await second.post(alice.id, "next");
    expect(await member.next()).toMatchObject({ seq: 2, from: next.hsm.id, body: "next" });
    expect(await member.post(rig.agent.hsm.id)).toMatchObject({ code: "ERR_FRAME_UNKNOWN_RECEIVER" });
    await enrol(second, next, 2, [bob]);
    expect(await member.next()).toEqual(error("ERR_LOGIN_UNKNOWN", null));
    expect(await member.closed).toBe(4401);
  });
});

test("dropped by the agent that it named, it stays, and hears no more of that agent's cards", async () => {
  await withTwo([alice], async ({ rig, next, clients: [first, second] }) => {
    const member = await rig.member(alice);
    await enrol(first, rig.agent, 2, [bob]);
    first.send({ v: 1, t: "card", jws: await rig.agent.card(2) });
    expect(await first.next()).toMatchObject({ t: "certified" });
    await second.post(alice.id, "next");
    expect(await member.next()).toMatchObject({ t: "deliver", from: next.hsm.id });
  });
});

test("cards are those of the agent named at login", async () => {
  await withTwo([alice], async ({ rig, next, clients: [first, second] }) => {
    const old = rig.connect();
    expect(await old.login(alice, rig.agent)).toMatchObject({ card: await rig.agent.card(1) });
    const named = rig.connect();
    expect(await named.login(alice, next)).toMatchObject({ card: await next.card(7) });
    second.send({ v: 1, t: "card", jws: await next.card(8) });
    expect(await named.next()).toEqual({ v: 1, t: "card", jws: await next.card(8) });
    first.send({ v: 1, t: "card", jws: await rig.agent.card(2) });
    expect(await old.next()).toEqual({ v: 1, t: "card", jws: await rig.agent.card(2) });
    for (const client of [old, named]) expect(await client.quiet()).toBe(true);
  });
});

test("an invite on both rosters has one message, not one for each", async () => {
  await withTwo([], async ({ rig, next, clients: [first, second] }) => {
    const listed = [{ key: guest, exp: seconds() + 600 }];
    await enrol(first, rig.agent, 2, [], listed);
    await enrol(second, next, 2, [], listed);
    const client = await rig.member(guest, next);
    const id = newId();
    expect(await client.post(next.hsm.id, "pair", id)).toMatchObject({ t: "accepted" });
    expect(await client.post(rig.agent.hsm.id, "pair", id)).toEqual(error("ERR_INVITE", id));
    expect(await second.next()).toMatchObject({ from: guest.id });
    expect(await first.quiet()).toBe(true);
  });
});

test("of a mailbox that two agents send to, neither fills the other's half", async () => {
  await withTwo(
    [alice],
    async ({ clients: [first, second] }) => {
      for (let i = 0; i < 4; i++) expect(await second.post(alice.id)).toMatchObject({ t: "accepted" });
      expect(await second.post(alice.id)).toMatchObject({ code: "ERR_FRAME_MAILBOX_FULL" });
      for (let i = 0; i < 4; i++) expect(await first.post(alice.id)).toMatchObject({ t: "accepted" });
      // Who is with one agent alone has the whole of it.
      for (let i = 0; i < 8; i++) expect(await first.post(bob.id)).toMatchObject({ t: "accepted" });
    },
    { messages: 8 },
  );
});
