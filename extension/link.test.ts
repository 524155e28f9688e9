import { expect, test } from "vitest";
import { openEnvelope } from "../protocol/envelope.ts";
import type { BridgeFrame, ClientFrame } from "../protocol/frame.ts";
import { LOGIN } from "../protocol/message.ts";
import { BRIDGE, hsm, ID, type Member, NONCE, NOW, once, own, rehearse } from "./link-stage.ts";

async function loginOf(frame: ClientFrame | undefined, by: Member) {
  if (frame?.t !== "login") throw new Error("no login");
  return await openEnvelope(frame.jws, { type: LOGIN, keyOf: () => by.jwk, audience: BRIDGE, now: NOW });
}

test("hello, login over the bridge's address and nonce, ready, then a sync", async () => {
  const stage = rehearse();
  await stage.wake();
  expect(stage.wires.map(({ url }) => url)).toEqual([BRIDGE]);
  expect(stage.last().sent).toEqual([]);
  await stage.login();
  const { payload } = await loginOf(stage.last().sent[0], own);
  expect(payload).toMatchObject({ agent: hsm, bridgeNonce: NONCE, aud: [BRIDGE], exp: NOW + 60 });
  expect(stage.last().sent.slice(1)).toMatchObject([{ t: "send", to: hsm, body: "sync" }]);
  expect(stage.statuses.map(([state]) => state)).toEqual(["connecting", "online"]);
});

test("what is in the outbox is sent once a connection, and again with the same id on the next", async () => {
  const stage = rehearse();
  stage.state.outbox = [{ id: ID, to: hsm, body: "approval" }];
  await stage.wake();
  await stage.login();
  await stage.wake();
  await stage.say({ v: 1, t: "accepted", id: ID });
  await stage.wake();
  const bodies = () => stage.last().sent.filter((frame) => frame.t === "send" && frame.id === ID);
  expect(bodies()).toHaveLength(1);
  await stage.end();
  await stage.ring();
  await stage.login();
  expect(stage.wires).toHaveLength(2);
  expect(bodies()).toHaveLength(1);
});

test("a message that the bridge did not take is sent again at the next wake", async () => {
  const stage = rehearse();
  stage.state.outbox = [{ id: ID, to: hsm, body: "approval" }];
  await stage.wake();
  await stage.login();
  await stage.say({ v: 1, t: "error", code: "ERR_FRAME_MAILBOX_FULL", id: ID });
  expect(stage.statuses.at(-1)).toEqual(["online", "ERR_FRAME_MAILBOX_FULL"]);
  await stage.wake();
  expect(stage.last().sent.filter((frame) => frame.t === "send" && frame.id === ID)).toHaveLength(2);
});

test("a delivery is acknowledged after it is stored, in order", async () => {
  const stage = rehearse();
  await stage.wake();
  await stage.login();
  for (const seq of [1, 2]) stage.last().say({ v: 1, t: "deliver", seq, id: ID, from: hsm, body: `m${seq}` });
  await stage.link.settled();
  expect(stage.received).toEqual(["m1", "m2"]);
  expect(stage.last().sent.slice(-2)).toEqual([
    { v: 1, t: "ack", seq: 1 },
    { v: 1, t: "ack", seq: 2 },
  ]);
});

test("where storing fails nothing is acknowledged and the connection is made anew", async () => {
  const stage = rehearse();
  await stage.wake();
  await stage.login();
  stage.state.failing = true;
  await stage.say({ v: 1, t: "deliver", seq: 1, id: ID, from: hsm, body: "m1" });
  expect(stage.last()).toMatchObject({ closed: true });
  expect(stage.last().sent.some((frame) => frame.t === "ack")).toBe(false);
  stage.state.failing = false;
  await stage.ring();
  await stage.login();
  await stage.say({ v: 1, t: "deliver", seq: 1, id: ID, from: hsm, body: "m1" });
  expect(stage.last().sent.at(-1)).toEqual({ v: 1, t: "ack", seq: 1 });
});

test("the card that comes with the login, and every later one, is handed on as that agent's", async () => {
  const stage = rehearse();
  await stage.wake();
  await stage.login("a.b.c");
  await stage.say({ v: 1, t: "card", jws: "d.e.f" });
  expect(stage.cards).toEqual([
    ["a.b.c", hsm],
    ["d.e.f", hsm],
  ]);
});

test("while nothing can be sealed nothing is sent, and the sync follows as soon as it can", async () => {
  const stage = rehearse();
  const problem = { code: "ERR_AGENT_UNREACHABLE", message: "No card." };
  stage.state.problem = problem;
  await stage.wake();
  await stage.login();
  expect(stage.last().sent.map(({ t }) => t)).toEqual(["login"]);
  expect(stage.statuses.at(-1)).toEqual(["online", problem.code]);
  stage.state.problem = null;
  await stage.say({ v: 1, t: "card", jws: "a.b.c" });
  expect(stage.last().sent.slice(1)).toMatchObject([{ t: "send", body: "sync" }]);
  expect(stage.statuses.at(-1)).toEqual(["online", undefined]);
});

test("another identity is another login", async () => {
  const stage = rehearse();
  await stage.wake();
  await stage.login();
  const next = once.signer.kid;
  stage.state.credentials = { bridge: BRIDGE, hsm: next, own: own.signer, invite: null };
  await stage.wake();
  expect(stage.wires.map(({ closed }) => closed)).toEqual([true, false]);
  await stage.login();
  expect((await loginOf(stage.last().sent[0], own)).payload.agent).toBe(next);
});

