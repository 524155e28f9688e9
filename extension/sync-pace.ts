/**
 * When a sync may be sent within one connection: at its beginning, at once where it cannot wait, and after growing pauses where something
 * is missing, so that a bridge that plays old messages has this browser ask no more often. README.md, "The extension's records". Pure:
 * the time is an argument, in milliseconds.
 */
import type { Outcome } from "./arrival.ts";

/** What was missed is asked for again after this, then after twice as long, and so on. Milliseconds. */
const FIRST = 10_000;
/** And never after longer: well within the patience of log-memory.ts, so that nobody is called for a pause of ours. Milliseconds. */
const MOST = 300_000;

export class SyncPace {
  #isAsked = true;
  #from = Number.NEGATIVE_INFINITY;
  #pause = FIRST;

  isDue(now: number): boolean {
    return this.#isAsked && now >= this.#from;
  }

  /** One was sent. */
  sent(now: number): void {
    this.#isAsked = false;
    this.#from = now + this.#pause;
    this.#pause = Math.min(MOST, this.#pause * 2);
  }

  /** It cannot wait. */
  atOnce(): void {
    this.#isAsked = true;
    this.#from = Number.NEGATIVE_INFINITY;
    this.#pause = FIRST;
  }

  /** After a message was taken. */
  note({ again, atOnce, proved }: Outcome, now: number): void {
    if (proved === true) {
      this.#pause = FIRST;
      this.#from = Math.min(this.#from, now + FIRST);
    }
    if (atOnce === true) this.atOnce();
    else if (again) this.#isAsked = true;
  }
}
