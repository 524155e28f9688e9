import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { FRAME_MAX } from "../protocol/frame.ts";
import { deliveries, error, makeKey, newId, withRig } from "./testing.ts";

const [alice, bob] = [await makeKey(), await makeKey()];

test("quota of a mailbox, and a sender's share of it", async () => {
  await withRig(
    [alice, bob],
    async (rig) => {
      const [agent, member, other] = [await rig.agentClient(), await rig.member(alice), await rig.member(bob)];
      for (let i = 0; i < 2; i++) expect(await member.post(rig.agent.hsm.id)).toMatchObject({ t: "accepted" });
      const id = newId();
      expect(await member.post(rig.agent.hsm.id, "x", id)).toEqual(error("ERR_FRAME_MAILBOX_FULL", id));
      expect(await other.post(rig.agent.hsm.id)).toMatchObject({ t: "accepted" });
      const last = (await deliveries(agent, 3)).at(-1);
      agent.send({ v: 1, t: "ack", seq: last?.seq ?? 0 });
      expect(await agent.quiet()).toBe(true);
      expect(await member.post(rig.agent.hsm.id, "x", id)).toMatchObject({ t: "accepted" });
      expect(await agent.next()).toMatchObject({ seq: 4 });
      // The agent has no share: it may fill a member's mailbox.
      await member.leave();
      for (let i = 0; i < 8; i++) expect(await agent.post(alice.id)).toMatchObject({ t: "accepted" });
      expect(await agent.post(alice.id)).toMatchObject({ code: "ERR_FRAME_MAILBOX_FULL" });
    },
    { messages: 8 },
  );
});

test("a flood is refused, then ended; the others do not notice", async () => {
  await withRig(
    [alice, bob],
    async (rig) => {
      const [agent, member, other] = [await rig.agentClient(), await rig.member(alice), await rig.member(bob)];
      for (let i = 0; i < 30; i++) member.send({ v: 1, t: "send", id: newId(), to: rig.agent.hsm.id, body: "x" });
      const answers = [];
      for (let frame = await member.next(); frame !== undefined; frame = await member.next()) answers.push(frame);
      expect(answers.filter((frame) => frame.t === "accepted")).toHaveLength(9);
      const rated = answers.filter((frame) => frame.t === "error" && frame.code === "ERR_FRAME_RATE");
      expect(rated).toHaveLength(11);
      expect(await member.closed).toBe(4429);
      expect(await other.quiet()).toBe(true);
      await deliveries(agent, 9);
      expect(await agent.quiet()).toBe(true);
    },
    // So slow that no token comes back while the test runs; the login took one.
    { memberRate: { perSecond: 0.0001, burst: 10 } },
  );
});

test.each([
  ["no JSON", "hello"],
  ["another version", '{"v":2,"t":"ping"}'],
  ["an unknown type", '{"v":1,"t":"shout"}'],
  ["an unknown member", '{"v":1,"t":"ping","x":1}'],
  ["white space", '{"v":1, "t":"ping"}'],
  ["a duplicate member", '{"v":1,"t":"ping","t":"ping"}'],
  [
    "a sender of its own",
    `{"v":1,"t":"send","id":"${"A".repeat(22)}","to":"${"A".repeat(43)}","body":"x","from":"${"A".repeat(43)}"}`,
  ],
  ["a bridge's frame", '{"v":1,"t":"pong"}'],
  ["binary", Buffer.from('{"v":1,"t":"ping"}')],
])("a frame that is %s ends the connection", async (_, data) => {
  await withRig([alice], async (rig) => {
    const member = await rig.member(alice);
    member.socket.send(data);
    expect(await member.next()).toEqual(error("ERR_FRAME_MALFORMED", null));
    expect(await member.closed).toBe(4400);
  });
});

test("the longest frame passes, a longer one ends the connection, before login too", async () => {
  await withRig([alice], async (rig) => {
    const member = await rig.member(alice);
    expect(await member.post(rig.agent.hsm.id, "x".repeat(FRAME_MAX - 1024))).toMatchObject({ t: "accepted" });
    member.socket.send("x".repeat(FRAME_MAX + 1));
    expect(await member.closed).toBe(1009);
    const stranger = rig.connect();
    await stranger.nonce();
    stranger.socket.send("x".repeat(FRAME_MAX + 1));
    expect(await stranger.closed).toBe(1009);
  });
});

test("a receiver that does not read is dropped, and its mail kept", async () => {
  await withRig(
    [alice],
    async (rig) => {
      const agent = await rig.agentClient();
      const member = await rig.member(alice);
      member.socket.pause();
      let sent = 0;
      for (; sent < 300 && !rig.log.join("").includes("slow receiver dropped"); sent++) {
        expect(await agent.post(alice.id, "x".repeat(100_000))).toMatchObject({ t: "accepted" });
      }
      expect(sent).toBeLessThan(300);
      expect(rig.bridge.measure().mailboxDepth).toBe(sent);
      member.socket.terminate();
    },
    { sendBuffer: 300_000, bytes: 100_000_000, window: { messages: 1000, bytes: 100_000_000 } },
  );
});

test("a connection that answers no ping is dropped", async () => {
  await withRig(
    [alice],
    async (rig) => {
      const silent = await rig.member(alice);
      silent.socket.pause();
      while (rig.bridge.measure().connections > 0) await setTimeout(5);
      expect(rig.log.join("")).toContain("silent connection dropped");
      silent.socket.resume();
      await silent.closed;
    },
    { heartbeat: 200 },
  );
});

test("health counts and names nobody", async () => {
  await withRig([alice], async (rig) => {
    await rig.agentClient();
    await (await rig.member(alice)).post(rig.agent.hsm.id);
    const answer = await fetch(`http://127.0.0.1:${rig.bridge.health}/healthz`);
    expect(await answer.text()).toBe('{"connections":2,"agentsOnline":1,"mailboxDepth":1}\n');
    expect((await fetch(`http://127.0.0.1:${rig.bridge.health}/`)).status).toBe(404);
  });
});
