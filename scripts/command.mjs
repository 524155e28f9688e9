/**
 * Runs one command after another so that nothing outlives this process. Knows nothing of tasks or of what is installed.
 *
 * Each command leads a process group of its own: Ctrl-C in a terminal reaches every process of the foreground group, and
 * npm passes it on once more, so that a child in our group would hear it twice. Here it hears it once, from us. A small
 * shell holds a pipe to us and ends the group if we are killed without a chance to do so.
 */
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];
/** Signals this close together are one key press (see above); a later one means "now". In milliseconds. */
const SAME_PRESS = 1000;
/** Without `--`: dash's kill takes none. */
const LIFELINE = 'read -r end || { kill -TERM "-$1"; sleep 5; kill -KILL "-$1"; } 2>/dev/null';

/** The exit status a shell would report: the code, or 128 and the signal's number. */
export function exitStatus(code, signal) {
  return code ?? 128 + (constants.signals[signal] ?? 0);
}

/** What to do on a signal: `last` is when the one before came, undefined for none. Times in milliseconds. */
export function onSignal(last, now) {
  if (last === undefined) return "forward";
  return now - last < SAME_PRESS ? "ignore" : "kill";
}

/** Set once a signal has asked us to end: the status to exit with. Commands after it do not start. */
let interrupted;

/** The status with which a signal asked us to end, or undefined. */
export function interruption() {
  return interrupted;
}

/**
 * Runs `file` to its end, its output shown (`stdio` "inherit") or written to a file descriptor.
 * Resolves to the exit status; a program that cannot be started is status 127.
 */
export function run(file, args, { env = process.env, cwd = process.cwd(), output = "inherit" } = {}) {
  if (interrupted !== undefined) return Promise.resolve(interrupted);
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd, env, detached: true, stdio: ["inherit", output, output] });
    if (child.pid === undefined) {
      child.once("error", (error) => {
        process.stderr.write(`${file} cannot be started: ${error.message}\n`);
        resolve(127);
      });
      return;
    }
    const group = -child.pid;
    const lifeline = spawn("/bin/sh", ["-c", LIFELINE, "lifeline", String(child.pid)], {
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    lifeline.stdin.on("error", () => undefined);
    lifeline.on("error", () => undefined);

    let last;
    const listener = (signal) => {
      const now = Date.now();
      const what = onSignal(last, now);
      last ??= now;
      interrupted = exitStatus(null, signal);
      if (what === "forward") send(child.pid, signal);
      if (what === "kill") send(group, "SIGKILL");
    };
    for (const signal of SIGNALS) process.on(signal, listener);

    child.once("exit", (code, signal) => {
      send(group, "SIGKILL"); // whatever the command left behind in its group
      lifeline.stdin.end("end\n");
      for (const name of SIGNALS) process.off(name, listener);
      resolve(interrupted ?? exitStatus(code, signal));
    });
  });
}

/** Like `run`, but its output is kept in a file and shown only when the command fails. */
export async function runQuietly(file, args, options = {}) {
  const folder = mkdtempSync(join(tmpdir(), "opencustody-run-"));
  const log = join(folder, "log");
  const output = openSync(log, "w");
  try {
    const status = await run(file, args, { ...options, output });
    if (status !== 0 && interrupted === undefined) process.stderr.write(readFileSync(log, "utf8"));
    return status;
  } finally {
    closeSync(output);
    rmSync(folder, { recursive: true, force: true });
  }
}

function send(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch {
    // Nobody is left to hear it: that is what we wanted.
  }
}
