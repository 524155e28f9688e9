/**
 * The end of the program: a close with a bound, whatever hangs, and at once on a second signal. Nothing is lost by an end
 * that is cut short: all that was accepted was acknowledged, or is in the store already. protocol/README.md, "Bridge".
 */
import type { Logger } from "pino";

/** Milliseconds: two more than a peer has to answer a close frame (server.ts), and less than supervisors wait before they kill. */
export const STOP_BOUND = 5_000;

export interface Stopping {
  /** Ends everything in good order; may take for ever. */
  readonly close: () => Promise<void>;
  readonly exit: (code: number) => void;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
}

/** What to do on each signal. */
export function onSignal({ close, exit, log }: Stopping): (signal: NodeJS.Signals) => void {
  let stopping = false;
  return (signal) => {
    if (stopping) {
      log.warn({ signal }, "stopped at once");
      return exit(0);
    }
    stopping = true;
    log.info({ signal }, "stopping");
    setTimeout(() => {
      log.warn("stopped with connections left open");
      exit(0);
    }, STOP_BOUND);
    close().then(
      () => exit(0),
      (error: unknown) => {
        log.error({ cause: error instanceof Error ? error.name : "?" }, "not closed in good order");
        exit(1);
      },
    );
  };
}

/** The end of a bridge whose store has failed: bounded too, and never with 0. */
export function endFailed({ close, exit, log }: Stopping): void {
  log.error("ending, because the store has failed");
  setTimeout(() => exit(1), STOP_BOUND);
  close().then(
    () => exit(1),
    () => exit(1),
  );
}
