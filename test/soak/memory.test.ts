import { expect, test } from "vitest";
import { growthOf } from "./memory.ts";

const line = (...held: number[]) => held.map((bytes, at) => ({ work: at * 10, held: bytes, rss: 2 * bytes }));

test("what grows is told by how much over the whole span, and noise is not growth", () => {
  expect(growthOf(line(100, 110, 120, 130), "held")).toBeCloseTo(30);
  expect(growthOf(line(100, 110, 120, 130), "rss")).toBeCloseTo(60);
  expect(growthOf(line(130, 120, 110, 100), "held")).toBeCloseTo(-30);
  expect(growthOf(line(100, 100, 100), "held")).toBe(0);
  // One look at a bad moment in the middle is none.
  expect(growthOf(line(100, 100, 400, 100, 100), "held")).toBeCloseTo(0);
});

test("one look or none tells of no growth", () => {
  expect(growthOf(line(100), "held")).toBe(0);
  expect(growthOf([], "held")).toBe(0);
});
