/** How long this page waits for a person at a device before it says so. It never asks again by itself. */
import type { Vendor } from "../../protocol/vendor.ts";
import { describeOutcome } from "../devices/device.ts";
import type { Stop } from "./confirming.ts";

/** A Ledger waits for ever. A Trezor's call is ended after five minutes already, by Suite and by trezor.ts. Milliseconds. */
const LONG = 10 * 60_000;

/** Calls `late` after ten minutes, unless the returned function is called before. */
export function patience(vendor: Vendor, late: (stop: Stop) => void): () => void {
  const outcome = "timed-out";
  const timer = setTimeout(() => {
    late({ code: outcome, ...describeOutcome(outcome, "", vendor), device: { vendor, outcome, detail: "" } });
  }, LONG);
  return () => clearTimeout(timer);
}
