/** What is held in memory: until when, in which order, counted how, told to whom; and what a kill leaves of it. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { message, PostRig } from "./mailbox-rig.ts";

let rig: PostRig;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  rig = new PostRig();
  rig.warm();
});
afterEach(() => {
  rig.end();
  vi.useRealTimers();
});

/** Lets `ms` pass, on the clock too. */
function pass(ms: number): void {
  rig.clock += ms;
  vi.advanceTimersByTime(ms);
}

test("held while nobody waits longer than the hold, accepted on the acknowledgement and never before", () => {
  const before = rig.mailbox.group.commits;
  for (const id of ["1", "2", "3"]) expect(rig.hold(id)).toBe("taken");
  expect(rig.held()).toEqual([2, 3, 4]);
  pass(199);
  expect(rig.accepted).toEqual([]);
  expect(rig.post.acknowledge("r", 3)).toBe("removed");
  expect(rig.accepted).toEqual(["1", "2"]);
  expect(rig.post.acknowledge("r", 4)).toBe("removed");
  expect(rig.accepted).toEqual(["1", "2", "3"]);
  expect([rig.seqs(), rig.post.depth()]).toEqual([[], { all: 0, held: 0, heldBytes: 0 }]);
  expect(rig.mailbox.group.commits).toBe(before);
});

test("without an acknowledgement it is stored, with its number, and accepted once that is durable", () => {
  rig.hold("1");
  rig.hold("2");
  pass(250);
  expect([rig.seqs(), rig.held(), rig.accepted]).toEqual([[2, 3], [], []]);
  rig.commit();
  expect(rig.accepted).toEqual(["1", "2"]);
  rig.reopen({ killed: true });
  expect(rig.seqs()).toEqual([2, 3]);
  expect(rig.post.acknowledge("r", 3)).toBe("removed");
  expect(rig.seqs()).toEqual([]);
});

test("a receiver that acknowledges nothing is waited for once, not for each message", () => {
  rig.hold("1");
  pass(250);
  rig.hold("2");
  expect([rig.held(), rig.seqs()]).toEqual([[], [2, 3]]);
  // It is back: while it acknowledges, what is new is held behind what is stored and was given to it.
  rig.post.acknowledge("r", 2);
  rig.hold("3");
  expect([rig.held(), rig.seqs()]).toEqual([[4], [3]]);
  rig.post.acknowledge("r", 4);
  expect([rig.held(), rig.seqs()]).toEqual([[], []]);
  rig.commit();
  expect(rig.accepted).toEqual(["3", "1", "2"].toSorted((a, b) => rig.accepted.indexOf(a) - rig.accepted.indexOf(b)));
  expect(rig.accepted).toHaveLength(3);
});

test("what is stored comes before what is held, whatever is stored in between", () => {
  rig.hold("1");
  rig.store("2");
  expect([rig.seqs(), rig.held()]).toEqual([[2, 3], []]);
  rig.hold("3", { once: true, sender: "guest" });
  expect(rig.seqs()).toEqual([2, 3, 4]);
});

test("the receiver leaves: all of its mail is stored", () => {
  rig.hold("1");
  rig.hold("1", { receiver: "q" });
  rig.post.leave("r");
  rig.commit();
  expect([rig.accepted, rig.seqs(), rig.held()]).toEqual([["1", "1"], [2], []]);
});

test("a drain stores all of it, durable when it returns, and nothing is held any more", () => {
  rig.warm("q");
  rig.hold("1");
  rig.hold("2", { receiver: "q" });
  rig.post.drain();
  expect(rig.accepted).toEqual(["1", "2"]);
  rig.hold("3");
  expect([rig.held(), rig.seqs()]).toEqual([[], [2, 3]]);
  rig.reopen({ killed: true });
  expect([rig.seqs(), rig.seqs("q")]).toEqual([[2], [2]]);
});

