import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { onSignal, STOP_BOUND } from "./stop.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function stopping(close: () => Promise<void>) {
  const exits: number[] = [];
  const lines: unknown[] = [];
  const write = (...line: unknown[]) => lines.push(...line);
  const log = { info: write, warn: write, error: write };
  return { exits, lines, signal: onSignal({ close, exit: (code) => exits.push(code), log }) };
}
const never = () => new Promise<void>(() => undefined);

test("it ends when everything is closed", async () => {
  const { exits, signal } = stopping(() => Promise.resolve());
  signal("SIGTERM");
  expect(exits).toEqual([]);
  await vi.advanceTimersByTimeAsync(0);
  expect(exits).toEqual([0]);
});

test("a close that hangs is bounded", async () => {
  const { exits, signal } = stopping(never);
  signal("SIGTERM");
  await vi.advanceTimersByTimeAsync(STOP_BOUND - 1);
  expect(exits).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(exits).toEqual([0]);
});

test("a second signal, of either kind, ends it at once", () => {
  const { exits, signal } = stopping(never);
  signal("SIGINT");
  signal("SIGTERM");
  expect(exits).toEqual([0]);
});

test("a close that fails is told by name only", async () => {
  const { exits, lines, signal } = stopping(() => Promise.reject(new TypeError("secret")));
  signal("SIGTERM");
  await vi.advanceTimersByTimeAsync(0);
  expect(exits).toEqual([1]);
  expect(lines).toContainEqual({ cause: "TypeError" });
  expect(JSON.stringify(lines)).not.toContain("secret");
});
