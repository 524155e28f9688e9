/** When a sync is sent, as the link asks: at the login, at once, or after growing pauses. */
import { expect, test } from "vitest";
import { hsm, ID, rehearse } from "./link-stage.ts";

test("what was missed is asked for again, after ten seconds, twenty, and so on", async () => {
  const stage = rehearse();
  await stage.wake();
  await stage.login();
  stage.state.again = true;
  const syncs = () => stage.last().sent.filter((frame) => frame.t === "send" && frame.body === "sync").length;
  for (const seq of [1, 2]) await stage.say({ v: 1, t: "deliver", seq, id: ID, from: hsm, body: "act" });
  expect(syncs()).toBe(1);
  for (const [pause, sent] of [
    [9_999, 1],
    [1, 2],
    [19_999, 2],
    [1, 3],
  ] as const) {
    stage.state.now += pause;
    await stage.say({ v: 1, t: "deliver", seq: 3, id: ID, from: hsm, body: "act" });
    await stage.wake();
    expect(syncs()).toBe(sent);
  }
});

test("a sync that the bridge did not take is made again, no sooner", async () => {
  const stage = rehearse();
  await stage.wake();
  await stage.login();
  const syncs = () =>
    stage.last().sent.flatMap((frame) => (frame.t === "send" && frame.body === "sync" ? frame.id : []));
  const [first = ""] = syncs();
  await stage.say({ v: 1, t: "error", code: "ERR_FRAME_RATE", id: first });
  stage.state.now += 9_999;
  await stage.wake();
  expect(syncs()).toEqual([first]);
  stage.state.now += 1;
  await stage.wake();
  expect(syncs()).toHaveLength(2);
  stage.state.now += 60_000;
  await stage.wake();
  expect(syncs()).toHaveLength(2);
});

test("it is asked for after five minutes at the longest, and after ten seconds again once a proof has come", async () => {
  const stage = rehearse();
  await stage.wake();
  await stage.login();
  const syncs = () => stage.last().sent.filter((frame) => frame.t === "send" && frame.body === "sync").length;
  const deliver = async (change: Partial<typeof stage.state>) => {
    Object.assign(stage.state, { again: false, atOnce: false, proved: false, ...change });
    await stage.say({ v: 1, t: "deliver", seq: 1, id: ID, from: hsm, body: "view" });
  };
  const after = async (pause: number, sent: number) => {
    stage.state.now += pause;
    await deliver({ again: true });
    expect(syncs()).toBe(sent);
  };
  let sent = 1;
  for (const pause of [10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]) {
    await after(pause - 1, sent);
    sent += 1;
    await after(1, sent);
  }
  await deliver({ proved: true });
  await after(9_999, sent);
  await after(1, sent + 1);
  await after(9_999, sent + 1);
  await after(1, sent + 2);
});

test("what cannot wait is asked for at once, however many syncs were sent before", async () => {
  const stage = rehearse();
  await stage.wake();
  await stage.login();
  const syncs = () => stage.last().sent.filter((frame) => frame.t === "send" && frame.body === "sync").length;
  stage.state.again = true;
  for (const atOnce of [false, true, true]) {
    stage.state.atOnce = atOnce;
    await stage.say({ v: 1, t: "deliver", seq: 1, id: ID, from: hsm, body: "act" });
  }
  expect(syncs()).toBe(3);
});

test("a newer card of the agent is answered with a sync at once, however many were sent before", async () => {
  const stage = rehearse();
  await stage.wake();
  await stage.login();
  stage.state.again = true;
  const syncs = () => stage.last().sent.filter((frame) => frame.t === "send" && frame.body === "sync").length;
  await stage.say({ v: 1, t: "deliver", seq: 1, id: ID, from: hsm, body: "view" });
  await stage.say({ v: 1, t: "card", jws: "a.b.c" });
  expect(syncs()).toBe(1);
  stage.state.newer = true;
  await stage.say({ v: 1, t: "card", jws: "a.b.c" });
  expect(syncs()).toBe(2);
  stage.state.newer = false;
  await stage.say({ v: 1, t: "card", jws: "a.b.c" });
  expect(syncs()).toBe(2);
});
