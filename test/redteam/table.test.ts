import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { GROUPS } from "./groups.ts";
import { withTable } from "./table.ts";

const FILE = new URL("../../SECURITY.md", import.meta.url);
const attacks = GROUPS.flatMap((group) => group.attacks);

test("SECURITY.md has the table that the attacks declare", () => {
  const text = readFileSync(FILE, "utf8");
  const made = withTable(text, GROUPS);
  if (process.env["UPDATE"] === "1") writeFileSync(FILE, made);
  else expect(text).toBe(made);
});

test("at least 60 attacks, each with its own name", () => {
  expect(attacks.length).toBeGreaterThanOrEqual(60);
  expect(new Set(attacks.map(({ id }) => id)).size).toBe(attacks.length);
});
