/** Which devices this browser can reach at all, before anything is plugged in. It touches no device. README.md, "Devices". */
import type { Vendor } from "../../protocol/vendor.ts";

/** A Ledger is reached over WebUSB only, which Firefox does not have. */
export function supportsLedger(browser: object = navigator): boolean {
  return "usb" in browser;
}

/** A Trezor is reached over a socket of Trezor Suite: from every browser. */
export function canReach(vendor: Vendor, browser: object = navigator): boolean {
  return vendor === "Ledger" ? supportsLedger(browser) : true;
}
