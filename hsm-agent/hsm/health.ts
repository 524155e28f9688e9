/**
 * How the HSM is, for `status`, /healthz and the metrics: kept by connection.ts, which alone decides what to do about it.
 */
import type { ErrorCode, Fault } from "../../protocol/error.ts";

export interface Health {
  /** `starting` while it is opened or brought back; calls wait for that. While it is `down` they are refused at once. */
  readonly state: "up" | "down" | "starting";
  /** Since when it is so: milliseconds of the wall clock. */
  readonly since: number;
  /** Losses and failed starts since a call last succeeded. */
  readonly failures: number;
  /** What the HSM was last lost by, also after it came back; null where it never was. */
  readonly lastFault: { readonly code: ErrorCode; readonly message: string } | null;
  /** Starts of the HSM process after the first. */
  readonly restarts: number;
}

export class Condition {
  #state: Health["state"] = "down";
  #since = Date.now();
  #failures = 0;
  #lastFault: Health["lastFault"] = null;
  #starts = 0;
  readonly #listeners = new Set<(health: Health) => void>();

  get health(): Health {
    return {
      state: this.#state,
      since: this.#since,
      failures: this.#failures,
      lastFault: this.#lastFault,
      restarts: Math.max(0, this.#starts - 1),
    };
  }

  /** Calls `listener` after each change of state, never from within a call to the HSM. The answer ends that. */
  onState(listener: (health: Health) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  become(state: Health["state"]): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#since = Date.now();
    const { health } = this;
    // A listener that throws must not leave the connection half changed.
    for (const listener of this.#listeners) queueMicrotask(() => listener(health));
  }

  started(): void {
    this.#starts += 1;
  }

  worked(): void {
    this.#failures = 0;
  }

  fault({ code, message }: Fault): void {
    this.#lastFault = { code, message };
  }

  /** How many there are now. */
  fail(fault: Fault): number {
    this.fault(fault);
    this.#failures += 1;
    return this.#failures;
  }
}
