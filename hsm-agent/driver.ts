/**
 * Advances requests one step at a time each, and again later where a step could not be done. Decides nothing: what a step may
 * do is advance.ts. README.md of protocol/, "States".
 */
import { isFault } from "../protocol/error.ts";
import { advance } from "./advance.ts";
import { type Consequence, type Desk, NOTHING } from "./desk.ts";

/** Milliseconds. */
const RETRY = 3_000;

export class Driver {
  readonly #desk: Desk;
  readonly #retry: number;
  readonly #follow: (consequence: Consequence) => void;
  readonly #running = new Map<string, Promise<void>>();
  /** One for each request, however many messages came for it while the HSM was away. */
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** Requests whose last step was overtaken by another change. */
  readonly #overtaken = new Set<string>();
  #stopped = false;

  /** `follow` is told what follows from a change; `retry` in milliseconds. */
  constructor(desk: Desk, follow: (consequence: Consequence) => void, retry = RETRY) {
    this.#desk = desk;
    this.#follow = follow;
    this.#retry = retry;
  }

  /** Does what can be done for a request, after what is under way for it. Never throws. */
  drive(id: string): void {
    if (this.#stopped) return;
    const next = (this.#running.get(id) ?? Promise.resolve()).then(() => this.#advance(id));
    this.#running.set(id, next);
    void next.then(() => {
      if (this.#running.get(id) === next) this.#running.delete(id);
    });
  }

  /** Resolves when no step is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    await Promise.all(this.#running.values());
  }

  async #advance(id: string): Promise<void> {
    if (this.#stopped) return;
    try {
      const consequence = await advance(this.#desk, id);
      this.#overtaken.delete(id);
      if (consequence !== NOTHING) this.#follow(consequence);
    } catch (error) {
      // A change that came while a step was under way: the step is not done, and its receipt is still owed.
      const overtaken =
        isFault(error, "ERR_REQUEST_STATE") ||
        isFault(error, "ERR_REQUEST_EXPIRED") ||
        isFault(error, "ERR_QUORUM") ||
        isFault(error, "ERR_FROZEN");
      if (overtaken && !this.#overtaken.has(id)) {
        this.#overtaken.add(id);
        this.#later(id, 0);
        return;
      }
      const code = isFault(error) ? error.code : "ERR_INTERNAL";
      this.#desk.log.error({ request: id, code, err: error }, "request waits");
      // A fault of the record or of the request will not pass by itself; all else may.
      if (overtaken || !isFault(error) || error.code.startsWith("ERR_HSM_")) this.#later(id, this.#retry);
    }
  }

  #later(id: string, wait: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timers.get(id));
    const timer = setTimeout(() => {
      this.#timers.delete(id);
      this.drive(id);
    }, wait);
    this.#timers.set(id, timer);
  }
}
