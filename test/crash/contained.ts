/**
 * Runs something that starts many processes and makes many temporary folders, and leaves none of them, whether it ends, fails or is
 * interrupted: all that it makes lies in one folder, and whatever runs with that folder in its arguments was started by it.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Resolves with what `work` makes. The folder for temporary files is one of its own meanwhile. */
export async function contained<T>(work: () => Promise<T>): Promise<T> {
  const before = process.env["TMPDIR"];
  const folder = mkdtempSync(join(tmpdir(), "opencustody-run-"));
  const sweep = (): void => {
    for (const pid of startedIn(folder)) end(pid);
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  };
  // An exit that nobody awaits: what is to be done must be done at once.
  const stop = (): never => process.exit(130);
  process.on("exit", sweep);
  for (const signal of SIGNALS) process.on(signal, stop);
  process.env["TMPDIR"] = folder;
  try {
    return await work();
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
    process.off("exit", sweep);
    for (const signal of SIGNALS) process.off(signal, stop);
    sweep();
  }
}

/** Processes that have this text in their arguments, and live. */
export function startedIn(text: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid)
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text);
      } catch {
        return false;
      }
    });
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}
