/** Starts the product's programs as processes, and ends them. Nothing of the product runs inside a test. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export interface Program {
  readonly process: ChildProcess;
  /** All lines so far, stdout and stderr. */
  readonly lines: readonly string[];
  /** Resolves with the first JSON line whose `msg` is this; rejects where the program ends before. */
  logged(msg: string): Promise<Record<string, unknown>>;
  /** Ends it, and resolves with the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Runs a TypeScript file of the project with this very Node. */
export function startProgram(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  cwd = ROOT,
): Program {
  const child = spawn(process.execPath, [file, ...args], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const ended = once(child, "exit");
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      for (const look of waiting) look();
    });
  }
  void ended.then(() => {
    for (const look of waiting) look();
  });
  return {
    process: child,
    lines,
    logged: async (msg) =>
      await new Promise((resolve, reject) => {
        const look = () => {
          const found = lines.map(parseLine).find((line) => line?.["msg"] === msg);
          if (found !== undefined) resolve(found);
          else if (child.exitCode !== null)
            reject(new Error(`${file} ended with ${child.exitCode}:\n${lines.join("\n")}`));
          else return;
          waiting.delete(look);
        };
        waiting.add(look);
        look();
      }),
    stop: async (signal = "SIGTERM") => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal);
        await ended;
      }
      return child.exitCode;
    },
  };
}

function parseLine(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
