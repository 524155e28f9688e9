/** Runs log.json against the code; vectors.test.ts counts its vectors and compares them with their generator. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { openCheckpoint } from "./checkpoint.ts";
import { entryText, parseEntry } from "./log-entry.ts";
import { isConsistent, isIncluded, leafHash } from "./merkle.ts";
import { LOGS } from "./vectors/log.ts";
import { VectorTree } from "./vectors/tree.ts";

test("every line is an entry in its one spelling, and makes the next root", () => {
  const tree = new VectorTree();
  expect(tree.head().root).toBe(LOGS.roots[0]);
  for (const [at, line] of LOGS.lines.entries()) {
    const entry = parseEntry(line);
    expect(entry && entryText(entry)).toBe(line);
    tree.add(line);
    expect(tree.head().root).toBe(LOGS.roots[at + 1]);
  }
});

test.each(LOGS.notEntries)("no entry: $what", ({ text }) => {
  expect(parseEntry(text ?? "")).toBeUndefined();
});

test("paths that hold, and paths that do not", () => {
  const holds = (p: (typeof LOGS.inclusion)[number]) => isIncluded(p.leaf, p.index, p.size, p.path, p.root);
  expect(LOGS.inclusion.filter((path) => !holds(path))).toEqual([]);
  expect(
    LOGS.inclusion.every(({ index, leaf }) => leafHash(new TextEncoder().encode(LOGS.lines[index])) === leaf),
  ).toBe(true);
  expect(LOGS.notIncluded.filter(holds)).toEqual([]);
  const follows = (p: (typeof LOGS.consistency)[number]) => isConsistent(p.from, p.fromRoot, p.size, p.root, p.path);
  expect(LOGS.consistency.filter((path) => !follows(path))).toEqual([]);
  expect(LOGS.notConsistent.filter(follows)).toEqual([]);
});

test("the examples of the specification are these", () => {
  const spec = readFileSync(new URL("README.md", import.meta.url), "utf8");
  const indented = (text: string) => text.replaceAll(/^(?=.)/gm, "    ");
  for (const line of [LOGS.lines[1], LOGS.lines[5]]) expect(spec).toContain(`\n${indented(line ?? "none")}\n`);
  expect(spec).toContain(indented(LOGS.checkpoints.find(({ what }) => what === "of this log")?.note ?? "none"));
});

describe("checkpoints", () => {
  const { origin, key } = LOGS;
  test.each(LOGS.checkpoints)("$what", async ({ note, size, root }) => {
    expect((await openCheckpoint(note, { origin, keys: [key] })).head).toEqual({ size, root });
  });
  const WHY = ["malformed.", "of another log", "size or root", /does not verify|no key that is known/];
  test.each(LOGS.refused)("step $step: $what", async ({ step, note }) => {
    const opening = openCheckpoint(note, { origin, keys: [key] });
    await expect(opening).rejects.toMatchObject({ code: "ERR_LOG" });
    await expect(opening).rejects.toThrow(WHY[step - 1]);
  });
});
