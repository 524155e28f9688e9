/**
 * A short form of `npm run soak`: requests and approvals of many through bridge and agent over a bad network on both sides. Nothing is
 * lost, nothing is signed twice, everything comes to its end. Whether memory grows is seen in the long form only.
 */
import { afterAll, expect, test } from "vitest";
import { judged } from "./soak/report.ts";
import { soak } from "./soak/soak.ts";

const REQUESTS = 200;

const lines: string[] = [];
afterAll(() => {
  if (lines.length > 0) process.stdout.write(`${lines.join("\n")}\n`);
});

test("200 requests of 10 approvers over a bad network", { timeout: 900_000 }, async () => {
  const seed = Date.now() % 1_000_000;
  const report = await soak({ seed, requests: REQUESTS, approvers: 10, say: (line) => lines.push(line) });
  expect(report.approvals).toBeGreaterThan(REQUESTS);
  expect({ seed, wrong: judged(report, REQUESTS, false) }).toEqual({ seed, wrong: [] });
  lines.length = 0;
});
