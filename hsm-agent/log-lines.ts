/**
 * The agent's own lines on standard output: one JSON object each. Whoever is outside, a hostile bridge above all, can cause any number
 * of them, and a full disk stops the agent: of one text so many are written in a minute, and at its end how many were left out.
 */
import { type DestinationStream, type Logger, pino } from "pino";

const MINUTE = 60_000;
/** More than a person reads, and less than fills a disk in a week. All texts are the agent's own, a few dozen. */
const A_MINUTE = 1_000;

/** `minute`: milliseconds; tests give their own. */
export function openLog(to: DestinationStream, minute = MINUTE): Logger {
  let counts = new Map<string, number>();
  const log = pino(
    {
      hooks: {
        logMethod(args, method) {
          if (counts.size === 0) setTimeout(roll, minute).unref();
          const text = args.findLast((part) => typeof part === "string") ?? "";
          const count = (counts.get(text) ?? 0) + 1;
          counts.set(text, count);
          if (count <= A_MINUTE) method.apply(this, args);
        },
      },
    },
    to,
  );
  const roll = (): void => {
    const ended = counts;
    counts = new Map();
    for (const [text, count] of ended)
      if (count > A_MINUTE) log.warn({ text, leftOut: count - A_MINUTE }, "lines left out");
  };
  return log;
}
