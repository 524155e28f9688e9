/**
 * What a log and its acts say is frozen: each freeze that nobody lifted since. Held against the record, a freeze that was taken out of it
 * shows. README.md of protocol/, "Log". Pure.
 */
import type { Applied } from "../protocol/charter.ts";
import type { Entry } from "../protocol/log-entry.ts";

/** One freeze: the vault or everything, and who set it, the operator where `by` is null. */
export interface Freezing {
  readonly vault: string | null;
  readonly by: string | null;
}

export class LogFreezes {
  readonly #acts: readonly Applied[];
  readonly #standing = new Map<string, Freezing>();

  /** `acts`: all of them, verified. */
  constructor(acts: readonly Applied[]) {
    this.#acts = acts;
  }

  /** The next entry. */
  take(entry: Entry): void {
    if (entry.kind === "freeze") this.#standing.set(nameOf(entry), { vault: entry.vault, by: entry.by });
    const request = entry.kind === "act" ? this.#acts[entry.n - 1]?.request : undefined;
    if (request?.verb !== "UNFREEZE") return;
    const { vault } = request.change;
    for (const [name, one] of this.#standing) if (vault === null || one.vault === vault) this.#standing.delete(name);
  }

  /** One that stands and is not among these. */
  missing(kept: readonly Freezing[]): Freezing | undefined {
    const names = new Set(kept.map(nameOf));
    return [...this.#standing].find(([name]) => !names.has(name))?.[1];
  }
}

function nameOf({ vault, by }: Freezing): string {
  return JSON.stringify([vault, by]);
}
