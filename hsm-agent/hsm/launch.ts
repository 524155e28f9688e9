/**
 * Starts a process that will hold the PIN: by a path of our own, without what this one was told about debuggers and hooks, and with
 * a channel. Whatever the machine lacks for that is a Fault. Watches nothing: watchdog.ts and check-process.ts do.
 */

import { type ChildProcess, fork } from "node:child_process";
import { Fault } from "../../protocol/error.ts";

/** `env` is added to this process's environment; `pipes` come after the channel. @throws Fault ERR_HSM_DOWN */
export function launch(path: string, env: Readonly<Record<string, string>>, pipes: number): ChildProcess {
  const { NODE_OPTIONS: _, ...inherited } = process.env;
  let launched: ChildProcess;
  try {
    launched = fork(path, [], {
      execArgv: [],
      env: { ...inherited, ...env },
      serialization: "advanced",
      // A module that writes to stdout would spoil a report.
      stdio: ["ignore", "ignore", "inherit", "ipc", ...Array.from({ length: pipes }, () => "pipe" as const)],
    });
  } catch (error) {
    throw none(error instanceof Error && "code" in error ? ` (${String(error.code)})` : "");
  }
  // Without file descriptors Node gives one that has neither streams nor channel, and says so in a moment: then nobody may be waiting.
  const { stdio }: { stdio?: ChildProcess["stdio"] } = launched;
  if (stdio !== undefined) return launched;
  launched.on("error", () => {});
  throw none(" (no file descriptors)");
}

function none(reason: string): Fault {
  return new Fault(
    "ERR_HSM_DOWN",
    `No process could be started for the HSM${reason}. Check the machine's limits on memory, processes and files.`,
  );
}
