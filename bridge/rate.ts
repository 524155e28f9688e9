/** Token buckets with debt: how fast somebody may speak. Pure; the clock is an argument. protocol/README.md, "Bridge". */

export interface RateLimits {
  readonly perSecond: number;
  readonly burst: number;
}

/** What to do with a frame: take it, refuse it, or give up on the connection. */
export type RateVerdict = "ok" | "over" | "flood";

export class Bucket {
  readonly #limits: RateLimits;
  #tokens: number;
  #at: number;
  #isFlood = false;

  /** `now` in milliseconds of a clock that never goes back. */
  constructor(limits: RateLimits, now: number) {
    this.#limits = limits;
    this.#tokens = limits.burst;
    this.#at = now;
  }

  /**
   * Counts one frame. Whoever is a whole burst in debt did not heed the refusals: a flood, until half a burst is there
   * again for what they have to say. What comes meanwhile does not add to the debt.
   */
  take(now: number): RateVerdict {
    if (this.isFlood(now)) return "flood";
    this.#tokens -= 1;
    if (this.#tokens >= 0) return "ok";
    this.#isFlood = this.#tokens < -this.#limits.burst;
    return this.#isFlood ? "flood" : "over";
  }

  /** Whether a flood came from there that is not over. */
  isFlood(now: number): boolean {
    this.#fill(now);
    if (this.#tokens >= this.#limits.burst / 2) this.#isFlood = false;
    return this.#isFlood;
  }

  /** Gives the last frame's token back. */
  refund(): void {
    this.#tokens += 1;
  }

  /** Whether as much may come at once as ever. */
  isFull(now: number): boolean {
    this.#fill(now);
    return this.#tokens >= this.#limits.burst;
  }

  #fill(now: number): void {
    const { perSecond, burst } = this.#limits;
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#at) / 1000) * perSecond);
    this.#at = now;
  }
}

/** A bucket for each key: its connections share it, and the next one takes it over. So nobody speaks faster by coming again. */
export class KeyRates {
  readonly #buckets = new Map<string, Bucket>();

  /** `key` was authenticated: strangers have no part in this. */
  of(key: string, limits: RateLimits, now: number): Bucket {
    const bucket = this.#buckets.get(key) ?? new Bucket(limits, now);
    this.#buckets.set(key, bucket);
    return bucket;
  }

  isFlood(key: string, now: number): boolean {
    return this.#buckets.get(key)?.isFlood(now) ?? false;
  }

  /** Forgets those who have no connection that speaks from their bucket, and owe nothing. */
  prune(now: number, isOnline: (key: string) => boolean): void {
    for (const [key, bucket] of this.#buckets) if (bucket.isFull(now) && !isOnline(key)) this.#buckets.delete(key);
  }

  get size(): number {
    return this.#buckets.size;
  }
}
