/** What a soak says at its end. Pure. */
import type { SoakReport } from "./soak.ts";

const KIB = 1024;
/**
 * How much a process may hold more at the end than in the middle, in bytes: after a collection, and as the system sees it, where pages
 * that the allocator keeps come and go.
 */
export const HELD_MAX = 2_048 * KIB;
export const RSS_MAX = 32_768 * KIB;

/** The one line. */
export function summary(report: SoakReport): string {
  const { requests, approvals, acknowledged, lost, signedTwice, stuck, deeds, growth, seconds } = report;
  const memory = (["agent", "bridge"] as const).map((part) => {
    const { held, rss } = growth[part];
    return `${part} heap ${signed(held)} KiB, rss ${signed(rss)} KiB`;
  });
  return [
    `requests ${requests}, approvals ${approvals}, acknowledged ${acknowledged}`,
    `lost ${lost.length}, signed twice ${signedTwice.length}, stuck ${stuck.length}`,
    `of ${deeds.frames} frames ${deeds.delays} delayed, ${deeds.repeats} repeated, ${deeds.swaps} swapped`,
    `${deeds.cuts} cuts, ${deeds.halfOpens} half-open`,
    `second half: ${memory.join("; ")}`,
    `${seconds} s`,
  ].join("; ");
}

/** What is wrong, line by line. `long`: the work was long enough to tell what grows from what was warming up. */
export function judged(report: SoakReport, asked: number, long: boolean): string[] {
  const { lost, signedTwice, stuck, faults, deeds, growth, requests } = report;
  const named = (what: string, lines: readonly string[]) => lines.map((line) => `${what}: ${line}`);
  const idle = Object.entries(deeds).filter(([, count]) => count === 0);
  const grown = (["agent", "bridge"] as const).filter(
    (part) => growth[part].held > HELD_MAX || growth[part].rss > RSS_MAX,
  );
  return [
    ...named("lost", lost),
    ...named("signed twice", signedTwice),
    ...named("stuck", stuck),
    ...named("fault", faults),
    ...(requests === asked ? [] : [`fault: ${requests} requests were made, and ${asked} were to be`]),
    ...idle.map(([deed]) => `fault: the network had no ${deed}`),
    ...(long ? grown : []).map(
      (part) =>
        `memory: the ${part} grew by ${signed(growth[part].held)} KiB held, ${signed(growth[part].rss)} KiB in all`,
    ),
  ];
}

function signed(bytes: number): string {
  const kib = Math.round(bytes / KIB);
  return kib < 0 ? `${kib}` : `+${kib}`;
}