test("the same id again, held, acknowledged, or stored meanwhile, is one message; each who sent it is told", () => {
  const other = { accepted: vi.fn<(id: string) => void>() };
  rig.hold("1");
  expect(rig.post.take(message("1", { body: "other" }), other, true)).toBe("known");
  expect(rig.hold("1")).toBe("known");
  expect(rig.held()).toEqual([2]);
  rig.post.acknowledge("r", 2);
  expect(other.accepted.mock.calls).toEqual([["1"]]);
  expect(rig.accepted).toEqual(["1"]);
  expect(rig.hold("1")).toBe("known");
  expect(rig.store("1")).toBe("known");
  expect(rig.accepted).toEqual(["1", "1", "1"]);
  rig.hold("2");
  rig.post.leave("r");
  expect(rig.hold("2")).toBe("known");
  expect(rig.accepted).toHaveLength(3);
  rig.commit();
  expect(rig.accepted).toEqual(["1", "1", "1", "2", "2"]);
  expect(rig.post.depth().all).toBe(1);
});

test("ids in memory are remembered for their sender's newest, and for a while", () => {
  for (const id of ["1", "2", "3", "4", "5", "6"]) rig.hold(id);
  rig.post.acknowledge("r", 7);
  // Of three at least and six at most; the warm-up was the first.
  for (const id of ["4", "5", "6"]) expect(rig.hold(id)).toBe("known");
  expect(rig.hold("1")).toBe("taken");
  rig.post.acknowledge("r", 8);
  rig.clock = 1_000;
  rig.post.sweep();
  expect(rig.hold("1")).toBe("known");
  rig.clock = 2_000;
  rig.post.sweep();
  expect(rig.hold("1")).toBe("taken");
});

test("quota and shares are of memory and store together", () => {
  rig.hold("1", { share: 0.2 });
  rig.post.leave("r");
  rig.post.acknowledge("r", 2);
  rig.store("2", { share: 0.2 });
  rig.post.acknowledge("r", 3);
  rig.store("3", { share: 0.2 });
  rig.hold("4", { share: 0.2 });
  expect(rig.hold("5", { share: 0.2 })).toBe("full");
  for (let i = 0; i < 8; i++) expect(rig.hold(`a${i}`, { sender: "t" })).toBe("taken");
  expect(rig.hold("b", { sender: "u" })).toBe("full");
  rig.post.acknowledge("r", 13);
  expect(rig.hold("b", { sender: "u", body: "x".repeat(101) })).toBe("full");
  expect(rig.hold("b", { sender: "u", body: "x".repeat(100) })).toBe("taken");
});

test("memory is bounded for all receivers together", () => {
  rig.reopen({ held: 8 });
  for (const receiver of ["o", "q", "p"]) {
    rig.warm(receiver);
    rig.hold("1", { receiver });
  }
  expect([rig.held("o"), rig.held("q"), rig.held("p")].map((held) => held.length)).toEqual([1, 1, 0]);
  expect(rig.seqs("p")).toHaveLength(1);
});

test("no seq that was given comes again after a kill, and none is left out after an end in good order", () => {
  /** Highest seq that a receiver can have seen. */
  let seen = 0;
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < 23; i++) {
      rig.hold(`${round} ${i}`);
      if (i % 5 === 4) rig.commit();
      const { held, durable, given } = rig.post.box("r");
      for (const { seq } of held) expect(seq).toBeGreaterThan(seen);
      seen = Math.max(seen, durable, ...held.map(({ seq }) => seq));
      rig.post.acknowledge("r", given);
    }
    const { given } = rig.post.box("r");
    const killed = round % 2 === 0;
    rig.reopen({ killed });
    if (!killed) expect(rig.post.box("r").given).toBe(given);
    expect(rig.post.box("r").given).toBeGreaterThanOrEqual(seen);
    rig.warm();
  }
  expect(seen).toBeGreaterThan(6 * 23);
});

test("a seq is given without the store only once its reservation is durable", () => {
  rig.reopen({ killed: true });
  // Away while it gets its mail: nothing was reserved.
  rig.hold("1");
  rig.hold("2");
  expect([rig.held(), rig.seqs().length]).toEqual([[], 2]);
  rig.commit();
  const { given, reserved } = rig.post.box("r");
  expect(reserved).toBeGreaterThan(given);
  rig.post.acknowledge("r", given);
  // Without a commit the next reservation never takes force, and what is beyond the last goes to the store.
  for (let i = 0; i < 20; i++) rig.hold(`a${i}`, { body: "x" });
  expect(Math.max(...rig.held(), 0)).toBeLessThanOrEqual(reserved);
  expect(Math.max(...rig.seqs())).toBe(rig.post.box("r").given);
});
