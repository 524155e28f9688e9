/**
 * A short form of `npm run crash`: agent, bridge, browser and PKCS#11 server killed under load, with power cuts and a disk that fails.
 * What was acknowledged is there, nothing is signed twice, and everything comes to its end. The seed is another one each time.
 */
import { afterAll, expect, test } from "vitest";
import { judged } from "./crash/report.ts";
import { siege } from "./crash/siege.ts";

const KILLS = 25;

const lines: string[] = [];
afterAll(() => {
  if (lines.length > 0) process.stdout.write(`${lines.join("\n")}\n`);
});

test("nothing lost, nothing signed twice, nothing stuck", { timeout: 600_000 }, async () => {
  const seed = Date.now() % 1_000_000;
  const report = await siege({ seed, kills: KILLS, say: (line) => lines.push(line) });
  expect(report.kills).toBeGreaterThanOrEqual(KILLS);
  expect({ seed, wrong: judged(report, false) }).toEqual({ seed, wrong: [] });
  lines.length = 0;
});
