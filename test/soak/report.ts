/** What a soak says at its end. Pure. */
import type { SoakReport } from "./soak.ts";

const KIB = 1024;
/**
 * How much more a process may have at the end of the second half than at its beginning, in bytes: held after a collection, and in all.
 * Of 10,000 requests from 50 approvers the second half measured -0.3 MiB held by the agent and +1.8 MiB by the bridge, +1.5 and +0.2 MiB
 * in all. Single looks differ by some 4 MiB, whatever is just under way. What the bridge gains are names of people's messages, against
 * repetition: about 100 bytes for each of some 15,000, and no more than 2,048 of one person. A kibibyte kept of each request would be
 * 5 MiB held; in all there are pages of the allocator besides, which come and go by ten times as much as was measured.
 */
export const HELD_MAX = 4_096 * KIB;
export const RSS_MAX = 16_384 * KIB;

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
