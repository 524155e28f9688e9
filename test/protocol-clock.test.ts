/** The fence that the linter cannot be: protocol/ reads no clock by a call without arguments. The others: fences.test.ts. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");

/** `new Date()` and `Date()` read the clock; the linter has no rule for a call without arguments. */
const READS_CLOCK = /\bDate\s*\(\s*\)|\bnew\s+Date\s*(?![\s(\w])/;

test("protocol/ asks no clock by way of Date()", () => {
  expect(["new Date()", "new Date ( )", "Date()", "new Date;"].every((code) => READS_CLOCK.test(code))).toBe(true);
  expect(["new Date(0)", "new Date(now)", "Date.parse(x)"].some((code) => READS_CLOCK.test(code))).toBe(false);
  const files = readdirSync(join(ROOT, "protocol"), { recursive: true, encoding: "utf8" }).filter(
    (file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && !file.startsWith("vectors"),
  );
  expect(files.length).toBeGreaterThan(0);
  expect(files.filter((file) => READS_CLOCK.test(readFileSync(join(ROOT, "protocol", file), "utf8")))).toEqual([]);
});
