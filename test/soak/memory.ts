/** How much memory a process holds as its work goes on, and whether that grows. Bytes. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Program } from "../harness/program.ts";

export const HEAP_MODULE = fileURLToPath(new URL("heap.ts", import.meta.url));

/** One look: how much work was done, what was held after a collection, and what the system had given. */
export interface Sample {
  readonly work: number;
  readonly held: number;
  readonly rss: number;
}

export class MemoryWatch {
  readonly samples: Sample[] = [];
  readonly #program: () => Program;
  readonly #notes: string;

  /** A program that HEAP_MODULE was loaded into, with `notes` as its SOAK_HEAP. */
  constructor(program: () => Program, notes: string) {
    this.#program = program;
    this.#notes = notes;
  }

  /** Has it collect its garbage, and notes what is left. Rejects where it does not answer within ten seconds. */
  async look(work: number): Promise<void> {
    const { process: child } = this.#program();
    const file = `${this.#notes}${child.pid}`;
    const lines = () => (existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : []);
    const before = lines().length;
    child.kill("SIGUSR2");
    for (let tries = 0; lines().length === before; tries += 1) {
      if (tries > 200) throw new Error("a process does not tell how much memory it holds");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const { held, rss } = JSON.parse(lines().at(-1) ?? "") as { held: number; rss: number };
    this.samples.push({ work, held, rss });
  }

  /** The newest look, for a person. */
  get last(): string {
    const { held = 0, rss = 0 } = this.samples.at(-1) ?? {};
    return `${Math.round(held / 1024)} KiB held, ${Math.round(rss / 1024)} KiB in all`;
  }

  /** By how much it grew over the second half of the work, by least squares. */
  growth(): { readonly held: number; readonly rss: number } {
    const half = this.samples.slice(Math.floor(this.samples.length / 2));
    return { held: growthOf(half, "held"), rss: growthOf(half, "rss") };
  }
}

/** The slope of the line through the samples, times the work between the first and the last. */
export function growthOf(samples: readonly Sample[], what: "held" | "rss"): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(samples.map(({ work }) => work)), mean(samples.map((sample) => sample[what]))];
  const across = samples.map((sample) => (sample.work - x) * (sample[what] - y)).reduce((a, b) => a + b, 0);
  const square = samples.map(({ work }) => (work - x) ** 2).reduce((a, b) => a + b, 0);
  if (square === 0) return 0;
  const span = (samples.at(-1)?.work ?? 0) - (samples[0]?.work ?? 0);
  return (across / square) * span;
}
