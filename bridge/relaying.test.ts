import { expect, test, vi } from "vitest";
import type { BridgeFrame } from "../protocol/frame.ts";
import { type Client, deliveries, error, makeKey, newId, seconds, withRig } from "./testing.ts";

const [alice, bob] = [await makeKey(), await makeKey()];

async function enrol(agent: Client, jws: string): Promise<BridgeFrame | undefined> {
  agent.send({ v: 1, t: "roster", jws });
  return await agent.next();
}

test("both ways, stored before it is accepted, the sender stamped", async () => {
  await withRig([alice], async (rig) => {
    const [agent, member] = [await rig.agentClient(), await rig.member(alice)];
    const id = newId();
    expect(await member.post(rig.agent.hsm.id, "up", id)).toEqual({ v: 1, t: "accepted", id });
    expect(await agent.next()).toEqual({ v: 1, t: "deliver", seq: 1, id, from: alice.id, body: "up" });
    expect(await agent.post(alice.id, "down", id)).toEqual({ v: 1, t: "accepted", id });
    expect(await member.next()).toEqual({ v: 1, t: "deliver", seq: 1, id, from: rig.agent.hsm.id, body: "down" });
    expect(rig.log.join("")).not.toMatch(/"up"|"down"/);
  });
});

test("no member reaches another member, itself, or a stranger; no agent a stranger or itself", async () => {
  await withRig([alice, bob], async (rig) => {
    const [agent, member, other] = [await rig.agentClient(), await rig.member(alice), await rig.member(bob)];
    const stranger = (await makeKey()).id;
    const id = newId();
    for (const to of [bob.id, alice.id, stranger, rig.agent.link.id]) {
      expect(await member.post(to, "x", id)).toEqual(error("ERR_FRAME_UNKNOWN_RECEIVER", id));
    }
    for (const to of [stranger, rig.agent.hsm.id]) {
      expect(await agent.post(to, "x", id)).toEqual(error("ERR_FRAME_UNKNOWN_RECEIVER", id));
    }
    for (const client of [agent, member, other]) expect(await client.quiet()).toBe(true);
  });
});

test("the same id again is acknowledged and not delivered again, delivered before or not, after a restart too", async () => {
  await withRig([alice, bob], async (rig) => {
    const id = newId();
    let member = await rig.member(alice);
    for (let i = 0; i < 2; i++) expect(await member.post(rig.agent.hsm.id, "x", id)).toMatchObject({ t: "accepted" });
    let agent = await rig.agentClient();
    expect((await deliveries(agent, 1))[0]?.seq).toBe(1);
    agent.send({ v: 1, t: "ack", seq: 1 });
    expect(await agent.quiet()).toBe(true);
    await rig.restart();
    [agent, member] = [await rig.agentClient(), await rig.member(alice)];
    expect(await member.post(rig.agent.hsm.id, "x", id)).toMatchObject({ t: "accepted" });
    expect(await agent.quiet()).toBe(true);
    // Another sender's same id is another message, and seq goes on.
    await (await rig.member(bob)).post(rig.agent.hsm.id, "y", id);
    expect(await agent.next()).toMatchObject({ seq: 2, from: bob.id, body: "y" });
  });
});

test("what was not acknowledged comes again in order, to each connection of the receiver", async () => {
  await withRig([alice], async (rig) => {
    const member = await rig.member(alice);
    for (const body of ["a", "b", "c"]) await member.post(rig.agent.hsm.id, body);
    const first = await rig.agentClient();
    expect((await deliveries(first, 3)).map((frame) => frame.body)).toEqual(["a", "b", "c"]);
    first.send({ v: 1, t: "ack", seq: 1 });
    expect(await first.quiet()).toBe(true);
    const second = await rig.agentClient();
    expect((await deliveries(second, 2)).map((frame) => frame.seq)).toEqual([2, 3]);
    await member.post(rig.agent.hsm.id, "d");
    for (const client of [first, second]) expect(await client.next()).toMatchObject({ seq: 4, body: "d" });
    second.send({ v: 1, t: "ack", seq: 4 });
    expect(await second.quiet()).toBe(true);
    expect(await (await rig.agentClient()).quiet()).toBe(true);
    expect(rig.bridge.measure().mailboxDepth).toBe(0);
  });
});

