import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { Turn } from "./turn.ts";

test("work runs at the end of the turn, in order, and what it asks for at the same end", async () => {
  const turn = new Turn();
  const done: string[] = [];
  turn.later(() => {
    done.push("a");
    turn.later(() => done.push("c"));
  });
  turn.later(() => done.push("b"));
  expect(done).toEqual([]);
  await new Promise(setImmediate);
  expect(done).toEqual(["a", "b", "c"]);
});

test("the clock stands still within a turn, and goes on with the next", async () => {
  const turn = new Turn();
  const [clock, now] = [turn.clock(), turn.now()];
  const until = performance.now() + 20;
  while (performance.now() < until);
  expect([turn.clock(), turn.now()]).toEqual([clock, now]);
  await setTimeout(5);
  expect(turn.clock()).toBeGreaterThanOrEqual(clock + 20);
  expect(Math.abs(turn.now() - Date.now() / 1000)).toBeLessThan(60);
});
