/** `npm run crash [-- --seed N] [--kills N]`: prints each kill, and at the end one line of numbers. Status 1 where one is not 0 that must be. */
import { parseArgs } from "node:util";
import { judged, summary } from "./report.ts";
import { siege } from "./siege.ts";

const KILLS = 220;

const { values } = parseArgs({ options: { seed: { type: "string" }, kills: { type: "string" } } });
const seed = numberOf(values.seed, Date.now() % 1_000_000);
const kills = numberOf(values.kills, KILLS);
process.stdout.write(`seed ${seed}\n`);
const report = await siege({ seed, kills, say: (line) => process.stdout.write(`${line}\n`) });
const wrong = judged(report, kills >= KILLS);
for (const line of wrong) process.stdout.write(`${line} (seed ${seed})\n`);
process.stdout.write(`${summary(report)}\n`);
process.exit(wrong.length === 0 ? 0 : 1);

function numberOf(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new RangeError(`${text} is no number from 1`);
  return Number(text);
}
