import { expect, test } from "vitest";
import type { Party } from "./admit.ts";
import { Bucket, KeyRates } from "./rate.ts";
import { route, Window } from "./relay.ts";
import { type RosterIndex, Rosters } from "./roster.ts";

const jwk = { kty: "EC", crv: "P-256", x: "x", y: "y" } as const;
const HSM: RosterIndex = {
  agent: "hsm",
  n: 1,
  jws: "",
  members: new Map([
    ["alice", jwk],
    ["bob", jwk],
    // Agents' identities on a roster give nobody a second way to an agent's mailbox.
    ["hsm", jwk],
    ["next", jwk],
  ]),
  invites: new Map([
    ["guest", { key: jwk, exp: 100 }],
    ["alice", { key: jwk, exp: 100 }],
  ]),
};
/** The same people's next HSM identity. */
const NEXT: RosterIndex = {
  agent: "next",
  n: 1,
  jws: "",
  members: new Map([["alice", jwk]]),
  invites: new Map([["bob", { key: jwk, exp: 100 }]]),
};
const ROSTERS = new Rosters(["hsm", "next", "third"]);
ROSTERS.put(HSM);
ROSTERS.put(NEXT);

const client = (key: string, agent = "hsm"): Party => ({ agent, key, card: null });
const asAgent = (agent: string): Party => ({ agent, key: agent, card: { agent, n: 1, jws: "", hsm: jwk, link: jwk } });
const noReceiver = { refused: "ERR_FRAME_UNKNOWN_RECEIVER" };
const noSender = { refused: "ERR_LOGIN_UNKNOWN" };

test.each([
  ["member to agent", client("alice"), "hsm", { to: "hsm", once: false, rivals: null }],
  ["invite to agent", client("guest"), "hsm", { to: "hsm", once: true, rivals: null }],
  ["member to the other agent that has it", client("alice"), "next", { to: "next", once: false, rivals: null }],
  ["member here, invite there", client("bob"), "next", { to: "next", once: true, rivals: null }],
  ["invite here, member there", client("bob", "next"), "hsm", { to: "hsm", once: false, rivals: null }],
  ["invite to another agent", client("guest"), "next", noReceiver],
  ["member to an agent without a roster", client("alice"), "third", noReceiver],
  ["member to an agent that is not served", client("alice"), "fourth", noReceiver],
  ["member to member", client("alice"), "bob", noReceiver],
  ["member to itself", client("alice"), "alice", noReceiver],
  ["invite to member", client("guest"), "alice", noReceiver],
  ["stranger to agent", client("mallory"), "hsm", noSender],
  ["the identity's key as a client", client("hsm"), "hsm", noSender],
  ["another identity's key as a client", client("next"), "hsm", noSender],
  ["agent to member", asAgent("next"), "alice", { to: "alice", once: false, rivals: 2 }],
  ["agent to invite", asAgent("hsm"), "guest", { to: "guest", once: false, rivals: 1 }],
  ["agent to another's invite", asAgent("next"), "guest", noReceiver],
  ["agent to stranger", asAgent("hsm"), "mallory", noReceiver],
  ["agent to itself", asAgent("hsm"), "hsm", noReceiver],
  ["agent to another agent", asAgent("hsm"), "next", noReceiver],
  ["agent without a roster", asAgent("third"), "alice", noReceiver],
])("%s", (_, from, to, expected) => {
  expect(route(from, to, ROSTERS, 99)).toEqual(expected);
});

test("an invite ends at its expiry, for sending and for receiving; without a roster nobody is anybody", () => {
  expect(route(client("guest"), "hsm", ROSTERS, 100)).toEqual(noSender);
  expect(route(asAgent("hsm"), "guest", ROSTERS, 100)).toEqual(noReceiver);
  // Bob's invite there has ended; here he is a member as before.
  expect(route(client("bob"), "next", ROSTERS, 100)).toEqual(noReceiver);
  expect(route(client("alice"), "hsm", new Rosters(["hsm"]), 0)).toEqual(noSender);
  expect(route(asAgent("hsm"), "alice", new Rosters(["hsm"]), 0)).toEqual(noReceiver);
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
  expect(bucket.isFull(0)).toBe(false);
  expect(bucket.take(500)).toBe("ok");
  bucket.refund();
  expect(bucket.take(500)).toBe("ok");
  expect(bucket.isFull(10_000)).toBe(true);
  expect([1, 2, 3].map(() => bucket.take(1_000_000))).toEqual(["ok", "ok", "over"]);
});

test("a flood lasts until its debt is paid and half a burst there again, however much comes meanwhile", () => {
  const bucket = new Bucket({ perSecond: 10, burst: 2 }, 0);
  while (bucket.take(0) !== "flood");
  for (let now = 1; now < 400; now += 1) expect(bucket.take(now)).toBe("flood");
  expect(bucket.take(401)).toBe("ok");
  expect(bucket.take(401)).toBe("over");
});

test("a key has so many buckets at most; the next connection goes on with one that was left", () => {
  const rates = new KeyRates(2);
  const limits = { perSecond: 10, burst: 2 };
  const take = (now = 0) => rates.take("ada", limits, now);
  const [first, second] = [take(), take()];
  if (first === undefined || second === undefined) throw new Error("none");
  expect([take(), rates.isFlood("ada", 0)]).toEqual([undefined, false]);
  while (first.take(0) !== "flood");
  second.take(0);
  rates.leave("ada", first);
  expect([take(), rates.isFlood("ada", 0), rates.isFlood("bob", 0)]).toEqual([undefined, true, false]);
  rates.leave("ada", second);
  expect(rates.isFlood("ada", 0)).toBe(false);
  expect(take()).toBe(second);
  // Whoever comes again later has the fullest of those that were left.
  expect([first.take(401), second.take(401)]).toEqual(["ok", "ok"]);
  rates.leave("ada", second);
  expect(take(401)).toBe(second);
  expect(take(401)).toBe(first);
});

test("buckets are forgotten once they are full and nobody has them", () => {
  const rates = new KeyRates(2);
  const limits = { perSecond: 10, burst: 2 };
  const [ada, bob] = [rates.take("ada", limits, 0), rates.take("bob", limits, 0)];
  if (ada === undefined || bob === undefined) throw new Error("none");
  for (const bucket of [ada, bob]) bucket.take(0);
  rates.leave("ada", ada);
  rates.prune(0);
  expect(rates.size).toBe(2);
  rates.prune(10_000);
  expect(rates.size).toBe(1);
  rates.leave("bob", bob);
  expect(rates.take("ada", limits, 10_000)).not.toBe(ada);
  expect(rates.take("bob", limits, 10_000)).toBe(bob);
});

test("an acknowledgement is of what a connection was given, once, whoever else acknowledged it", () => {
  const window = new Window({ messages: 3, bytes: 100 });
  expect(window.answers(1)).toBe(false);
  window.push(1, 1);
  window.push(2, 1);
  window.settle(2);
  expect([window.answers(2), window.answers(2), window.answers(1), window.answers(3)]).toEqual([
    true,
    false,
    false,
    false,
  ]);
});