test("while pairing: own key first, then the invite's, then the own again once it is welcome", async () => {
  const stage = rehearse(once.signer);
  stage.state.outbox = [{ id: ID, to: hsm, body: "pair" }];
  await stage.wake();
  await stage.refuse("ERR_LOGIN_UNKNOWN");
  await loginOf(stage.last().sent[0], own);
  expect(stage.pauses()).toEqual([0]);
  await stage.ring();
  await stage.login();
  await loginOf(stage.last().sent[0], once);
  expect(stage.last().sent.some((frame) => frame.t === "send" && frame.body === "pair")).toBe(true);
  stage.state.onReceive = () => {
    stage.state.credentials = { bridge: BRIDGE, hsm, own: own.signer, invite: null };
  };
  await stage.say({ v: 1, t: "deliver", seq: 1, id: ID, from: hsm, body: "welcome" });
  expect(stage.wires[1]?.sent.at(-1)).toEqual({ v: 1, t: "ack", seq: 1 });
  expect(stage.wires[1]?.closed).toBe(true);
  await stage.login();
  await loginOf(stage.last().sent[0], own);
  expect(stage.wires).toHaveLength(3);
});

test("an invite that was used is shut out without a complaint, and the own key is let in", async () => {
  const stage = rehearse(once.signer);
  await stage.wake();
  await stage.refuse("ERR_LOGIN_UNKNOWN");
  await stage.ring();
  await stage.login();
  await stage.say({ v: 1, t: "error", code: "ERR_LOGIN_UNKNOWN", id: null });
  expect(stage.statuses.at(-1)).toEqual(["connecting", undefined]);
  expect(stage.pauses()).toEqual([1000]);
  await stage.ring();
  await stage.say({ v: 1, t: "hello", nonce: NONCE });
  await loginOf(stage.last().sent[0], own);
});

test("where neither key is known both are tried again, later", async () => {
  const stage = rehearse(once.signer);
  await stage.wake();
  await stage.refuse("ERR_LOGIN_UNKNOWN");
  await stage.ring();
  await stage.refuse("ERR_LOGIN_UNKNOWN");
  expect(stage.statuses.at(-1)).toEqual(["offline", "ERR_LOGIN_UNKNOWN"]);
  await stage.ring();
  await stage.say({ v: 1, t: "hello", nonce: NONCE });
  await loginOf(stage.last().sent[0], own);
});

test("only an unknown login makes it use the invite", async () => {
  const stage = rehearse(once.signer);
  await stage.wake();
  await stage.refuse("ERR_LOGIN_TOO_MANY");
  expect(stage.statuses.at(-1)).toEqual(["offline", "ERR_LOGIN_TOO_MANY"]);
  await stage.ring();
  await stage.say({ v: 1, t: "hello", nonce: NONCE });
  await loginOf(stage.last().sent[0], own);
});

test("pauses double up to a minute, and a success resets them", async () => {
  const stage = rehearse();
  await stage.wake();
  const pauses: number[] = [];
  for (let times = 0; times < 8; times += 1) {
    await stage.end();
    pauses.push(...stage.pauses());
    await stage.ring();
  }
  expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  await stage.login();
  await stage.end();
  expect(stage.pauses()).toEqual([1000]);
});

test("a ping every 20 s, and a silent bridge is left", async () => {
  const stage = rehearse();
  await stage.wake();
  await stage.login();
  await stage.ring();
  expect(stage.last().sent.at(-1)).toEqual({ v: 1, t: "ping" });
  await stage.say({ v: 1, t: "pong" });
  await stage.ring();
  expect(stage.last().sent.filter((frame) => frame.t === "ping")).toHaveLength(2);
  await stage.ring();
  expect(stage.last().closed).toBe(true);
  expect(stage.statuses.at(-1)).toEqual(["offline", "ERR_BRIDGE_UNREACHABLE"]);
});

test("a bridge that never says hello is left", async () => {
  const stage = rehearse();
  await stage.wake();
  await stage.ring();
  expect(stage.last().closed).toBe(true);
});

const OUT_OF_PLACE: [string, BridgeFrame][] = [
  ["ready before login", { v: 1, t: "ready", card: null }],
  ["a delivery before login", { v: 1, t: "deliver", seq: 1, id: ID, from: hsm, body: "x" }],
  ["a card before login", { v: 1, t: "card", jws: "a.b.c" }],
  ["an agent's frame", { v: 1, t: "enrolled", n: 1 }],
  ["another of an agent's", { v: 1, t: "certified", n: 1 }],
];
test.each(OUT_OF_PLACE)("%s ends the connection and is not used", async (_what, frame) => {
  const stage = rehearse();
  await stage.wake();
  await stage.say(frame);
  expect(stage.last()).toMatchObject({ closed: true, sent: [] });
  expect(stage.received).toEqual([]);
  expect(stage.statuses.at(-1)).toEqual(["offline", "ERR_FRAME_MALFORMED"]);
});

test("a second hello gets no second login", async () => {
  const stage = rehearse();
  await stage.wake();
  await stage.say({ v: 1, t: "hello", nonce: NONCE });
  await stage.say({ v: 1, t: "hello", nonce: NONCE });
  expect(stage.last().sent.filter((frame) => frame.t === "login")).toHaveLength(1);
  expect(stage.last().closed).toBe(true);
});

test("unpaired it goes offline, and what a dropped bridge still says is not heard", async () => {
  const stage = rehearse();
  await stage.wake();
  await stage.login();
  stage.state.credentials = null;
  await stage.wake();
  expect(stage.last().closed).toBe(true);
  expect(stage.statuses.at(-1)).toEqual(["unpaired", undefined]);
  await stage.say({ v: 1, t: "deliver", seq: 1, id: ID, from: hsm, body: "late" });
  expect(stage.received).toEqual([]);
});
