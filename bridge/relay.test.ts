import { expect, test } from "vitest";
import type { Party } from "./admit.ts";
import { Bucket } from "./rate.ts";
import { route, Window } from "./relay.ts";
import type { RosterIndex } from "./roster.ts";

const jwk = { kty: "EC", crv: "P-256", x: "x", y: "y" } as const;
const ROSTER: RosterIndex = {
  agent: "hsm",
  n: 1,
  jws: "",
  members: new Map([
    ["alice", jwk],
    ["bob", jwk],
    // An agent that lists its own identity gives nobody a second way to its mailbox.
    ["hsm", jwk],
  ]),
  invites: new Map([
    ["guest", { key: jwk, exp: 100 }],
    ["alice", { key: jwk, exp: 100 }],
  ]),
};
const client = (key: string): Party => ({ agent: "hsm", key, card: null });
const agent: Party = { agent: "hsm", key: "hsm", card: { n: 1, hsm: jwk } };
const noReceiver = { refused: "ERR_FRAME_UNKNOWN_RECEIVER" };
const noSender = { refused: "ERR_LOGIN_UNKNOWN" };

test.each([
  ["member to agent", client("alice"), "hsm", { to: "hsm", once: false }],
  ["invite to agent", client("guest"), "hsm", { to: "hsm", once: true }],
  ["member to member", client("alice"), "bob", noReceiver],
  ["member to itself", client("alice"), "alice", noReceiver],
  ["invite to member", client("guest"), "alice", noReceiver],
  ["stranger to agent", client("mallory"), "hsm", noSender],
  ["the identity's key as a client", client("hsm"), "hsm", noSender],
  ["agent to member", agent, "alice", { to: "alice", once: false }],
  ["agent to invite", agent, "guest", { to: "guest", once: false }],
  ["agent to stranger", agent, "mallory", noReceiver],
  ["agent to itself", agent, "hsm", noReceiver],
])("%s", (_, from, to, expected) => {
  expect(route(from, to, ROSTER, 99)).toEqual(expected);
});

test("an invite ends at its expiry, for sending and for receiving; without a roster nobody is anybody", () => {
  expect(route(client("guest"), "hsm", ROSTER, 100)).toEqual(noSender);
  expect(route(agent, "guest", ROSTER, 100)).toEqual(noReceiver);
  expect(route(client("alice"), "hsm", undefined, 0)).toEqual(noSender);
  expect(route(agent, "alice", undefined, 0)).toEqual(noReceiver);
});

test("a window closes on messages or bytes, and opens as they are settled", () => {
  const window = new Window({ messages: 3, bytes: 100 });
  expect([window.room, window.cursor]).toEqual([3, 0]);
  window.push(5, 10);
  window.push(9, 90);
  expect([window.room, window.cursor]).toEqual([0, 9]);
  window.settle(5);
  expect(window.room).toBe(2);
  window.push(10, 1);
  window.push(11, 1);
  expect(window.room).toBe(0);
  window.settle(20);
  expect([window.room, window.cursor]).toEqual([3, 20]);
  window.settle(6);
  expect(window.cursor).toBe(20);
});

test("a bucket: burst, debt, flood, and what time and refunds give back", () => {
  const bucket = new Bucket({ perSecond: 10, burst: 2 }, 0);
  expect([1, 2, 3, 4, 5].map(() => bucket.take(0))).toEqual(["ok", "ok", "over", "over", "flood"]);
  expect(bucket.take(400)).toBe("ok");
  expect(bucket.take(400)).toBe("over");
  bucket.refund();
  bucket.refund();
  expect(bucket.take(400)).toBe("ok");
  bucket.become({ perSecond: 10, burst: 5 });
  expect([1, 2, 3, 4, 5, 6].map(() => bucket.take(1_000_000)).filter((verdict) => verdict === "ok")).toHaveLength(5);
});
