/**
 * The verifier in another language (test/verifier, Python's standard library alone) agrees with the vectors on logs, checkpoints, charters
 * and proofs. It needs python3, and fails where there is none: what nobody else can verify is not proved.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

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
  writeFileSync(join(folder, "proof.json"), JSON.stringify(changed));
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

test("one bit changed anywhere is refused", () => {
  const { fingerprint, valid } = proofs();
  const file = Buffer.from(valid[0]?.file ?? "");
  const checks = Array.from({ length: 12 }, (_, part) => {
    const changed = Buffer.from(file);
    const at = Math.floor((part * file.length) / 12) + part;
    changed[at] = (changed[at] ?? 0) ^ (1 << (part % 7));
    const path = join(folder, `proof-${part}`);
    writeFileSync(path, changed);
    return python("verify.py", "proof", path, "--hsm", fingerprint).code;
  });
  expect(checks).toEqual(checks.map(() => 1));
});
