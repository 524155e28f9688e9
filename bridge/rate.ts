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

  /** As of the last call. */
  get level(): number {
    return this.#tokens;
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

interface Pool {
  readonly free: Bucket[];
  /** Free and in use. */
  made: number;
}

/**
 * Buckets of each key, so many at most. A connection leaves its bucket behind and the next one goes
 * on with it: nobody speaks faster by coming again, and who floods on one connection ends none of that key's others.
 */
export class KeyRates {
  readonly #pools = new Map<string, Pool>();
  readonly #most: number;

  /** `most`: buckets of one key, free and in use. */
  constructor(most: number) {
    this.#most = most;
  }

  /** The fullest bucket that no connection has; undefined where a flood came from all of them. `key` was authenticated. */
  take(key: string, limits: RateLimits, now: number): Bucket | undefined {
    const pool = this.#pools.get(key) ?? { free: [], made: 0 };
    this.#pools.set(key, pool);
    const [best] = pool.free.filter((bucket) => !bucket.isFlood(now)).toSorted((a, b) => b.level - a.level);
    if (best !== undefined) pool.free.splice(pool.free.indexOf(best), 1);
    else if (pool.made >= this.#most) return undefined;
    else pool.made += 1;
    return best ?? new Bucket(limits, now);
  }

  /** Its connection has ended, or never began. */
  leave(key: string, bucket: Bucket): void {
    this.#pools.get(key)?.free.push(bucket);
  }

  /** Whether `take` would give none, though not all are in use. */
  isFlood(key: string, now: number): boolean {
    const { free, made } = this.#pools.get(key) ?? { free: [], made: 0 };
    return made >= this.#most && free.length > 0 && free.every((bucket) => bucket.isFlood(now));
  }

  /** Forgets buckets that nobody has and that are full. */
  prune(now: number): void {
    for (const [key, pool] of this.#pools) {
      const left = pool.free.filter((bucket) => !bucket.isFull(now));
      pool.made -= pool.free.length - left.length;
      pool.free.splice(0, pool.free.length, ...left);
      if (pool.made === 0) this.#pools.delete(key);
    }
  }

  /** Keys that are remembered. */
  get size(): number {
    return this.#pools.size;
  }
}
