/** docs/outcomes.md is what the suite's cases say, and every picture in it is there and small. `UPDATE=1` writes it anew. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DEVICES, renderOutcomes } from "./harness/outcome-document.ts";

const DOCS = join(import.meta.dirname, "../docs");
const FILE = join(DOCS, "outcomes.md");
const MAX_PICTURE = 60_000;

test("the committed table is the generated one (UPDATE=1 node_modules/.bin/vitest run test/outcomes.test.ts)", () => {
  if (process.env["UPDATE"] === "1") writeFileSync(FILE, renderOutcomes());
  expect(readFileSync(FILE, "utf8")).toBe(renderOutcomes());
});

test("one picture for each outcome, made by npm run pictures", () => {
  const pictures = [...renderOutcomes().matchAll(/\]\((images\/[^)]+)\)/g)].map(([, path]) => path ?? "");
  for (const path of pictures) expect(statSync(join(DOCS, path)).size, path).toBeLessThanOrEqual(MAX_PICTURE);
});

test.each(DEVICES)("the suite drives $vendor $name through all of it", ({ vendor, name }) => {
  const spec = readFileSync(join(import.meta.dirname, `devices-${vendor.toLowerCase()}.spec.ts`), "utf8");
  expect(spec.replaceAll(/\s/g, "")).toContain(`drivesEveryOutcome("${name}"`.replaceAll(" ", ""));
});
