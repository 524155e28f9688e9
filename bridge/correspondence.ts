/**
 * What the bridge keeps in memory of one sender to one receiver: how much of theirs waits, which of it is held, and ids of
 * what was acknowledged without being stored. Pure. protocol/README.md, "Mailbox".
 */
import type { Held } from "./box.ts";
import { IdSet } from "./recent.ts";

export class Correspondence {
  /** In memory and in the store. */
  messages = 0;
  bytes = 0;
  /** By id. */
  readonly held = new Map<string, Held>();
  #young = new IdSet();
  #old = new IdSet();

  /** Whether `id` was remembered and is not forgotten yet. */
  remembers(id: string): boolean {
    return this.#young.has(id) || this.#old.has(id);
  }

  /** Of the newest ids at least `atLeast` are kept, and no more than twice as many. */
  remember(id: string, atLeast: number): void {
    this.#young.add(id);
    if (this.#young.size >= atLeast) this.age();
  }

  /** Forgets what was remembered before the last call. Returns how many ids are left. */
  age(): number {
    this.#old = this.#young;
    this.#young = new IdSet();
    return this.#old.size;
  }

  get isEmpty(): boolean {
    return this.messages === 0 && this.#young.size === 0 && this.#old.size === 0;
  }
}
