import { expect, test } from "vitest";
import { planKills } from "./plan.ts";
import { AGENT_POINTS, BRIDGE_POINTS } from "./points.ts";

test("the seed alone decides", () => {
  expect(planKills(1, 60)).toEqual(planKills(1, 60));
  expect(planKills(1, 60)).not.toEqual(planKills(2, 60));
});

test("so many kills, and one of each kind at least", () => {
  for (const count of [25, 60, 220]) {
    const kills = planKills(3, count);
    expect(kills).toHaveLength(count);
    expect(new Set(kills.map(({ what }) => what))).toEqual(
      new Set(["point", "random", "start", "server", "browser", "disk"]),
    );
  }
});

test("a long run aims at every named point, at most of them several times", () => {
  const points = planKills(4, 220).flatMap((kill) => (kill.what === "point" ? [`${kill.part} ${kill.point}`] : []));
  const all = [...AGENT_POINTS.map((point) => `agent ${point}`), ...BRIDGE_POINTS.map((point) => `bridge ${point}`)];
  expect(new Set(points)).toEqual(new Set(all));
  expect(points.length).toBeGreaterThan(2 * all.length);
});

test("each point is aimed at once at the first time that a process comes there: some are seldom come to", () => {
  const first = planKills(5, 220).flatMap((kill) => (kill.what === "point" && kill.nth === 1 ? [kill.point] : []));
  expect(new Set(first)).toEqual(new Set([...AGENT_POINTS, ...BRIDGE_POINTS]));
});
