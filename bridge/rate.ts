/** A token bucket with debt: how fast one connection may speak. Pure; the clock is an argument. */

export interface RateLimits {
  readonly perSecond: number;
  readonly burst: number;
}

/** What to do with a frame: take it, refuse it, or give up on the connection. */
export type RateVerdict = "ok" | "over" | "flood";

export class Bucket {
  #limits: RateLimits;
  #tokens: number;
  #at: number;

  /** `now` in milliseconds of a clock that never goes back. */
  constructor(limits: RateLimits, now: number) {
    this.#limits = limits;
    this.#tokens = limits.burst;
    this.#at = now;
  }

  /** Counts one frame. Whoever is a whole burst in debt did not heed the refusals: a flood. */
  take(now: number): RateVerdict {
    const { perSecond, burst } = this.#limits;
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#at) / 1000) * perSecond) - 1;
    this.#at = now;
    if (this.#tokens >= 0) return "ok";
    return this.#tokens >= -burst ? "over" : "flood";
  }

  /** Gives the last frame's token back. */
  refund(): void {
    this.#tokens += 1;
  }

  /** Whether as much may come at once as ever. */
  isFull(now: number): boolean {
    return this.#tokens + ((now - this.#at) / 1000) * this.#limits.perSecond >= this.#limits.burst;
  }

  /** Changes to other limits, once it is known whose connection this is. */
  become(limits: RateLimits): void {
    this.#limits = limits;
    this.#tokens = limits.burst;
  }
}
