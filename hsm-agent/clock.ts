/** The agent's time: whole seconds, never going back below what the record holds. README.md of protocol/, "Time". */
import type { Journal } from "./journal.ts";

const KEY = "clock";
/** How often the mark is written. Seconds. */
const STEP = 60;

/** A clock that starts no earlier than the last mark in the record, and leaves marks as it goes. */
export function recordedClock(
  journal: Journal,
  wall: () => number = () => Math.floor(Date.now() / 1000),
): () => number {
  let last = Number(journal.meta(KEY) ?? "0");
  let marked = last;
  return () => {
    last = Math.max(last, wall());
    if (last >= marked + STEP) {
      marked = last;
      journal.setMeta(KEY, String(marked));
    }
    return last;
  };
}
