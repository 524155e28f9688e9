/** Mozilla's own checks of the Firefox build, as web-ext makes them: no network is needed. Each warning that stays has its reason here. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { FIREFOX_EXTENSION } from "./harness/firefox.ts";
import { ROOT } from "./harness/program.ts";

interface Finding {
  readonly code: string;
  readonly file: string;
  readonly line: number;
}

/** Code and number of warnings that are known. */
const KNOWN: Readonly<Record<string, number>> = {
  // Preact's own code for dangerouslySetInnerHTML, which no page uses.
  UNSAFE_VAR_ASSIGNMENT: 1,
};

test("web-ext finds no error, and no warning but those that are known", async () => {
  if (!existsSync(FIREFOX_EXTENSION)) throw new Error('The Firefox extension is not built; run "npm run build".');
  const words = ["lint", "--self-hosted", "--no-input", "--no-config-discovery", "--output", "json"];
  const { stdout } = await promisify(execFile)(join(ROOT, "node_modules/.bin/web-ext"), [
    ...words,
    "--source-dir",
    FIREFOX_EXTENSION,
  ]);
  const found = JSON.parse(stdout) as Record<"errors" | "notices" | "warnings", Finding[]>;
  expect(found.errors).toEqual([]);
  expect(found.notices).toEqual([]);
  const counts = Object.entries(Object.groupBy(found.warnings, ({ code }) => code));
  expect(Object.fromEntries(counts.map(([code, ones]) => [code, ones?.length]))).toEqual(KNOWN);
});
