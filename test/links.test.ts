/** Every relative link and picture of the documents leads to a file of the project. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "./harness/program.ts";

const documents = globSync("{*.md,docs/**/*.md,protocol/**/*.md}", { cwd: ROOT });

test.each(documents)("%s", (document) => {
  const text = readFileSync(join(ROOT, document), "utf8");
  const targets = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, target = ""]) => target);
  const missing = targets
    .filter((target) => !/^https?:/.test(target))
    .filter((target) => !existsSync(join(ROOT, dirname(document), target)));
  expect(missing).toEqual([]);
});

test("there are documents", () => {
  expect(documents.length).toBeGreaterThanOrEqual(5);
});
