/**
 * The CLI's commands about what can be proved: `proof export`, `proof verify`, `log verify`. Verifying a proof, or a log in a backup, needs no
 * agent, no configuration and no network: it is for whoever was given a file.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import * as v from "valibot";
import { Fault } from "../protocol/error.ts";
import { PROOF_STEPS, type Verdict } from "../protocol/proof.ts";
import { encodeProof, PROOF_MAX, type Proof } from "../protocol/proof-form.ts";
import type { Shell } from "./cli-shell.ts";
import { Journal } from "./journal.ts";
import { LogHeadSchema, LogPageSchema, type LogSource, sourceOf, type VerifiedLog, verifyLog } from "./log-verify.ts";
import { verifyFile } from "./proof.ts";
import { copyRecord } from "./record-copy.ts";

/** Adds `proof` and `log` with their subcommands. */
export function addProofCommands(program: Command, shell: Shell): void {
  const { ask, out, command } = shell;
  const proof = command(
    program,
    "proof",
    "what can be proved of one request",
    "opencustody proof verify proof.json --hsm 3f09…",
  );
  command(
    proof,
    "export <id>",
    "write all that a request rests on into one file, which anybody can verify without this agent",
    "opencustody proof export 01JDA7Q9T2M4XYZ0 --out proof.json",
  )
    .option("--out <file>", "a new file; without it the proof is printed")
    .action(async (id: string, { out: path }: { out?: string }) => {
      const made = (await ask({ command: "proof.export", id })) as Proof;
      if (path === undefined) return out(made, (value) => [encodeProof(value as Proof).trimEnd()]);
      writeNew(path, encodeProof(made));
      out({ file: path }, () => [`proof ${path}`]);
    });
  command(
    proof,
    "verify <file>",
    "verify a proof with nothing but the file and the HSM's fingerprint; ends with 0 where it holds, else with 1",
    `opencustody proof verify proof.json --hsm ${"0".repeat(64)}`,
  )
    .requiredOption("--hsm <fingerprint>", "64 hex digits, as you compared them with the operator", parseFingerprint)
    .action(async (file: string, { hsm }: { hsm: string }) => {
      const { proved: _proved, ...verdict } = await verifyFile(readFile(file), hsm);
      out(verdict, () => linesOf(verdict));
      if (!verdict.ok) throw new Fault("ERR_PROOF", verdict.said);
    });
  addLog(program, shell);
}

function addLog(program: Command, { ask, out, command }: Shell): void {
  const log = command(program, "log", "the agent's log of every decision", "opencustody log verify");
  command(
    log,
    "verify [backup]",
    "verify every entry and hash of the log against the newest checkpoint: of the agent that runs, or of a backup",
    "opencustody log verify /media/backup/record.db",
  )
    .option("--hsm <fingerprint>", "the HSM's, 64 hex digits, where you have compared it", parseFingerprint)
    .action(async (file: string | undefined, { hsm = null }: { hsm?: string | null }) => {
      const running: LogSource = {
        head: async () => v.parse(LogHeadSchema, await ask({ command: "log.head" })),
        page: async (from) => v.parse(LogPageSchema, await ask({ command: "log.page", from })),
      };
      const verified = file === undefined ? await verifyLog(running, hsm, progress()) : await verifyCopy(file, hsm);
      out(verified, () => sayLog(verified, hsm));
    });
}

/** A backup is copied first, and the copy looked at: it stays as it is. */
async function verifyCopy(file: string, hsm: string | null): Promise<VerifiedLog> {
  const folder = mkdtempSync(join(tmpdir(), "opencustody-log-"));
  try {
    const path = join(folder, "record.db");
    writeFileSync(path, "", { mode: 0o600 });
    copyRecord(file, path);
    const journal = new Journal(path);
    try {
      return await verifyLog(sourceOf(journal), hsm, progress());
    } finally {
      journal.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Where somebody watches: one line on stderr that is written over. */
function progress(): (done: number) => void {
  if (!process.stderr.isTTY) return () => {};
  return (done) => process.stderr.write(`\r${done} entries verified`);
}

function linesOf({ steps, said }: Pick<Verdict, "steps" | "said">): string[] {
  const width = Math.max(...PROOF_STEPS.map((name) => name.length));
  return [...steps.map(({ name, ok, said: one }) => `${ok ? "ok  " : "FAIL"} ${name.padEnd(width)} ${one}`), said];
}

function sayLog({ entries, signed, acts, root, founder, by }: VerifiedLog, hsm: string | null): string[] {
  if (process.stderr.isTTY) process.stderr.write("\n");
  return [
    `${signed} entries and ${acts} acts hold, up to the root that the HSM signed: ${root}`,
    ...(entries === signed ? [] : [`${entries - signed} entries after them hold as well, and are not signed yet`]),
    ...(hsm === null ? [`founded by the HSM identity ${founder}: compare it`] : []),
    ...(by === founder ? [] : [`signed by the HSM identity ${by}`]),
  ];
}

function parseFingerprint(text: string): string {
  const digits = text.replaceAll(/[\s:]/g, "").toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(digits)) throw new InvalidArgumentError("it must have 64 hex digits.");
  return digits;
}

function readFile(path: string): Uint8Array {
  try {
    const file = readFileSync(path);
    if (file.length <= PROOF_MAX) return file;
  } catch {
    throw new Fault("ERR_USAGE", `${path} cannot be read; name a proof.`);
  }
  throw new Fault("ERR_USAGE", `${path} is too large to be a proof.`);
}

function writeNew(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: "wx", mode: 0o600 });
  } catch {
    throw new Fault("ERR_USAGE", `${path} cannot be written, or is there already; name a new file.`);
  }
}
