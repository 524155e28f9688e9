import { expect, test } from "vitest";
import type { Alarm } from "../log-alarm.ts";
import type { StoredLog } from "../log-memory.ts";
import { alarmSentence, evidenceText, findingOf, lateSentence, recordLine } from "./log-words.ts";
import { NOW } from "./sample-request.ts";

const alarm = (changes: Partial<Alarm> = {}): Alarm => ({
  kind: "split",
  person: null,
  known: "log\n7\nroot\n\n\u2014 log signature\n",
  shown: "log\n7\nother\n\n\u2014 log signature\n",
  at: NOW,
  notified: true,
  ...changes,
});
const BOBS = alarm({ kind: "witness", person: "Bob" });
const log = (changes: Partial<StoredLog> = {}): StoredLog => {
  const head = { size: 1204, root: "ab".repeat(32) };
  return { head, note: null, at: NOW, heads: [head], unprovenSince: null, unprovenSize: 0, syncs: [], ...changes };
};

test("whose browser has seen otherwise is said, each once", () => {
  const sentence = (...alarms: Alarm[]) => alarmSentence(alarms).match(/what (.*) has seen/)?.[1];
  expect(sentence(alarm())).toBe("this browser");
  expect(sentence(BOBS)).toBe("Bob's browser");
  expect(sentence(BOBS, alarm(), alarm({ kind: "behind" }), BOBS)).toBe("this browser and Bob's browser");
});

test("each finding has its own words", () => {
  const findings = [alarm(), BOBS, alarm({ kind: "behind" })].map(findingOf);
  expect(new Set(findings).size).toBe(3);
  expect(findings[1]).toContain("Bob");
});

test("the evidence has both checkpoints whole, of every alarm", () => {
  const text = evidenceText([alarm(), alarm({ kind: "behind", shown: "e30.e30.AA" })]);
  for (const part of [alarm().known.trimEnd(), alarm().shown.trimEnd(), "e30.e30.AA", "Answered by the agent:"])
    expect(text).toContain(part);
});

test("the quiet line says how much and when, with the day where it is long ago", () => {
  expect(recordLine(log(), NOW + 60, "UTC")).toMatch(/^Record: 1,204 entries, last checked \d\d:\d\d$/);
  expect(recordLine(log(), NOW + 86_400, "UTC")).toContain("2026");
  expect(recordLine(log({ head: { size: 1, root: "" } }), NOW, "UTC")).toContain("1 entry,");
});

test("after ten minutes without a proof it is told, with whom to call", () => {
  const since = (unprovenSince: number | null, after: number) =>
    lateSentence(log({ unprovenSince }), NOW + after, "Olga");
  expect([since(null, 9999), since(NOW, 599)]).toEqual(["", ""]);
  expect(since(NOW, 600)).toMatch(/^Since \d\d:\d\d the agent .* Before you approve anything, call: Olga$/);
  expect(since(NOW, 13 * 3600)).toMatch(/^Since \w{3}, \d+ \w{3} \d{4}/);
});
