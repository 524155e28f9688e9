/**
 * What an approver's hardware wallet can do for us, and the closed list of how it can end. README.md, "Devices".
 * It knows no vendor's protocol: ledger.ts and trezor.ts do. A decline is an outcome like any other; the request stays open.
 */
import type { Vendor } from "../../protocol/vendor.ts";
import { describeLedgerOutcome } from "./ledger-outcome.ts";
import { describeTrezorOutcome } from "./trezor-outcome.ts";

/** The models that a page can name. Only some have measured screens: see screens.ts. */
export type LedgerModel = "nano-s-plus" | "nano-x" | "flex" | "stax" | "nano-s";
export type TrezorModel = "trezor-one" | "trezor-t" | "trezor-safe-3" | "trezor-safe-5" | "trezor-safe-7";
export type DeviceModel = LedgerModel | TrezorModel;

export type DeviceOutcome =
  | "not-connected"
  /** Trezor Suite, through which a Trezor is reached, does not answer. */
  | "suite-missing"
  /** The browser does not let this extension reach programs on this computer. */
  | "local-network-blocked"
  | "no-permission"
  | "in-use"
  | "locked"
  | "dashboard"
  | "wrong-app"
  | "app-too-old"
  | "firmware-too-old"
  | "wrong-device"
  | "declined"
  /** Ended beside the device: in Suite's window, or by closing the connection here. */
  | "cancelled"
  | "timed-out"
  | "unplugged"
  | "busy"
  | "too-long"
  | "unknown";

/** Why a device did not do what it was asked. `detail` is small print: a status word, an app's name, a browser's message. */
export class DeviceFault extends Error {
  override readonly name = "DeviceFault";
  readonly outcome: DeviceOutcome;
  readonly detail: string;

  constructor(outcome: DeviceOutcome, detail = "", options?: ErrorOptions) {
    super(`${outcome}${detail === "" ? "" : `: ${detail}`}`, options);
    this.outcome = outcome;
    this.detail = detail;
  }
}

/** A connected device, a Ledger with its Ethereum app open. One call at a time. Every method fails with a DeviceFault only. */
export interface ApprovalDevice {
  readonly vendor: Vendor;
  readonly model: DeviceModel;
  /** Of a Ledger's Ethereum app, of a Trezor's firmware. */
  readonly appVersion: string;
  /** EIP-55 address at `path`; with `show` it is on the device's screen until the person answers there. */
  address(path: string, options: { readonly show: boolean }): Promise<string>;
  /** personal_sign of `statement`: `0x`, r, s, v. Waits as long as the person reads. */
  signStatement(path: string, statement: string): Promise<string>;
  /** Ends the connection. A Trezor's call under way settles as "cancelled" and its prompt is withdrawn; a Ledger's prompt stays. */
  close(): Promise<void>;
}

/** What to say about an outcome: what is so, and the one thing to do. `context` is the fault's detail. */
export function describeOutcome(
  outcome: DeviceOutcome,
  context = "",
  vendor: Vendor = "Ledger",
): { sentence: string; action: string } {
  const about = context === "" ? "" : ` (${context})`;
  switch (vendor) {
    case "Ledger":
      return describeLedgerOutcome(outcome, about);
    case "Trezor":
      return describeTrezorOutcome(outcome, about);
  }
}
