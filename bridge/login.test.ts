import { afterAll, beforeAll, expect, test } from "vitest";
import { LOGIN } from "../protocol/message.ts";
import {
  Agent,
  claimsOf,
  type Key,
  loginPayload,
  makeKey,
  makeRig,
  newId,
  type Rig,
  seconds,
  sign,
} from "./testing.ts";

let rig: Rig;
let alice: Key;
let invite: Key;
let expiredInvite: Key;
beforeAll(async () => {
  [alice, invite, expiredInvite] = [await makeKey(), await makeKey(), await makeKey()];
  rig = await makeRig();
  const agent = await rig.agentClient(5);
  const invites = [
    { key: invite, exp: seconds() + 600 },
    { key: expiredInvite, exp: seconds() - 1 },
  ];
  agent.send({ v: 1, t: "roster", jws: await rig.agent.roster(1, [alice], invites) });
  expect(await agent.next()).toEqual({ v: 1, t: "enrolled", n: 1 });
  await agent.leave();
});
afterAll(async () => rig.end());

/** The error with which a login ends, and the close code after it. */
async function refusal(act: (client: ReturnType<Rig["connect"]>) => Promise<unknown>): Promise<unknown> {
  const client = rig.connect();
  const answer = await act(client);
  return [answer, await client.closed];
}
const refused = (code: string, close = 4401) => [{ v: 1, t: "error", code, id: null }, close];

test("a member, an invite and the agent are admitted", async () => {
  for (const key of [alice, invite]) await (await rig.member(key)).leave();
  await (await rig.agentClient(5)).leave();
});

test.each([
  ["another nonce", { bridgeNonce: "A".repeat(43) }, "ERR_LOGIN_NONCE"],
  ["another bridge's URL", { aud: ["wss://other.example.com/"] }, "ERR_ENVELOPE_AUDIENCE"],
  ["an agent that is not served", { agent: "A".repeat(43) }, "ERR_LOGIN_UNKNOWN"],
  ["an expiry in the past", { iat: seconds() - 100, exp: seconds() - 1 }, "ERR_ENVELOPE_EXPIRED"],
  ["a time in the future", { iat: seconds() + 1000, exp: seconds() + 2000 }, "ERR_ENVELOPE_TIME"],
])("a login with %s is refused", async (_, changes, code) => {
  expect(await refusal((client) => client.login(alice, rig.agent, changes))).toEqual(refused(code));
});

test("an unknown key, an expired invite and the agent's key without a card are refused alike", async () => {
  for (const key of [await makeKey(), expiredInvite, rig.agent.link, rig.agent.hsm]) {
    expect(await refusal((client) => client.login(key, rig.agent))).toEqual(refused("ERR_LOGIN_UNKNOWN"));
  }
});

test("a signature by another key under a member's name is refused like an unknown key", async () => {
  const mallory = await makeKey();
  const stolen: Key = { ...alice, signer: { kid: alice.id, sign: (bytes) => mallory.signer.sign(bytes) } };
  expect(await refusal((client) => client.login(stolen, rig.agent))).toEqual(refused("ERR_LOGIN_UNKNOWN"));
});

test("a login that another connection sent is refused", async () => {
  const first = rig.connect();
  const jws = await sign(LOGIN, loginPayload(alice, rig.agent, await first.nonce()), alice);
  first.send({ v: 1, t: "login", jws, card: null });
  expect(await first.next()).toEqual({ v: 1, t: "ready", card: await rig.agent.card(5) });
  const replay = async (client: typeof first) => {
    await client.nonce();
    client.send({ v: 1, t: "login", jws, card: null });
    return await client.next();
  };
  expect(await refusal(replay)).toEqual(refused("ERR_LOGIN_NONCE"));
  await first.leave();
  expect(await refusal(replay)).toEqual(refused("ERR_LOGIN_NONCE"));
});

test("a login of another type is refused", async () => {
  const answer = await refusal(async (client) => {
    await client.nonce();
    client.send({ v: 1, t: "login", jws: await rig.agent.roster(9, []), card: null });
    return await client.next();
  });
  expect(answer).toEqual(refused("ERR_ENVELOPE_TYPE"));
});

