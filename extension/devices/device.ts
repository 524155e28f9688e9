/**
 * What an approver's hardware wallet can do for us, and the closed list of how it can end. README.md, "Devices".
 * It knows no vendor's protocol: ledger.ts and trezor.ts do. A decline is an outcome like any other; the request stays open.
 */
import type { Vendor } from "../../protocol/vendor.ts";
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

const LOCK = "opencustody-device";

/**
 * Runs `work` as the only one of our windows that talks to a device: a second sign request would kill the first one's review.
 * @throws DeviceFault "busy" where another window has it
 */
export async function withDevice<T>(work: () => Promise<T>): Promise<T> {
  return await navigator.locks.request(LOCK, { ifAvailable: true }, async (lock) => {
    if (lock === null) throw new DeviceFault("busy", "another OpenCustody window is using it");
    return await work();
  });
}

/** What to say about an outcome: what is so, and the one thing to do. `context` is the fault's detail. */
export function describeOutcome(
  outcome: DeviceOutcome,
  context = "",
  vendor: Vendor = "Ledger",
): { sentence: string; action: string } {
  const about = context === "" ? "" : ` (${context})`;
  if (vendor === "Trezor") return describeTrezorOutcome(outcome, about);
  switch (outcome) {
    case "not-connected":
      return {
        sentence: "No Ledger is connected.",
        action: "Plug it in, unlock it, open its Ethereum app and choose it again.",
      };
    case "no-permission":
      return {
        sentence: "No Ledger was chosen in the browser's list.",
        action: "Plug it in, unlock it and open its Ethereum app; then try again and select it in the list.",
      };
    case "in-use":
      return {
        sentence: "Another program is using your Ledger.",
        action: "Close Ledger Live and other wallet pages, then try again.",
      };
    case "locked":
      return { sentence: "Your Ledger is locked.", action: "Enter its PIN on the device, then try again." };
    case "dashboard":
      return {
        sentence: "Your Ledger shows its menu, with no app open.",
        action: "Open the Ethereum app on the device, then try again.",
      };
    case "wrong-app":
      return {
        sentence: `Another app is open on your Ledger${about}.`,
        action: "Leave it, open the Ethereum app on the device, then try again.",
      };
    case "app-too-old":
      return {
        sentence: `The Ethereum app on your Ledger is too old to show a whole statement${about}.`,
        action: "Update the Ethereum app in Ledger Live, then try again.",
      };
    case "wrong-device":
      return {
        sentence: "This device does not hold an address that is enrolled for you.",
        action: "Connect the device that you enrolled, then try again.",
      };
    case "declined":
      return {
        sentence: "You declined on the device. Nothing was signed, and the request is still open.",
        action: "Confirm again when you are ready, or reject the request here.",
      };
    case "unplugged":
      return {
        sentence: "Your Ledger was disconnected. Nothing was sent, and the request is still open.",
        action: "Plug it in again, open its Ethereum app and try again.",
      };
    case "busy":
      return {
        sentence: "Your Ledger is already being asked something, here or in another window.",
        action: "Answer or reject what it shows, close the other window, then try again.",
      };
    case "too-long":
      return {
        sentence: "The statement is longer than your Ledger accepts. Nothing was signed.",
        action: "Ask the initiator for a smaller operation.",
      };
    case "firmware-too-old":
      return {
        sentence: `The firmware of your Ledger is too old${about}.`,
        action: "Update it in Ledger Live, then try again.",
      };
    case "cancelled":
      return {
        sentence: "The question to your Ledger was cancelled. Nothing was signed, and the request is still open.",
        action: "Also reject it on the device if it still asks; then try again when you are ready.",
      };
    case "timed-out":
      return {
        sentence: "Your Ledger was not answered in time. Nothing was signed, and the request is still open.",
        action: "Reject what the device still shows, then try again.",
      };
    case "suite-missing":
    case "local-network-blocked":
    case "unknown":
      return {
        sentence: `Your Ledger answered in a way that is not known here${about}. Nothing was sent.`,
        action: "Unplug it, plug it in again and try once more; then tell your operator the code.",
      };
  }
}
