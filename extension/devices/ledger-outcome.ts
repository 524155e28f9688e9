/**
 * What a person with a Ledger is told about each outcome: what is so, and the one thing to do. README.md, "Devices".
 * It knows neither status words nor a browser's errors: ledger.ts does.
 */
import type { DeviceOutcome } from "./device.ts";

/** `about` is small print with a space before it, e.g. ` (Bitcoin)`, or empty. */
export function describeLedgerOutcome(outcome: DeviceOutcome, about: string): { sentence: string; action: string } {
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
    case "firmware-too-old":
      return {
        sentence: `The firmware of your Ledger is too old${about}.`,
        action: "Update it in Ledger Live, then try again.",
      };
    case "wrong-device":
      return {
        sentence: "This device does not hold an address that is enrolled for you.",
        action: "Connect the device that you enrolled, with its own passphrase if it has one, then try again.",
      };
    case "declined":
      return {
        sentence: "You declined on the device. Nothing was signed, and the request is still open.",
        action: "Confirm again when you are ready, or reject the request here.",
      };
    case "cancelled":
      return {
        sentence: "The question to your Ledger was cancelled. Nothing was signed, and the request is still open.",
        action: "Also reject it on the device if it still asks; then try again when you are ready.",
      };
    case "timed-out":
      return {
        sentence: "Nobody answered on the device for ten minutes. Nothing was signed, and the request is still open.",
        action: "Your Ledger still asks, and only you can end that: sign or reject it there.",
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
    // The first two are Trezor Suite's: what is not a Ledger's own is not interpreted.
    case "suite-missing":
    case "local-network-blocked":
    case "unknown":
      return {
        sentence: `Your Ledger answered in a way that is not known here${about}. Nothing was sent.`,
        action: "Unplug it, plug it in again and try once more; then tell your operator the code.",
      };
  }
}
