/** What this browser knows of the agent's log, in words: the alarm, its evidence, the quiet line of the inbox. Pure; seconds since 1970. */
import type { Alarm } from "../log-alarm.ts";
import { isLate, type StoredLog } from "../log-memory.ts";
import { momentOf, timeOfDay } from "./clock.ts";

/** What is so, in one sentence. */
export function alarmSentence(alarms: readonly Alarm[]): string {
  const people = [...new Set(alarms.flatMap(({ person }) => person ?? []))];
  const ours = alarms.some(({ person }) => person === null);
  const whose = [...(ours ? ["this browser"] : []), ...people.map((person) => `${person}'s browser`)];
  return `The agent's record does not go on from what ${whose.join(" and ")} has seen of it.`;
}

/** What was found, for each alarm. */
export function findingOf({ kind, person }: Alarm): string {
  switch (kind) {
    case "split":
      return "The HSM has signed two records that do not belong together.";
    case "witness":
      return `The HSM has signed two records that do not belong together: one was shown to ${person ?? "somebody"}, the other to you.`;
    case "behind":
      return "The agent says itself that its record does not hold what this browser has seen: it may have been set back.";
  }
}

/** Everything about the alarms as text, to be sent to whoever looks into it. */
export function evidenceText(alarms: readonly Alarm[]): string {
  return alarms
    .map((alarm) =>
      [
        `${momentOf(alarm.at).utc}: ${findingOf(alarm)}`,
        `Known to ${alarm.person ?? "this browser"}:`,
        alarm.known.trimEnd(),
        alarm.kind === "behind" ? "Answered by the agent:" : "Shown by the agent:",
        alarm.shown.trimEnd(),
      ].join("\n"),
    )
    .join("\n\n");
}

/** "Record: 1,204 entries, last checked 10:00"; the day is said where it is not today. `zone` is an IANA name. */
export function recordLine({ head, at }: StoredLog, now: number, zone?: string): string {
  const count = `${head.size.toLocaleString("en-US")} ${head.size === 1 ? "entry" : "entries"}`;
  return `Record: ${count}, last checked ${recentMoment(at, now, zone)}`;
}

/** That the agent shows more and does not prove it; empty while all is well. */
export function lateSentence(log: StoredLog, now: number, contact: string | null): string {
  if (!isLate(log, now)) return "";
  const since = recentMoment(log.unprovenSince ?? now, now);
  return `Since ${since} the agent shows newer entries of its record without the proof that they go on from what this browser knows. This browser asks for it again by itself. Before you approve anything, call: ${contact ?? "your operator"}`;
}

function recentMoment(at: number, now: number, zone?: string): string {
  return now - at < 12 * 3600 ? timeOfDay(at, zone) : momentOf(at, zone).local;
}
