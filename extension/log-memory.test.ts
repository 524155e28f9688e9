import { expect, test } from "vitest";
import { LogDouble } from "./log-double.ts";
import { isLate, judge, restored, type Shown, type StoredLog, withSync } from "./log-memory.ts";

const NOW = 1_795_338_000;
const log = new LogDouble("origin").grow(200);

const shown = (from: number, size: number, of = log): Shown => ({
  head: of.head(size),
  note: `note of ${size}`,
  from,
  consistency: of.consistency(from, size),
});
/** What is known after the views of these sizes, each from the one before. */
function knowing(...sizes: number[]): StoredLog {
  let known: StoredLog | undefined;
  for (const size of sizes) {
    const verdict = judge(known, shown(known?.head.size ?? 0, size), NOW);
    if (verdict.is !== "accepted") throw new Error(verdict.is);
    known = verdict.log;
  }
  if (known === undefined) throw new Error("nothing known");
  return known;
}
const verdict = (known: StoredLog, next: Shown) => judge(known, next, NOW + 60).is;
const forked = log.fork(3).grow(50, "Eve");

test("the first is taken as it is, whatever it says that it goes on from", () => {
  expect(judge(undefined, shown(3, 7), NOW)).toMatchObject({ is: "accepted", log: { head: log.head(7), at: NOW } });
});

test("a newer one that goes on from what is known takes its place, over any number of entries", () => {
  for (const [from, to] of [
    [1, 2],
    [4, 7],
    [7, 64],
    [64, 65],
    [99, 200],
  ] as const) {
    const after = judge(knowing(from), shown(from, to), NOW + 60);
    expect(after).toMatchObject({ is: "accepted", log: { head: log.head(to), note: `note of ${to}`, at: NOW + 60 } });
  }
});

test("of one size there is one root", () => {
  expect(verdict(knowing(7), shown(0, 7))).toBe("accepted");
  expect(verdict(knowing(7), shown(7, 7, forked))).toBe("split");
});

test("a newer one that does not go on from what is known is a split", () => {
  expect(verdict(knowing(7), shown(7, 20, forked))).toBe("split");
  expect(verdict(knowing(7), { ...shown(7, 20), consistency: [] })).toBe("split");
  expect(verdict(knowing(3), shown(3, 20, forked))).toBe("accepted");
});

test("an older one changes nothing, and must have been so where that is still known", () => {
  const known = knowing(4, 7, 20);
  expect([4, 7, 5].map((size) => verdict(known, shown(0, size)))).toEqual(["older", "older", "older"]);
  expect([4, 7].map((size) => judge(known, shown(0, size, forked), NOW))).toEqual([
    { is: "split", known: log.head(4) },
    { is: "split", known: log.head(7) },
  ]);
});

test("64 heads are remembered", () => {
  const known = knowing(...Array.from({ length: 70 }, (_, at) => at + 4));
  expect([known.heads.length, known.heads[0]?.size, known.heads.at(-1)?.size]).toEqual([64, 10, 73]);
});

test("one from elsewhere proves nothing: what is known stays, and since when is remembered", () => {
  const known = knowing(7);
  const first = judge(known, shown(5, 20), NOW + 60);
  if (first.is !== "unproven") throw new Error(first.is);
  expect(first.log).toEqual({ ...known, unprovenSince: NOW + 60, unprovenSize: 20 });
  expect(judge(first.log, shown(5, 19, forked), NOW + 300)).toEqual(first);
  expect([isLate(first.log, NOW + 659), isLate(first.log, NOW + 660), isLate(known, NOW + 9999)]).toEqual([
    false,
    true,
    false,
  ]);
  expect(judge(first.log, shown(7, 20), NOW + 700)).toMatchObject({ is: "accepted", log: { unprovenSince: null } });
});

test("older views that were kept back and hold do not stand for the proof of a larger one", () => {
  const waits = judge(knowing(7), shown(5, 20, forked), NOW);
  if (waits.is !== "unproven") throw new Error(waits.is);
  let known = waits.log;
  for (const size of [8, 12, 19]) {
    const next = judge(known, shown(known.head.size, size), NOW + size * 60);
    if (next.is !== "accepted") throw new Error(next.is);
    known = next.log;
    expect(isLate(known, NOW + 1200)).toBe(true);
  }
  expect(judge(known, shown(19, 20), NOW)).toMatchObject({ log: { unprovenSince: null, unprovenSize: 0 } });
  expect(restored(known, log.head(30), false, NOW)).toMatchObject({ unprovenSince: null, unprovenSize: 0 });
});

test("eight syncs are remembered", () => {
  let known = knowing(7);
  for (let at = 0; at < 10; at += 1) known = withSync(known, String(at));
  expect(known.syncs).toEqual(["2", "3", "4", "5", "6", "7", "8", "9"]);
});

test("what the admins have decided takes the place of what was known beyond it", () => {
  const decided = log.head(10);
  const fresh = {
    head: decided,
    note: null,
    at: NOW,
    heads: [decided],
    unprovenSince: null,
    unprovenSize: 0,
    syncs: [],
  };
  const after = (known: StoredLog, alarmed: boolean) => restored(withSync(known, "sync"), decided, alarmed, NOW);
  expect(after(knowing(4, 20), false)).toEqual(fresh);
  expect(after(knowing(4, 20), true)).toEqual(fresh);
  expect(after({ ...knowing(10), head: forked.head(10) }, false)).toEqual(fresh);
  expect(after(knowing(4), true)).toEqual(fresh);
  expect(after(knowing(4), false)).toEqual(knowing(4));
  expect(after(knowing(4, 10), true)).toEqual(knowing(4, 10));
});