test("a mailbox is pulled through a window", async () => {
  await withRig(
    [alice],
    async (rig) => {
      const member = await rig.member(alice);
      for (let i = 0; i < 7; i++) await member.post(rig.agent.hsm.id, `${i}`);
      const agent = await rig.agentClient();
      expect((await deliveries(agent, 3)).at(-1)?.seq).toBe(3);
      expect(await agent.quiet()).toBe(true);
      agent.send({ v: 1, t: "ack", seq: 2 });
      expect((await deliveries(agent, 2)).at(-1)?.seq).toBe(5);
      expect(await agent.quiet()).toBe(true);
      agent.send({ v: 1, t: "ack", seq: 5 });
      expect((await deliveries(agent, 2)).at(-1)?.seq).toBe(7);
    },
    { window: { messages: 3, bytes: 1_000_000 } },
  );
});

test("an acknowledgement of what was never given out ends the connection", async () => {
  await withRig([alice], async (rig) => {
    const agent = await rig.agentClient();
    agent.send({ v: 1, t: "ack", seq: 1 });
    expect(await agent.next()).toEqual(error("ERR_FRAME_MALFORMED", null));
    expect(await agent.closed).toBe(4400);
  });
});

test("rosters: only upwards, only the agent's, in force at once and after a restart", async () => {
  await withRig([alice, bob], async (rig) => {
    let agent = await rig.agentClient();
    const member = await rig.member(alice);
    const second = await rig.agent.roster(2, [bob]);
    expect(await enrol(agent, second)).toEqual({ v: 1, t: "enrolled", n: 2 });
    expect(await member.next()).toEqual(error("ERR_LOGIN_UNKNOWN", null));
    expect(await member.closed).toBe(4401);
    await rig.restart();
    agent = await rig.agentClient();
    expect(await enrol(agent, second)).toEqual({ v: 1, t: "enrolled", n: 2 });
    expect(await enrol(agent, await rig.agent.roster(2, [alice]))).toEqual(error("ERR_ROSTER_OLD", null));
    expect(await enrol(agent, await rig.agent.roster(1, [alice]))).toEqual(error("ERR_ROSTER_OLD", null));
    const forged = (await rig.agent.roster(3, [alice])).replace(/\.[^.]+$/, second.slice(second.lastIndexOf(".")));
    expect(await enrol(agent, forged)).toEqual(error("ERR_ENVELOPE_SIGNATURE", null));
    expect(await agent.post(alice.id)).toMatchObject({ code: "ERR_FRAME_UNKNOWN_RECEIVER" });
    const other = await rig.member(bob);
    expect(await enrol(other, await rig.agent.roster(3, [bob]))).toEqual(error("ERR_FRAME_MALFORMED", null));
    expect(await other.closed).toBe(4400);
  });
});

test("an invite sends one message, is told so, and can be answered", async () => {
  await withRig([alice], async (rig) => {
    const invite = await makeKey();
    let agent = await rig.agentClient();
    const listed = [{ key: invite, exp: seconds() + 600 }];
    expect(await enrol(agent, await rig.agent.roster(2, [], listed))).toMatchObject({ n: 2 });
    const guest = await rig.member(invite);
    const [first, second] = [newId(), newId()];
    expect(await guest.post(rig.agent.hsm.id, "pair", first)).toMatchObject({ t: "accepted", id: first });
    expect(await agent.next()).toMatchObject({ from: invite.id, body: "pair" });
    expect(await guest.post(rig.agent.hsm.id, "more", second)).toEqual(error("ERR_INVITE", second));
    expect(await guest.post(rig.agent.hsm.id, "pair", first)).toMatchObject({ t: "accepted", id: first });
    expect(await agent.post(invite.id, "welcome")).toMatchObject({ t: "accepted" });
    expect(await guest.next()).toMatchObject({ t: "deliver", body: "welcome" });
    expect(await agent.quiet()).toBe(true);
    await guest.leave();
    await rig.restart();
    // Dropped and listed again: still spent.
    agent = await rig.agentClient();
    await enrol(agent, await rig.agent.roster(3, []));
    await enrol(agent, await rig.agent.roster(4, [], listed));
    const again = await rig.member(invite);
    expect(await again.next()).toMatchObject({ t: "deliver", body: "welcome" });
    expect(await again.post(rig.agent.hsm.id, "x", second)).toEqual(error("ERR_INVITE", second));
  });
});

test("an invite that expires while connected is sent away", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  try {
    await withRig(
      [],
      async (rig) => {
        const invite = await makeKey();
        const agent = await rig.agentClient();
        await enrol(agent, await rig.agent.roster(1, [], [{ key: invite, exp: seconds() + 600 }]));
        const guest = await rig.member(invite);
        expect(await guest.quiet()).toBe(true);
        vi.setSystemTime(Date.now() + 600_000);
        expect(await guest.next()).toEqual(error("ERR_LOGIN_UNKNOWN", null));
        expect(await guest.closed).toBe(4401);
      },
      { sweep: 20 },
    );
  } finally {
    vi.useRealTimers();
  }
});
