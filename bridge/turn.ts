/**
 * The end of a turn of the event loop: what the frames of one turn share (one commit, one write for each socket) is done
 * once, there. No order but that of asking; nothing here knows what the work is. protocol/README.md, "Mailbox".
 */

export class Turn {
  #work: (() => void)[] = [];
  #clock: number | undefined;
  #seconds = 0;

  /** Milliseconds of a clock that never goes back: read once in a turn. */
  readonly clock = (): number => this.#clock ?? this.#read();

  /** Seconds since 1970, as old. */
  readonly now = (): number => {
    if (this.#clock === undefined) this.#read();
    return this.#seconds;
  };

  #read(): number {
    this.#seconds = Math.floor(Date.now() / 1000);
    this.#clock = performance.now();
    this.later(() => undefined);
    return this.#clock;
  }

  /** Runs `work` at the end of this turn; asked for by such work itself, at the end of the same one. */
  later(work: () => void): void {
    if (this.#work.length === 0) setImmediate(() => this.#end());
    this.#work.push(work);
  }

  #end(): void {
    // Not taken away before it ran: what comes meanwhile belongs to the same end.
    for (let at = 0; at < this.#work.length; at++) this.#work[at]?.();
    this.#work = [];
    this.#clock = undefined;
  }
}
