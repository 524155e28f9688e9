/** `npm run redteam`: every attack of the table against running parts, a line each, and at the end how many there were and how many got through. */
import type { Result } from "./conduct.ts";
import { GROUPS } from "./groups.ts";

const results: Result[] = [];
for (const { name, conducted } of GROUPS) {
  process.stdout.write(`${name}\n`);
  await conducted((result) => {
    results.push(result);
    const outcome = result.faults.length === 0 ? "refused" : result.through > 0 ? "THROUGH" : "NOT AS DECLARED";
    process.stdout.write(`  ${outcome}  ${result.id} (${result.tries} tries)\n`);
    for (const fault of result.faults) process.stdout.write(`    ${fault}\n`);
  });
}
const through = results.filter((result) => result.through > 0).length;
const faulty = results.filter((result) => result.faults.length > 0).length;
if (faulty > through) process.stdout.write(`${faulty - through} attacks did not go as the table says\n`);
process.stdout.write(`attacks ${results.length}, through ${through}\n`);
process.exit(faulty === 0 ? 0 : 1);
