/**
 * The verifier in another language (test/verifier, Python's standard library alone) agrees with the vectors on logs, checkpoints, charters
 * and proofs, and with this one on proofs that were changed in all sorts of ways. It needs python3, and fails where there is none: what
 * nobody else can verify is not proved.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { verifyProof } from "../protocol/proof.ts";
import type { TransferRequest } from "../protocol/request.ts";
import { beyondBounds, flipped, mutated } from "./harness/proof-mutants.ts";

const VERIFIER = fileURLToPath(new URL("verifier/", import.meta.url));
const VECTORS = fileURLToPath(new URL("../protocol/vectors/", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "opencustody-verifier-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Proofs {
  readonly fingerprint: string;
  readonly valid: { readonly what: string; file: string }[];
  readonly refused: { what: string; step: string }[];
}
const proofs = (): Proofs => JSON.parse(readFileSync(join(VECTORS, "proof.json"), "utf8")) as Proofs;

/** -B: it leaves no compiled files beside its sources. */
function python(...parts: string[]): { code: number | null; lines: string[] } {
  const [program = "", ...rest] = parts;
  const { status, stdout, stderr, error } = spawnSync("python3", ["-B", join(VERIFIER, program), ...rest], {
    encoding: "utf8",
  });
  if (error !== undefined) throw error;
  return { code: status, lines: `${stdout}${stderr}`.trim().split("\n") };
}

test("it agrees on every vector of logs, charters and proofs", () => {
  const { code, lines } = python("vectors.py", VECTORS);
  const [, count] = /^(\d+) vectors, 0 disagreements$/.exec(lines.join("\n")) ?? [];
  expect(Number(count), lines.join("\n")).toBeGreaterThan(400);
  expect(code).toBe(0);
});

test("it disagrees where a vector is wrong", () => {
  cpSync(VECTORS, folder, { recursive: true, filter: (path) => !path.endsWith(".ts") });
  const changed = proofs();
  const [first] = changed.refused;
  if (first === undefined) throw new Error("no vectors");
  first.step = "outcome";
  const [good] = changed.valid;
  if (good === undefined) throw new Error("no vectors");
  good.file = good.file.replace('"index":', '"index":1');
  // No more of them than it takes.
  writeFileSync(join(folder, "proof.json"), JSON.stringify({ ...changed, valid: [good], refused: [first] }));
  const { code, lines } = python("vectors.py", folder);
  expect(code).toBe(1);
  expect(lines.at(-1)).not.toContain(" 0 disagreements");
  expect(lines.some((line) => line.startsWith(`disagrees: proof: ${good.what}: log`))).toBe(true);
});

test("it verifies one file, and names the step that fails", () => {
  const { fingerprint, valid } = proofs();
  const path = join(folder, "proof");
  writeFileSync(path, valid[0]?.file ?? "");
  const good = python("verify.py", "proof", path, "--hsm", fingerprint);
  expect(good.code).toBe(0);
  expect(good.lines).toHaveLength(11);
  expect(good.lines.at(-1)).toBe("transaction: ok");
  const other = python("verify.py", "proof", path, "--hsm", "0".repeat(64));
  expect(other.code).toBe(1);
  expect(other.lines.at(-1)).toBe("identity: another HSM's fingerprint");
});

/** Of a file that nobody signed anew the bytes are what they were: no chain library is asked to read them again. */
const decode = ({ effect }: TransferRequest) => effect;

/** What this verifier and the other make of each file: the step that fails, or `ok`. One process for all of them. */
async function verdicts(files: readonly string[]): Promise<{ ours: string[]; theirs: string[] }> {
  const { fingerprint: hsm } = proofs();
  const ours = await Promise.all(
    files.map(async (file) => {
      const { ok, steps } = await verifyProof(Buffer.from(file), { fingerprint: hsm, decode });
      return ok ? "ok" : (steps.at(-1)?.name ?? "");
    }),
  );
  const input = files.map((file) => `${JSON.stringify({ file, hsm })}\n`).join("");
  const { stdout, stderr } = spawnSync("python3", ["-B", join(VERIFIER, "verdicts.py")], {
    input,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  expect(stderr).toBe("");
  return { ours, theirs: stdout.trimEnd().split("\n") };
}

test("both refuse the same changes to the form of several files, at the same step", async () => {
  const good = proofs().valid.map(({ file }) => file);
  const mutants = mutated(good, 200);
  const { ours, theirs } = await verdicts(mutants);
  expect(theirs).toEqual(ours);
  // An act at the end that nothing rests on may be left out.
  expect(ours.filter((step) => step === "ok").length).toBeLessThan(mutants.length / 10);
  expect(new Set(ours).size).toBeGreaterThan(6);
});

test("both refuse what is beyond a bound, and take what is at it", async () => {
  const [good = ""] = proofs().valid.map(({ file }) => file);
  const { at, beyond } = beyondBounds(good);
  const within = await verdicts(at);
  expect(within.theirs).toEqual(within.ours);
  expect(within.ours).not.toContain("form");
  const outside = await verdicts(beyond);
  expect(outside.ours).toEqual(beyond.map(() => "form"));
  expect(outside.theirs).toEqual(outside.ours);
});

test("one bit changed anywhere is refused by both", async () => {
  const files = proofs().valid.slice(0, 3);
  const mutants = files.flatMap(({ file }) => flipped(file, 20));
  const { ours, theirs } = await verdicts(mutants);
  expect(theirs).toEqual(ours);
  expect(ours).not.toContain("ok");
});
