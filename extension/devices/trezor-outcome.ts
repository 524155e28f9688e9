/**
 * What a person with a Trezor is told about each outcome: what is so, and the one thing to do. README.md, "Devices".
 * It knows neither Suite's frames nor its codes: trezor.ts does.
 */
import type { DeviceOutcome } from "./device.ts";

/** `about` is small print with a space before it, e.g. ` (Failure_Busy)`, or empty. */
export function describeTrezorOutcome(outcome: DeviceOutcome, about: string): { sentence: string; action: string } {
  switch (outcome) {
    case "suite-missing":
      return {
        sentence: "Trezor Suite is not running on this computer.",
        action: "Start the Trezor Suite desktop app, connect your Trezor there, then try again.",
      };
    case "local-network-blocked":
      return {
        sentence: "This browser does not let OpenCustody reach Trezor Suite on this computer.",
        action: "Allow local network access for OpenCustody in the browser's site settings, then try again.",
      };
    case "not-connected":
      return {
        sentence: "Trezor Suite sees no Trezor.",
        action: "Plug it in, unlock it, wait until Trezor Suite shows it; then try again.",
      };
    case "no-permission":
      return {
        sentence: "Trezor Suite was not allowed to answer OpenCustody.",
        action: "Try again, and allow it in Trezor Suite's window.",
      };
    case "in-use":
      return {
        sentence: "Another program or window is using your Trezor.",
        action: "Close other wallet programs and pages, then try again.",
      };
    case "locked":
      return { sentence: "Your Trezor is locked.", action: "Try again, and enter its PIN when it asks." };
    case "dashboard":
    case "wrong-app":
      return {
        sentence: `Your Trezor cannot sign for Ethereum as it is now${about}.`,
        action: "Finish its setup in Trezor Suite, with the universal firmware, then try again.",
      };
    case "app-too-old":
    case "firmware-too-old":
      return {
        sentence: `The firmware of your Trezor is too old to show a whole statement${about}.`,
        action: "Update the firmware in Trezor Suite, then try again.",
      };
    case "wrong-device":
      return {
        sentence: "This Trezor, with the passphrase in use, does not hold an address that is enrolled for you.",
        action: "Choose in Trezor Suite the device and the wallet (passphrase) that you enrolled, then try again.",
      };
    case "declined":
      return {
        sentence: "You declined on the device. Nothing was signed, and the request is still open.",
        action: "Confirm again when you are ready, or reject the request here.",
      };
    case "cancelled":
      return {
        sentence: "The question to your Trezor was cancelled. Nothing was signed, and the request is still open.",
        action: "Try again when you are ready, or reject the request here.",
      };
    case "timed-out":
      return {
        sentence: "Trezor Suite waited five minutes for you. Nothing was signed, and the request is still open.",
        action: "Close what Trezor Suite still asks, then try again.",
      };
    case "unplugged":
      return {
        sentence: "Your Trezor or Trezor Suite was disconnected. Nothing was sent, and the request is still open.",
        action: "Plug your Trezor in again, see that Trezor Suite runs and shows it, then try again.",
      };
    case "busy":
      return {
        sentence: "Your Trezor is already being asked something, here or in another window.",
        action: "Answer or reject what it shows, close the other window, then try again.",
      };
    case "too-long":
      return {
        sentence: "The statement is longer than a Trezor accepts. Nothing was signed.",
        action: "Ask the initiator for a smaller operation.",
      };
    case "unknown":
      return {
        sentence: `Trezor Suite answered in a way that is not known here${about}. Nothing was sent.`,
        action: "Close and start Trezor Suite, try once more; then tell your operator the code.",
      };
  }
}
