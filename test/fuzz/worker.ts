/** One target in a thread of its own, so that a parser that hangs can be ended: input after input, and what came of it. */
import { inspect } from "node:util";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import "./loader.ts";
import { Random } from "./random.ts";
import { latestInput, NonCanonical, setTeller, type Verdict } from "./target.ts";
import { ENTRIES } from "./targets.ts";

/** What a thread is to do. `progress` holds the number of the input under way: that it moves is the sign of life. */
export interface Task {
  readonly target: string;
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  readonly progress: SharedArrayBuffer;
}

export interface Finding {
  readonly kind: "crash" | "hang" | "non-canonical";
  readonly number: number;
  readonly what: string;
  readonly input: string;
}

export interface Tally {
  readonly accepted: number;
  readonly refused: number;
  readonly slowest: number;
}

/** What a thread says. `process`: the id of a program that it started, to be ended should the thread be. */
export type Said =
  | { readonly say: "finding"; readonly finding: Finding }
  | { readonly say: "process"; readonly pid: number }
  | { readonly say: "done"; readonly tally: Tally };

const tell = (said: Said) => parentPort?.postMessage(said);

async function work({ target: name, seed, from, to, progress }: Task): Promise<void> {
  const found = ENTRIES.find((entry) => entry.name === name);
  if (found === undefined) throw new RangeError(`no target ${name}`);
  const clock = new Int32Array(progress);
  let number = from;
  const report = (error: unknown) => tell({ say: "finding", finding: findingOf(number, error) });
  // A promise that nobody waits for is a crash in the programs themselves, and here as well.
  process.on("unhandledRejection", report);
  setTeller((pid) => tell({ say: "process", pid }));
  const target = await found.open();
  const tally = { accepted: 0, refused: 0, slowest: 0 };
  try {
    for (; number < to; number += 1) {
      Atomics.store(clock, 0, number + 1);
      const begun = performance.now();
      try {
        const verdict: Verdict = await target.attempt(new Random(seed, name, number));
        tally[verdict] += 1;
      } catch (error) {
        report(error);
      }
      tally.slowest = Math.max(tally.slowest, performance.now() - begun);
    }
  } finally {
    await target.close?.();
  }
  tell({ say: "done", tally });
}

function findingOf(number: number, error: unknown): Finding {
  const what = error instanceof Error ? `${error.name}: ${error.message}\n${stackOf(error)}` : String(error);
  return { kind: error instanceof NonCanonical ? "non-canonical" : "crash", number, what, input: shown(latestInput()) };
}

function stackOf({ stack = "" }: Error): string {
  return stack
    .split("\n")
    .filter((line) => line.startsWith("    at "))
    .slice(0, 4)
    .join("\n");
}

function shown(input: unknown): string {
  return (typeof input === "string" ? input : inspect(input, { depth: 6, maxStringLength: null })).slice(0, 800);
}

if (!isMainThread) await work(workerData as Task);
