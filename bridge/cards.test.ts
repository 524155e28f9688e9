/** How an agent's card reaches its people: at their login, and when a newer one comes. */
import { expect, test, vi } from "vitest";
import type { BridgeFrame } from "../protocol/frame.ts";
import { Agent, type Client, deliveries, error, makeKey, newId, seconds, withRig } from "./testing.ts";

const [alice, bob] = [await makeKey(), await makeKey()];

async function certify(agent: Client, jws: string): Promise<BridgeFrame | undefined> {
  agent.send({ v: 1, t: "card", jws });
  return await agent.next();
}

/** Logs in and returns the answer, whatever it is. */
async function answerOf(client: Client, ...login: Parameters<Client["login"]>) {
  const answer = await client.login(...login);
  await client.leave();
  return answer;
}

test("a login is answered with the newest card; an agent's own with none, nor where none was ever seen", async () => {
  await withRig([alice], async (rig) => {
    const { agent } = rig;
    const ready = async (key = alice) => await answerOf(rig.connect(), key, agent);
    expect(await ready()).toEqual({ v: 1, t: "ready", card: await agent.card(1) });
    expect(await answerOf(rig.connect(), agent.link, agent, {}, await agent.card(4))).toEqual({
      v: 1,
      t: "ready",
      card: null,
    });
    expect(await ready()).toEqual({ v: 1, t: "ready", card: await agent.card(4) });
    // The agent is away and the bridge anew: as before.
    await rig.restart();
    expect(await ready()).toEqual({ v: 1, t: "ready", card: await agent.card(4) });
  });
});

test("a newer card is put in force while connected, kept, answered and told to the agent's people", async () => {
  await withRig([alice, bob], async (rig) => {
    const agent = await rig.agentClient();
    const clients = [await rig.member(alice), await rig.member(bob), await rig.member(bob)];
    const card = await rig.agent.card(3);
    expect(await certify(agent, card)).toEqual({ v: 1, t: "certified", n: 3 });
    for (const client of clients) expect(await client.next()).toEqual({ v: 1, t: "card", jws: card });
    // Letter for letter the same again, as after a lost answer: answered, and no news.
    expect(await certify(agent, card)).toEqual({ v: 1, t: "certified", n: 3 });
    for (const client of [...clients, agent]) expect(await client.quiet()).toBe(true);
    // It is the one that a login is judged by.
    const late = rig.connect();
    expect(await late.login(rig.agent.link, rig.agent, {}, await rig.agent.card(2))).toEqual(
      error("ERR_CARD_OLD", null),
    );
    await rig.restart();
    expect(await answerOf(rig.connect(), alice, rig.agent)).toEqual({ v: 1, t: "ready", card });
    await (await rig.agentClient(3)).leave();
  });
});

test("a newer card at a login is told too", async () => {
  await withRig([alice], async (rig) => {
    const member = await rig.member(alice);
    await rig.agentClient(2);
    expect(await member.next()).toEqual({ v: 1, t: "card", jws: await rig.agent.card(2) });
    await rig.agentClient(2);
    expect(await member.quiet()).toBe(true);
  });
});

test("it ends the agent's other connections, and not the one that brought it", async () => {
  await withRig([], async (rig) => {
    const [first, second] = [await rig.agentClient(), await rig.agentClient()];
    expect(await certify(second, await rig.agent.card(2))).toMatchObject({ t: "certified" });
    expect(await first.next()).toEqual(error("ERR_CARD_OLD", null));
    expect(await first.closed).toBe(4401);
    expect(await second.quiet()).toBe(true);
  });
});

test("what is refused leaves the old in force, the connection open and the people untold", async () => {
  const other = await Agent.make();
  await withRig(
    [alice],
    async (rig) => {
      const { agent } = rig;
      const [connection, member] = [await rig.agentClient(5), await rig.member(alice)];
      const good = await agent.card(6);
      const forged = good.replace(/\.[^.]+$/, (await agent.card(7)).replace(/^.*(?=\.)/, ""));
      const disguised = new Agent({ ...agent.hsm, signer: { ...other.hsm.signer, kid: agent.hsm.id } }, agent.link);
      const stale = { iat: seconds() - 100, exp: seconds() - 1 };
      for (const [code, jws] of [
        ["ERR_CARD_OLD", await agent.card(4)],
        ["ERR_CARD_OLD", await agent.card(5, { seal: other.link.jwk })],
        ["ERR_LOGIN_UNKNOWN", await agent.card(6, { link: other.link.jwk })],
        // Served here too, but not who this connection is.
        ["ERR_ENVELOPE_KEY", await other.card(6)],
        ["ERR_ENVELOPE_SIGNATURE", await disguised.card(6)],
        ["ERR_ENVELOPE_SIGNATURE", forged],
        ["ERR_ENVELOPE_AUDIENCE", await agent.card(6, { aud: ["wss://other.example.com/"] })],
        ["ERR_ENVELOPE_EXPIRED", await agent.card(6, stale)],
        ["ERR_ENVELOPE_TIME", await agent.card(6, { iat: seconds() + 1000, exp: seconds() + 2000 })],
        ["ERR_ENVELOPE_PAYLOAD", await agent.roster(6, [])],
      ] as const) {
        expect(await certify(connection, jws)).toEqual(error(code, null));
      }
      expect(await member.quiet()).toBe(true);
      expect(await answerOf(rig.connect(), alice, agent)).toMatchObject({ card: await agent.card(5) });
      // The one that was forged was not remembered: it is taken from whom it is.
      expect(await certify(connection, good)).toEqual({ v: 1, t: "certified", n: 6 });
      expect(await member.next()).toEqual({ v: 1, t: "card", jws: good });
    },
    {},
    { others: [other] },
  );
});

test("a member may not send one", async () => {
  await withRig([alice], async (rig) => {
    const member = await rig.member(alice);
    expect(await certify(member, await rig.agent.card(2))).toEqual(error("ERR_FRAME_MALFORMED", null));
    expect(await member.closed).toBe(4400);
    expect(await answerOf(rig.connect(), alice, rig.agent)).toMatchObject({ card: await rig.agent.card(1) });
  });
});

test("one that has expired since is still handed out: its reader judges", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  try {
    await withRig([alice], async (rig) => {
      const card = await rig.agent.card(1);
      vi.setSystemTime(Date.now() + 3_600_000);
      expect(await answerOf(rig.connect(), alice, rig.agent)).toEqual({ v: 1, t: "ready", card });
    });
  } finally {
    vi.useRealTimers();
  }
});

test("a card, and what is sent under it, come in order", async () => {
  await withRig([alice], async (rig) => {
    const [agent, member] = [await rig.agentClient(), await rig.member(alice)];
    agent.send({ v: 1, t: "card", jws: await rig.agent.card(2) });
    agent.send({ v: 1, t: "send", id: newId(), to: alice.id, body: "x" });
    expect([(await member.next())?.t, (await deliveries(member, 1))[0]?.body]).toEqual(["card", "x"]);
  });
});
