/**
 * The agent's time: whole seconds, never going back below what the record holds. README.md of protocol/, "Time". A jump, of the wall clock
 * against the monotonic one or over a restart, puts it in doubt until somebody who may propose confirms it.
 */
import type { Journal } from "./journal.ts";

const KEY = "clock";
const DOUBT = "clock-doubt";
/** How often the mark is written. Seconds. */
const STEP = 60;
/** The two clocks may part by this much, in one step or in many, from the start or the last confirmation on. Seconds. */
const PART_MAX = 60;
const AWAY = "clock-away";
/** Restarts may together be this far from their last marks; more absence than that is confirmed by a person. Seconds. */
const AWAY_MAX = 3_600;

/** Seconds since 1970. */
export interface Clock {
  (): number;
  /** Since when (seconds) it is in doubt, or null. */
  inDoubt(): number | null;
  /** A person looked at the time: it holds. */
  confirm(): void;
}

const systemWall = (): number => Math.floor(Date.now() / 1000);
/** It cannot be set. */
const systemMonotonic = (): number => performance.now() / 1000;

/** A clock that starts no earlier than the last mark in the record, and leaves marks as it goes. Both sources in seconds. */
export function recordedClock(
  journal: Journal,
  wall: () => number = systemWall,
  // Another wall clock without one of its own is taken to run evenly.
  monotonic: () => number = wall === systemWall ? systemMonotonic : wall,
): Clock {
  let last = Number(journal.meta(KEY) ?? "0");
  let marked = last;
  let seen = wall();
  let apart = seen - monotonic();
  let doubt = readDoubt(journal);
  let takenBack = journal.takenBack;
  const away = Number(journal.meta(AWAY) ?? "0") + (marked === 0 ? 0 : Math.max(0, seen - marked));
  journal.setMeta(AWAY, String(away));
  if (away > AWAY_MAX || marked - seen > PART_MAX) raise();

  function raise(): void {
    if (doubt !== null) return;
    doubt = Math.max(last, seen);
    if (journal.failure === null) journal.setMeta(DOUBT, String(doubt));
  }

  /** What was written within a transaction that was taken back is written again. A record that failed keeps nothing; the time goes on. */
  function keep(): void {
    if (takenBack === journal.takenBack || journal.failure !== null) return;
    takenBack = journal.takenBack;
    marked = Number(journal.meta(KEY) ?? "0");
    const kept = readDoubt(journal);
    if (kept === null && doubt !== null) journal.setMeta(DOUBT, String(doubt));
    doubt = kept ?? doubt;
  }

  function look(): number {
    keep();
    seen = wall();
    if (Math.abs(seen - monotonic() - apart) > PART_MAX) raise();
    last = Math.max(last, seen);
    // A record that failed keeps no marks; the time goes on.
    if (last >= marked + STEP && journal.failure === null) {
      marked = last;
      journal.setMeta(KEY, String(marked));
    }
    return last;
  }

  return Object.assign(look, {
    inDoubt: () => {
      look();
      return doubt;
    },
    confirm: () => {
      seen = wall();
      apart = seen - monotonic();
      doubt = null;
      journal.removeMeta(DOUBT);
      journal.removeMeta(AWAY);
    },
  });
}

/** The time, no earlier than the last mark in the record: for what is written into it before a clock runs on it. */
export function timeOf(journal: Journal, wall: () => number): number {
  return Math.max(Number(journal.meta(KEY) ?? "0"), wall());
}

function readDoubt(journal: Journal): number | null {
  const since = journal.meta(DOUBT);
  return since === undefined ? null : Number(since);
}
