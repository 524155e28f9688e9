/** What the bridge writes down: nothing of a message in its log or health, and in its files only until it is acknowledged. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { FRAME_MAX } from "../protocol/frame.ts";
import { LOGIN } from "../protocol/message.ts";
import { Mailbox } from "./mailbox.ts";
import { Agent, deliveries, loginPayload, makeKey, newId, type Rig, seconds, sign, withRig } from "./testing.ts";

const [alice, guest] = [await makeKey(), await makeKey()];

/** Stands in every body, malformed frame and header that the test sends. */
const SECRET = "SeCrEt";

async function exchange(rig: Rig): Promise<{ nonces: string[]; texts: string[] }> {
  const { agent } = rig;
  const [nonces, texts]: [string[], string[]] = [[], []];
  /** Connects with a login by `key`, and keeps what nobody else is to see of it. */
  const enter = async (key = alice, card: string | null = null) => {
    const client = rig.connect({ headers: { "x-forwarded-for": SECRET, cookie: SECRET } });
    const nonce = await client.nonce();
    const payload = loginPayload(key, agent, nonce);
    const jws = await sign(LOGIN, payload, key);
    nonces.push(nonce, payload.clientNonce);
    texts.push(jws, ...(card === null ? [] : [card]));
    client.send({ v: 1, t: "login", jws, card });
    return { client, answer: await client.next() };
  };

  const { client: own } = await enter(agent.link, await agent.card(1));
  const rosters = [await agent.roster(2, [alice], [{ key: guest, exp: seconds() + 600 }]), await agent.roster(1, [])];
  const cards = [await agent.card(2), await agent.card(1), await (await Agent.make()).card(3)];
  texts.push(...rosters, ...cards);
  for (const jws of rosters) own.send({ v: 1, t: "roster", jws });
  for (const jws of cards) own.send({ v: 1, t: "card", jws });
  expect([(await own.next())?.t, (await own.next())?.t]).toEqual(["enrolled", "error"]);
  expect([await own.next(), await own.next(), await own.next()].map((frame) => frame?.t)).toEqual([
    "certified",
    "error",
    "error",
  ]);

  // Sent, delivered and acknowledged, both ways; and one that stays.
  const { client: member } = await enter();
  expect(await member.post(agent.hsm.id, `up.${SECRET}.1`)).toMatchObject({ t: "accepted" });
  expect(await deliveries(own, 1)).toHaveLength(1);
  expect(await own.post(alice.id, `down.${SECRET}.${"x".repeat(50_000)}`)).toMatchObject({ t: "accepted" });
  expect(await deliveries(member, 1)).toHaveLength(1);
  expect(await own.post(guest.id, `stays.${SECRET}`)).toMatchObject({ t: "accepted" });
  for (const client of [own, member]) {
    client.send({ v: 1, t: "ack", seq: 1 });
    expect(await client.quiet()).toBe(true);
  }

  // Refused one by one.
  expect(await member.post(guest.id, SECRET)).toMatchObject({ code: "ERR_FRAME_UNKNOWN_RECEIVER" });
  const { client: invited } = await enter(guest);
  await deliveries(invited, 1);
  expect(await invited.post(agent.hsm.id, `pair.${SECRET}`)).toMatchObject({ t: "accepted" });
  expect(await invited.post(agent.hsm.id, `more.${SECRET}`)).toMatchObject({ code: "ERR_INVITE" });
  own.send({ v: 1, t: "ack", seq: (await deliveries(own, 1))[0]?.seq ?? 0 });

  // Refused with the connection.
  expect((await enter(await makeKey())).answer).toMatchObject({ code: "ERR_LOGIN_UNKNOWN" });
  for (const data of [
    SECRET,
    Buffer.from(SECRET),
    `{"v":1,"t":"send","id":"${newId()}","to":"${agent.hsm.id}","body":"${SECRET} ${SECRET}"}`,
    `{"v":1,"t":"${SECRET}"}`,
    `{"v":1,"t":"ping","${SECRET}":"${SECRET}"}`,
    SECRET.repeat(FRAME_MAX),
    `{"v":1,"t":"ack","seq":999}`,
  ]) {
    const { client } = await enter();
    client.socket.send(data);
    expect([1009, 4400]).toContain(await client.closed);
  }
  const refused = rig.connect({ headers: { host: `${SECRET}.example`, origin: `https://${SECRET}` } });
  await refused.closed;

  // Mistakes of the bridge itself, that say what they were doing; with mail of hers in the store.
  expect(await own.post(alice.id, `waits.${SECRET}`)).toMatchObject({ t: "accepted" });
  for (const method of ["store", "ack", "after", "card"] as const) {
    const { client } = await enter();
    const failing = vi.spyOn(Mailbox.prototype, method).mockImplementationOnce((...given: unknown[]) => {
      throw new Error(`no ${method}\n    at ${JSON.stringify(given)} ${SECRET} (file:///a.ts:1:1)`);
    });
    if (method === "ack") client.send({ v: 1, t: "ack", seq: 2 });
    else if (method === "store") client.send({ v: 1, t: "send", id: newId(), to: agent.hsm.id, body: SECRET });
    else await enter();
    while (failing.mock.calls.length === 0) await setTimeout(5);
    await client.leave();
    failing.mockRestore();
  }
  // Read by nobody any more: what is open goes.
  for (const client of [own, member, invited]) await client.leave();
  return { nonces, texts };
}

