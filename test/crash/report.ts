/** What a run of the crash suite says at its end. Pure. */
import type { Report } from "./siege.ts";

/** The one line. */
export function summary({ kills, acknowledged, lost, signedTwice, stuck }: Report): string {
  return `kills ${kills}, acknowledged ${acknowledged}, lost ${lost.length}, signed twice ${signedTwice.length}, stuck ${stuck.length}`;
}

/** What is wrong, line by line. `all`: every named point must have been reached, as a long run has the time for it. */
export function judged(report: Report, all: boolean): string[] {
  const named = (what: string, lines: readonly string[]) => lines.map((line) => `${what}: ${line}`);
  return [
    ...named("lost", report.lost),
    ...named("signed twice", report.signedTwice),
    ...named("stuck", report.stuck),
    ...named("fault", report.faults),
    ...(all ? named("nothing was killed", report.unreached) : []),
    // Without these the run says nothing: nothing was promised, or nothing could be taken back.
    ...(report.acknowledged === 0 ? ["fault: nothing was acknowledged"] : []),
    ...(report.takenBack === 0 ? ["fault: no power cut took anything back"] : []),
  ];
}
