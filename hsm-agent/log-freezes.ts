/**
 * What a log and its acts say is frozen. Held against the record, a freeze that was taken out of it shows. README.md of protocol/, "Log".
 * Pure.
 */
import type { Applied } from "../protocol/charter.ts";
import type { Entry } from "../protocol/log-entry.ts";

export class LogFreezes {
  readonly #acts: readonly Applied[];
  /** Vaults, null for everything: whoever set a freeze, an UNFREEZE lifts it. */
  readonly #frozen = new Set<string | null>();

  /** `acts`: all of them, verified. */
  constructor(acts: readonly Applied[]) {
    this.#acts = acts;
  }

  /** The next entry. */
  take(entry: Entry): void {
    if (entry.kind === "freeze") this.#frozen.add(entry.vault);
    const request = entry.kind === "act" ? this.#acts[entry.n - 1]?.request : undefined;
    if (request?.verb !== "UNFREEZE") return;
    if (request.change.vault === null) this.#frozen.clear();
    else this.#frozen.delete(request.change.vault);
  }

  /** One that is not among those that the record holds, null for everything; undefined for none. */
  missing(held: readonly { readonly vault: string | null }[]): string | null | undefined {
    const kept = new Set(held.map(({ vault }) => vault));
    // Where everything is frozen there is no vault that is not.
    return kept.has(null) ? undefined : [...this.#frozen].find((vault) => !kept.has(vault));
  }
}
