/**
 * Which stops may pass without a click here, and what of a later look is news. Pure. README.md, "Devices".
 */
import type { Vendor } from "../../protocol/vendor.ts";
import type { DeviceOutcome } from "../devices/device.ts";
import type { Stage, Stop } from "./confirming.ts";

/** Outcomes that may pass without a click here, and that a look can see pass. */
const PASSING: Record<Vendor, ReadonlySet<DeviceOutcome>> = {
  Ledger: new Set<DeviceOutcome>([
    "not-connected",
    "no-permission",
    "in-use",
    "locked",
    "dashboard",
    "wrong-app",
    "app-too-old",
    "wrong-device",
    "unplugged",
    "busy",
  ]),
  // Asking Suite about its device may raise Suite's window over this page: only whether Suite runs is looked at.
  Trezor: new Set<DeviceOutcome>(["suite-missing", "busy"]),
};

function mayPass(vendor: Vendor, outcome: DeviceOutcome): boolean {
  return PASSING[vendor].has(outcome);
}

/** Without a click these three look alike: no Ledger is there that this page may use. */
const ABSENT: ReadonlySet<DeviceOutcome> = new Set<DeviceOutcome>(["not-connected", "no-permission", "unplugged"]);

/** The device to look at again, if the stage is one that may pass. `often`: also without an event of the browser. */
export function watched(stage: Stage): { readonly vendor: Vendor; readonly often: boolean } | null {
  if (stage.at === "ready") return stage.after === undefined ? null : { vendor: stage.after, often: false };
  if (stage.at !== "stopped" || stage.stop.device === undefined) return null;
  const { vendor, outcome } = stage.stop.device;
  return mayPass(vendor, outcome) ? { vendor, often: true } : null;
}

/** True where a look found something else than what the page says. */
export function isNews(stage: Stage, found: Stop | null): boolean {
  if (stage.at !== "stopped") return found !== null;
  if (found === null) return true;
  const [before, after] = [stage.stop.device?.outcome, found.device?.outcome];
  if (before !== undefined && after !== undefined && ABSENT.has(before) && ABSENT.has(after)) return false;
  return stage.stop.sentence !== found.sentence || stage.stop.action !== found.action;
}