test("a whole exchange leaves nothing of itself in the log or in health", async () => {
  await withRig([alice], async (rig) => {
    const { nonces, texts } = await exchange(rig);
    const answer = await fetch(`http://127.0.0.1:${rig.bridge.health}/healthz`);
    const written = [...rig.log, await answer.text()].join("");
    // It did write: who came, what was refused, what failed.
    for (const told of ["admitted", "refused", "failed", "closed", "ERR_LOGIN_HOST"]) expect(written).toContain(told);
    expect(written.toLowerCase()).not.toContain(SECRET.toLowerCase());
    expect(written).not.toContain("eyJ");
    expect(nonces.length).toBeGreaterThan(20);
    for (const nonce of nonces) expect(written).not.toContain(nonce);
    for (const part of texts.flatMap((jws) => jws.split("."))) expect(written).not.toContain(part);
    // Nor any key or nonce of anybody: who it was is told by 16 hex digits.
    expect(written).not.toMatch(/[A-Za-z0-9_-]{43}/);
  });
});

test("its files hold a message until it is acknowledged, and no login ever", async () => {
  await withRig(
    [alice],
    async (rig) => {
      const { nonces, texts } = await exchange(rig);
      const own = await rig.agentClient(2);
      // Held when its storing failed, it was not lost.
      expect(await deliveries(own, 1)).toMatchObject([{ body: SECRET }]);
      expect(await own.post(alice.id, `left.${SECRET}`)).toMatchObject({ t: "accepted" });
      const bytes = () =>
        readdirSync(join(rig.folder, "data"))
          .map((name) => readFileSync(join(rig.folder, "data", name), "latin1"))
          .join("");
      const gone = ["up.", "down.", "pair.", "more."].map((start) => start + SECRET);
      while (gone.some((start) => bytes().includes(start))) await setTimeout(5);
      expect(bytes()).toContain(`left.${SECRET}`);
      expect(bytes()).toContain(`stays.${SECRET}`);
      for (const nonce of nonces) expect(bytes()).not.toContain(nonce);
      const logins = texts.filter((jws) => Buffer.from(jws.split(".")[0] ?? "", "base64url").includes("oc-login"));
      expect(logins.length).toBeGreaterThan(10);
      for (const jws of logins) expect(bytes()).not.toContain(jws.split(".")[1]);
    },
    { sweep: 50 },
  );
});
