/**
 * When a script asks the agent for what it missed: at every login, and after that ever more rarely until something of it has come, as an
 * extension does. An answer may be long under way, and whoever asks again meanwhile has it begin anew. protocol/README.md, "Verifying a view".
 */

/** The longest pause between two times. Milliseconds. */
const MOST = 300_000;

export class Asking {
  /** Milliseconds after which it is asked for the second time. An extension waits ten seconds; most tests would rather not. */
  first = 1_000;
  readonly #ask: () => Promise<void>;
  #from = Number.NEGATIVE_INFINITY;
  #pause = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(ask: () => Promise<void>) {
    this.#ask = ask;
  }

  /** It is asked now, for whatever reason. */
  asked(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pause = Math.min(MOST, Math.max(this.first, 2 * this.#pause));
    this.#from = performance.now() + this.#pause;
  }

  /** A new connection, where all begins anew. */
  begin(): void {
    this.#pause = 0;
  }

  /** Something is missing: asked for when it is time. */
  want(): void {
    const wait = Math.max(1, this.#from - performance.now());
    this.#timer ??= setTimeout(() => void this.#ask().catch(() => undefined), wait).unref();
  }

  /** What was asked for has come. */
  proved(): void {
    this.#pause = 0;
    this.#from = Math.min(this.#from, performance.now() + this.first);
  }
}
