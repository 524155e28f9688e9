/**
 * The alarm: the agent's log does not go on from what this browser, or another person's, has seen of it. README.md, "Alarm". While it
 * stands nothing is approved here; rejecting and freezing go on. It ends by a decision of the admins (RESTORE), or with the pairing.
 */
import { Fault } from "../protocol/error.ts";
import type { GovernanceVerb } from "../protocol/governance.ts";
import type { Records } from "./database.ts";

/** The verb of the decision about the log itself: the one thing that is approved while an alarm stands. */
export const RESTORE: GovernanceVerb = "RESTORE";

/** What was found, and what proves it: the first of its kind and person is kept. */
export interface Alarm {
  /**
   * `split`: the HSM has signed a log that does not go on from the one known here. `witness`: nor from the one known to `person`.
   * `behind`: the agent has said itself that its log does not hold what is known here.
   */
  readonly kind: "split" | "witness" | "behind";
  /** Whose browser knows otherwise; null for this one. */
  readonly person: string | null;
  /** The checkpoint that was known; only its text where it was not kept. */
  readonly known: string;
  /** The checkpoint that does not agree with it; of `behind` the agent's signed refusal. */
  readonly shown: string;
  /** Seconds. */
  readonly at: number;
  readonly notified: boolean;
}

/** Keeps it, unless the same is kept already. */
export async function raise(records: Records, alarm: Omit<Alarm, "notified">): Promise<void> {
  const key = alarmKey(alarm);
  if ((await records.get("alarms", key)) === undefined) records.put("alarms", key, { ...alarm, notified: false });
}

export function alarmKey({ kind, person }: Pick<Alarm, "kind" | "person">): string {
  return `${kind} ${person ?? ""}`;
}

/** The alarm that stands, the oldest first; undefined where none does. */
export async function standingAlarm(records: Records): Promise<Alarm | undefined> {
  return (await records.all("alarms")).sort((a, b) => a.at - b.at)[0];
}

/** Nothing is put before a device while an alarm stands, except what ends it. @throws Fault ERR_LOG */
export function requireNoAlarm(alarm: Alarm | null | undefined, verb: string): void {
  if (alarm === null || alarm === undefined || verb === RESTORE) return;
  throw new Fault(
    "ERR_LOG",
    "The agent's record does not go on from what has been seen of it, so nothing is approved. Call your operator.",
  );
}
