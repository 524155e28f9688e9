/** Runs targets in threads, watches that each input ends, and adds up. A hang is ended, counted, and passed over. */
import { Worker } from "node:worker_threads";
import type { Finding, Said, Tally, Task } from "./worker.ts";

/** As long as this for one input is a hang, on a machine however busy: the slowest takes some milliseconds. */
const HANG = 60_000;
/** A target that hangs or loses its thread again and again is given up; a hang counts for more, since it takes that minute. */
const LOST_MAX = 15;
const LOST_BY_HANG = 5;

export interface Outcome extends Tally {
  readonly target: string;
  readonly inputs: number;
  readonly findings: readonly Finding[];
}

/** Runs the inputs `from` up to, without, `to` of one target. */
export async function runTarget(target: string, seed: number, from: number, to: number, hang = HANG): Promise<Outcome> {
  const findings: Finding[] = [];
  let total: Tally = { accepted: 0, refused: 0, slowest: 0 };
  let lost = 0;
  for (let next = from; next < to && lost < LOST_MAX; ) {
    const part = await runThread({ target, seed, from: next, to, progress: new SharedArrayBuffer(4) }, hang);
    findings.push(...part.findings);
    const { accepted, refused, slowest } = part.tally;
    total = {
      accepted: total.accepted + accepted,
      refused: total.refused + refused,
      slowest: Math.max(total.slowest, slowest),
    };
    lost += part.findings.some(({ kind }) => kind === "hang") ? LOST_BY_HANG : 1;
    next = part.next;
  }
  return { target, inputs: to - from, findings, ...total };
}

interface Part {
  readonly tally: Tally;
  readonly findings: readonly Finding[];
  readonly next: number;
}

async function runThread(task: Task, hang: number): Promise<Part> {
  const clock = new Int32Array(task.progress);
  const findings: Finding[] = [];
  const programs: number[] = [];
  let tally: Tally | undefined;
  const worker = new Worker(new URL("worker.ts", import.meta.url), { workerData: task, stderr: false });
  const add = (kind: Finding["kind"], what: string) =>
    findings.push({ kind, number: Math.max(task.from, Atomics.load(clock, 0) - 1), what, input: "" });
  worker.on("message", (said: Said) => {
    if (said.say === "finding") findings.push(said.finding);
    else if (said.say === "process") programs.push(said.pid);
    else tally = said.tally;
  });
  worker.on("error", (error) =>
    add("crash", `the thread ended: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
  );
  let seen = -1;
  const watch = setInterval(() => {
    const now = Atomics.load(clock, 0);
    if (now === seen) {
      add("hang", `nothing came of it in ${hang / 1000} s`);
      clearInterval(watch);
      void worker.terminate();
    }
    seen = now;
  }, hang);
  await new Promise((resolve) => worker.once("exit", resolve));
  clearInterval(watch);
  for (const pid of programs) end(pid);
  const done: Tally = tally ?? { accepted: 0, refused: 0, slowest: 0 };
  return { tally: done, findings, next: tally === undefined ? Atomics.load(clock, 0) || task.to : task.to };
}

/** A program that the thread had no time to end itself. */
function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It is gone already, as it should be.
  }
}