test("cards: an older one, one of another HSM, for another bridge, expired, altered", async () => {
  const other = await Agent.make();
  const login = (card: string, agent = rig.agent, key = rig.agent.link) =>
    refusal((client) => client.login(key, agent, {}, card));
  expect(await login(await rig.agent.card(4))).toEqual(refused("ERR_CARD_OLD"));
  expect(await login(await other.card(9), other, other.link)).toEqual(refused("ERR_LOGIN_UNKNOWN"));
  expect(await login(await other.card(9))).toEqual(refused("ERR_LOGIN_UNKNOWN"));
  const disguised = new Agent(
    { ...other.hsm, id: rig.agent.hsm.id, signer: { ...other.hsm.signer, kid: rig.agent.hsm.id } },
    other.link,
  );
  expect(await login(await disguised.card(9), rig.agent, other.link)).toEqual(refused("ERR_LOGIN_UNKNOWN"));
  const borrowed = new Agent({ ...rig.agent.hsm, signer: { ...other.hsm.signer, kid: rig.agent.hsm.id } }, other.link);
  expect(await login(await borrowed.card(9), rig.agent, other.link)).toEqual(refused("ERR_LOGIN_UNKNOWN"));
  expect(await login(await rig.agent.card(9, { aud: ["wss://other.example.com/"] }))).toEqual(
    refused("ERR_ENVELOPE_AUDIENCE"),
  );
  // Two cards of one number are two agents.
  expect(await login(await rig.agent.card(5, { seal: other.link.jwk }))).toEqual(refused("ERR_CARD_OLD"));
  const stale = { iat: seconds() - 100, exp: seconds() - 1 };
  expect(await login(await rig.agent.card(9, stale))).toEqual(refused("ERR_ENVELOPE_EXPIRED"));
  // The card is right, the login is by a key that it does not certify.
  expect(await login(await rig.agent.card(5), rig.agent, alice)).toEqual(refused("ERR_LOGIN_UNKNOWN"));
  await (await rig.agentClient(5)).leave();
});

test("a newer card ends the connections of the older, for good, also after a restart", async () => {
  const old = await rig.agentClient(5);
  const renewed = await rig.agentClient(6);
  expect(await old.next()).toMatchObject({ t: "error", code: "ERR_CARD_OLD" });
  expect(await old.closed).toBe(4401);
  await renewed.leave();
  await rig.restart();
  const card = await rig.agent.card(5);
  expect(await refusal((client) => client.login(rig.agent.link, rig.agent, {}, card))).toEqual(refused("ERR_CARD_OLD"));
  await (await rig.member(alice)).leave();
});

test("nothing but a login comes first, and only one", async () => {
  const frames = [
    { v: 1, t: "ping" },
    { v: 1, t: "ack", seq: 1 },
    { v: 1, t: "send", id: newId(), to: rig.agent.hsm.id, body: "x" },
    { v: 1, t: "roster", jws: await rig.agent.roster(9, []) },
  ] as const;
  for (const frame of frames) {
    const early = async (client: ReturnType<Rig["connect"]>) => {
      await client.nonce();
      client.send(frame);
      return await client.next();
    };
    expect(await refusal(early)).toEqual(refused("ERR_FRAME_MALFORMED", 4400));
  }
  const member = await rig.member(alice);
  member.send({ v: 1, t: "login", jws: "a.b.c", card: null });
  expect(await member.next()).toMatchObject({ code: "ERR_FRAME_MALFORMED" });
  expect(await member.closed).toBe(4400);
});

test("at most four connections of a key; nobody is evicted; a place is free again", async () => {
  const clients = [];
  for (let i = 0; i < 4; i++) clients.push(await rig.member(alice));
  expect(await refusal((client) => client.login(alice, rig.agent))).toEqual(refused("ERR_LOGIN_TOO_MANY", 4429));
  for (const client of clients) expect(await client.quiet()).toBe(true);
  await clients[0]?.leave();
  clients[0] = await rig.member(alice);
  for (const client of clients) await client.leave();
});

test("who does not log in is sent away", async () => {
  const slow = await makeRig([], { loginTime: 30 });
  const client = slow.connect();
  await client.nonce();
  expect(await client.next()).toEqual({ v: 1, t: "error", code: "ERR_LOGIN_TIMEOUT", id: null });
  expect(await client.closed).toBe(4408);
  await slow.end();
});

test("the log has neither nonce nor JWS", () => {
  expect(rig.log.length).toBeGreaterThan(10);
  const text = rig.log.join("");
  expect(text).not.toContain("eyJ");
  expect(text).not.toMatch(/[A-Za-z0-9_-]{43}/);
  expect(claimsOf(alice).iss).toHaveLength(43);
});
