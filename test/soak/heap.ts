/**
 * Loaded into a process of the product with --import, by the soak alone: at each SIGUSR2 it collects garbage and appends what is still
 * held, in bytes, as a line of JSON to `SOAK_HEAP` with the process's id behind it. The product knows nothing of it.
 */
import { appendFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const { SOAK_HEAP = "" } = process.env;
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

process.on("SIGUSR2", () => {
  // Twice: what the first one finds unreachable may have kept more alive.
  collect();
  collect();
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  appendFileSync(`${SOAK_HEAP}${process.pid}`, `${JSON.stringify({ held: heapUsed + arrayBuffers, rss })}\n`);
});
