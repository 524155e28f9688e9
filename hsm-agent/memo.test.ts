import { expect, test } from "vitest";
import { Memo } from "./memo.ts";

test("what was said last counts, whichever half it stands in", () => {
  const memo = new Memo<number>(4);
  memo.set("a", 1);
  memo.set("b", 2);
  memo.set("c", 3);
  // "a" is in the older half now.
  memo.set("a", 10);
  expect(memo.get("a")).toBe(10);
  expect(memo.get("b")).toBe(2);
});

test("no more than so many are kept, and those that were asked for lately are", () => {
  const memo = new Memo<number>(100);
  for (let n = 0; n < 1_000; n += 1) {
    memo.set(`${n}`, n);
    expect(memo.get("0")).toBe(0);
  }
  const kept = Array.from({ length: 1_000 }, (_, n) => memo.get(`${n}`)).filter((value) => value !== undefined);
  expect(kept.length).toBeLessThanOrEqual(101);
  expect(kept.length).toBeGreaterThan(0);
});

test("deleted, it is in neither half", () => {
  const memo = new Memo<number>(2);
  memo.set("a", 1);
  memo.set("b", 2);
  memo.set("b", 3);
  for (const name of ["a", "b"]) memo.delete(name);
  expect([memo.get("a"), memo.get("b")]).toEqual([undefined, undefined]);
});

test("cleared, nothing is known", () => {
  const memo = new Memo<number>(2);
  for (const name of ["a", "b", "c"]) memo.set(name, 1);
  memo.clear();
  expect(["a", "b", "c"].map((name) => memo.get(name))).toEqual([undefined, undefined, undefined]);
});
