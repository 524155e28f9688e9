/**
 * Who comes from where: of each remote address (remote.ts) the connections that have not logged in, and how fast new ones
 * come. It refuses nobody itself (upgrade.ts). protocol/README.md, "Upgrade".
 */
import type { Connection } from "./connection.ts";
import { Bucket, type RateLimits } from "./rate.ts";

/** A connection as far as it matters here. */
type Stranger = Pick<Connection, "isOpen" | "party">;

interface Remote {
  strangers: Set<Stranger>;
  readonly bucket: Bucket;
}

export class Arrivals {
  readonly #rate: RateLimits;
  readonly #remotes = new Map<string, Remote>();

  constructor(rate: RateLimits) {
    this.#rate = rate;
  }

  /** One more from `remote`, at `now` (milliseconds of a clock that never goes back). */
  arrive(remote: string, now: number): { waitingFromHere: number; isTooFast: boolean } {
    const from = this.#remotes.get(remote) ?? { strangers: new Set(), bucket: new Bucket(this.#rate, now) };
    this.#remotes.set(remote, from);
    from.strangers = openOf(from);
    const isTooFast = from.bucket.take(now) !== "ok";
    // No debt: whoever stops comes in again.
    if (isTooFast) from.bucket.refund();
    return { waitingFromHere: from.strangers.size, isTooFast };
  }

  /** It was let in, and has not logged in. */
  add(remote: string, connection: Stranger): void {
    this.#remotes.get(remote)?.strangers.add(connection);
  }

  /** Forgets where nobody waits and nobody came for a while. */
  prune(now: number): void {
    for (const [remote, from] of this.#remotes) {
      from.strangers = openOf(from);
      if (from.strangers.size === 0 && from.bucket.isFull(now)) this.#remotes.delete(remote);
    }
  }
}

function openOf({ strangers }: Remote): Set<Stranger> {
  return new Set([...strangers].filter(({ isOpen, party }) => isOpen && party === undefined));
}
