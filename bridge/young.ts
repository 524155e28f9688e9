/**
 * Imported before all else by main.ts, for what it does: V8's space for young objects stays as small as it begins. It would
 * grow to tens of megabytes while thousands log in, and never shrink: two thirds of what each connection then takes.
 * It costs some four in a hundred of the throughput (both measured with test/bench/bridge.ts).
 */
import { setFlagsFromString } from "node:v8";

setFlagsFromString("--semi-space-growth-factor=1");
