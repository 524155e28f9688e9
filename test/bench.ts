/**
 * `npm run bench [-- --json] [NAME ...]`: what the parts cost, as ratios of one run on one machine. Prints; no test asserts a time.
 * Each part is a file of test/bench/ with `measure`; without a name all are measured, one after the other.
 */
import { measure as measureBridge } from "./bench/bridge.ts";
import { measure as measurePage } from "./bench/page.ts";
import { measure as measurePath } from "./bench/path.ts";
import { measure as measureSigning } from "./bench/signing.ts";

type Measure = () => Promise<{ lines: string[]; figures: Record<string, number> }>;
const PARTS: Readonly<Record<string, Measure>> = {
  signing: measureSigning,
  path: measurePath,
  bridge: measureBridge,
  page: measurePage,
};

const asked = process.argv.slice(2).filter((argument) => argument !== "--json");
const isJson = process.argv.includes("--json");
const unknown = asked.filter((name) => !Object.hasOwn(PARTS, name));
if (unknown.length > 0) {
  process.stderr.write(`There is no bench ${unknown.join(", ")}; there are ${Object.keys(PARTS).join(", ")}.\n`);
  process.exit(2);
}
const figures: Record<string, number> = {};
for (const [name, measure] of Object.entries(PARTS)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  const measured = await measure();
  Object.assign(figures, measured.figures);
  if (!isJson) process.stdout.write(`${measured.lines.join("\n")}\n`);
}
if (isJson) process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`);
