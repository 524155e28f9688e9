/** `npm run soak [-- --seed N] [--requests N] [--approvers N]`: prints how it goes, and at the end one line. Status 1 where something is wrong. */
import { parseArgs } from "node:util";
import { judged, summary } from "./report.ts";
import { soak } from "./soak.ts";

/** Requests from which on growth is judged. */
const LONG = 2_000;

const { values } = parseArgs({
  options: { seed: { type: "string" }, requests: { type: "string" }, approvers: { type: "string" } },
});
const seed = numberOf(values.seed, Date.now() % 1_000_000);
const requests = numberOf(values.requests, 10_000);
const approvers = numberOf(values.approvers, 50);
process.stdout.write(`seed ${seed}\n`);
const report = await soak({ seed, requests, approvers, say: (line) => process.stdout.write(`${line}\n`) });
const wrong = judged(report, requests, requests >= LONG);
for (const line of wrong) process.stdout.write(`${line} (seed ${seed})\n`);
process.stdout.write(`${summary(report)}\n`);
process.exit(wrong.length === 0 ? 0 : 1);

function numberOf(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new RangeError(`${text} is no number from 1`);
  return Number(text);
}
