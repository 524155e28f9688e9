/**
 * `npm run fuzz`: a million inputs for the parsers of everything that comes from outside; status 1 where one of them crashed, hung, or
 * accepted what is not canonical. `--inputs N` in all, `--target NAME`, `--seed N`; `--only NUMBER` runs one input of a target again.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { type Outcome, runTarget } from "./engine.ts";
import { ENTRIES, shares } from "./targets.ts";
import type { Finding } from "./worker.ts";

/** Findings of one target that are printed in full. */
const SHOWN = 5;

const number = (text: string): number => {
  if (!/^[0-9]{1,10}$/.test(text)) throw new RangeError(`${text} is no number`);
  return Number(text);
};
const { values } = parseArgs({
  options: {
    inputs: { type: "string", default: "1000000" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 4_294_967_296)) },
    target: { type: "string" },
    only: { type: "string" },
  },
});
const seed = number(values.seed);
const chosen = ENTRIES.filter(({ name }) => values.target === undefined || name === values.target);
if (chosen.length === 0)
  throw new RangeError(`no target ${values.target}; there are ${ENTRIES.map(({ name }) => name).join(", ")}`);

process.stdout.write(`seed ${seed}\n${row("target", "inputs", "accepted", "refused", "slowest-ms")}`);
const outcomes: Outcome[] = [];
const waiting = [...chosen];
await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, runNext));

async function runNext(): Promise<void> {
  for (let entry = waiting.shift(); entry !== undefined; entry = waiting.shift()) {
    const [from, to] = range(entry.name);
    const outcome = await runTarget(entry.name, seed, from, to);
    outcomes.push(outcome);
    const { target, inputs, accepted, refused, slowest, findings } = outcome;
    process.stdout.write(row(target, inputs, accepted, refused, slowest.toFixed(1)));
    for (const finding of findings.slice(0, SHOWN)) process.stdout.write(describe(target, finding));
  }
}

function range(name: string): [from: number, to: number] {
  if (values.only !== undefined) return [number(values.only), number(values.only) + 1];
  const total = number(values.inputs);
  return [0, chosen.length === 1 ? total : (shares(total).get(name) ?? 0)];
}

function row(target: string, ...rest: (string | number)[]): string {
  return `${target.padEnd(22)}${rest.map((one) => String(one).padStart(12)).join("")}\n`;
}

function describe(target: string, { kind, number, what, input }: Finding): string {
  const again = `--target ${target} --seed ${seed} --only ${number}`;
  return `  ${kind} at ${number} (${again})\n    ${what.replaceAll("\n", "\n    ")}\n    input ${JSON.stringify(input)}\n`;
}

const count = (kind: Finding["kind"]) =>
  outcomes.flatMap(({ findings }) => findings).filter((finding) => finding.kind === kind).length;
const inputs = outcomes.reduce((sum, outcome) => sum + outcome.inputs, 0);
process.stdout.write(
  `fuzz ${inputs} inputs, crashes ${count("crash")}, hangs ${count("hang")}, non-canonical ${count("non-canonical")}\n`,
);
process.exitCode = outcomes.some(({ findings }) => findings.length > 0) ? 1 : 0;
