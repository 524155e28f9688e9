/**
 * How an attempt to confirm on a device can end, as data: what a person with a Ledger or a Trezor is told, or why it cannot happen to
 * them. The shared suite (every-outcome.ts) drives every entry on every device; outcome-document.ts makes docs/outcomes.md from it. Pure.
 * It states the words a second time, on purpose: what the pages say is compared with it. README.md, "Devices".
 */
import type { DeviceOutcome } from "../../extension/devices/device.ts";
import type { Vendor } from "../../protocol/vendor.ts";

/** What the page says, and the one thing to do. What stands in {braces} depends on the case. */
export interface Told {
  readonly sentence: string;
  readonly action: string;
  /** How the suite brings it about, for the document. */
  readonly when: string;
}

/** Why it cannot happen on a vendor's devices. */
export interface Never {
  readonly never: string;
}

export interface Ending extends Readonly<Record<Vendor, Told | Never>> {
  readonly code: DeviceOutcome;
  readonly title: string;
}

const OPEN = "and the request is still open.";

const TABLE: Readonly<Record<DeviceOutcome, Omit<Ending, "code">>> = {
  "not-connected": {
    title: "Not connected",
    Ledger: {
      when: "a locked Ledger is unplugged",
      sentence: "No Ledger is connected.",
      action: "Plug it in, unlock it, open its Ethereum app and choose it again.",
    },
    Trezor: {
      when: "Suite runs, with no Trezor plugged in",
      sentence: "Trezor Suite sees no Trezor.",
      action: "Plug it in, unlock it, wait until Trezor Suite shows it; then try again.",
    },
  },
  "suite-missing": {
    title: "Trezor Suite is not running",
    Ledger: { never: "a Ledger is reached over USB, without Trezor Suite" },
    Trezor: {
      when: "nothing listens on Suite's port",
      sentence: "Trezor Suite is not running on this computer.",
      action: "Start the Trezor Suite desktop app, connect your Trezor there, then try again.",
    },
  },
  "local-network-blocked": {
    title: "Programs on this computer are out of the browser's reach",
    Ledger: { never: "a Ledger is reached over USB, without a local address" },
    Trezor: {
      when: "the browser's permission for local addresses is denied",
      sentence: "This browser does not let OpenCustody reach Trezor Suite on this computer.",
      action: "Allow local network access for OpenCustody in the browser's site settings, then try again.",
    },
  },
  "no-permission": {
    title: "Permission not given",
    Ledger: {
      when: "nothing is picked in the browser's list",
      sentence: "No Ledger was chosen in the browser's list.",
      action: "Plug it in, unlock it and open its Ethereum app; then try again and select it in the list.",
    },
    Trezor: {
      when: "Suite's question whether OpenCustody may use the Trezor is denied",
      sentence: "Trezor Suite was not allowed to answer OpenCustody.",
      action: "Try again, and allow it in Trezor Suite's window.",
    },
  },
  "in-use": {
    title: "Used by another program",
    Ledger: {
      when: "another program holds the USB interface",
      sentence: "Another program is using your Ledger.",
      action: "Close Ledger Live and other wallet pages, then try again.",
    },
    Trezor: {
      when: "Suite reports another user of the device",
      sentence: "Another program or window is using your Trezor.",
      action: "Close other wallet programs and pages, then try again.",
    },
  },
  locked: {
    title: "Locked",
    Ledger: {
      when: "the lock screen is shown",
      sentence: "Your Ledger is locked.",
      action: "Enter its PIN on the device, then try again.",
    },
    Trezor: {
      when: "the PIN is not entered",
      sentence: "Your Trezor is locked.",
      action: "Try again, and enter its PIN when it asks.",
    },
  },
  dashboard: {
    title: "Dashboard, no app open",
    Ledger: {
      when: "the device's menu is shown",
      sentence: "Your Ledger shows its menu, with no app open.",
      action: "Open the Ethereum app on the device, then try again.",
    },
    Trezor: { never: "a Trezor has no apps: its firmware signs" },
  },
  "wrong-app": {
    title: "Wrong app, or not set up",
    Ledger: {
      when: "the Bitcoin app is open",
      sentence: "Another app is open on your Ledger (Bitcoin).",
      action: "Leave it, open the Ethereum app on the device, then try again.",
    },
    Trezor: {
      when: "the Trezor has no wallet yet",
      sentence: "Your Trezor cannot sign for Ethereum as it is now (it is not set up).",
      action: "Finish its setup in Trezor Suite, with the universal firmware, then try again.",
    },
  },
  "app-too-old": {
    title: "App too old",
    Ledger: {
      when: "the Ethereum app is 1.9.19",
      sentence:
        "The Ethereum app on your Ledger is too old to show a whole statement (version 1.9.19, and 1.9.20 is the oldest).",
      action: "Update the Ethereum app in Ledger Live, then try again.",
    },
    Trezor: { never: "a Trezor has no apps; its firmware can be too old" },
  },
  "firmware-too-old": {
    title: "Firmware too old",
    Ledger: { never: "what matters is the Ethereum app: old firmware runs none that is new enough" },
    Trezor: {
      when: "the firmware is one below the oldest that shows all of a message",
      sentence:
        "The firmware of your Trezor is too old to show a whole statement (version {old}, and {oldest} is the oldest).",
      action: "Update the firmware in Trezor Suite, then try again.",
    },
  },
  "wrong-device": {
    title: "Wrong seed or passphrase",
    Ledger: {
      when: "a Ledger with another seed is plugged in",
      sentence: "This device does not hold an address that is enrolled for you.",
      action: "Connect the device that you enrolled, with its own passphrase if it has one, then try again.",
    },
    Trezor: {
      when: "another passphrase is in use",
      sentence: "This Trezor, with the passphrase in use, does not hold an address that is enrolled for you.",
      action: "Choose in Trezor Suite the device and the wallet (passphrase) that you enrolled, then try again.",
    },
  },
  declined: {
    title: "Declined on the device",
    Ledger: {
      when: "the person rejects what the device shows",
      sentence: `You declined on the device. Nothing was signed, ${OPEN}`,
      action: "Confirm again when you are ready, or reject the request here.",
    },
    Trezor: {
      when: "the person rejects what the device shows",
      sentence: `You declined on the device. Nothing was signed, ${OPEN}`,
      action: "Confirm again when you are ready, or reject the request here.",
    },
  },
  cancelled: {
    title: "Cancelled beside the device",
    Ledger: { never: "only its owner can end what a Ledger asks" },
    Trezor: {
      when: "the person closes Suite's question",
      sentence: `The question to your Trezor was cancelled. Nothing was signed, ${OPEN}`,
      action: "Try again when you are ready, or reject the request here.",
    },
  },
  "timed-out": {
    title: "Nobody answered",
    Ledger: {
      when: "ten minutes pass; the Ledger goes on asking, and its answer counts",
      sentence: `Nobody answered on the device for ten minutes. Nothing was signed, ${OPEN}`,
      action: "Your Ledger still asks, and only you can end that: sign or reject it there.",
    },
    Trezor: {
      when: "five minutes pass; the prompt is taken back",
      sentence: `Trezor Suite waited five minutes for you. Nothing was signed, ${OPEN}`,
      action: "Close what Trezor Suite still asks, then try again.",
    },
  },
  unplugged: {
    title: "Unplugged while it asks",
    Ledger: {
      when: "the cable is pulled in mid-prompt",
      sentence: `Your Ledger was disconnected. Nothing was sent, ${OPEN}`,
      action: "Plug it in again, open its Ethereum app and try again.",
    },
    Trezor: {
      when: "the cable is pulled in mid-prompt",
      sentence: `Your Trezor or Trezor Suite was disconnected. Nothing was sent, ${OPEN}`,
      action: "Plug your Trezor in again, see that Trezor Suite runs and shows it, then try again.",
    },
  },
  busy: {
    title: "Busy in another window",
    Ledger: {
      when: "another window has the Ledger asked",
      sentence: "Your Ledger is already being asked something, here or in another window.",
      action: "Another OpenCustody window is using it for request {other}. Finish there: this page goes on by itself.",
    },
    Trezor: {
      when: "another window has the Trezor asked",
      sentence: "Your Trezor is already being asked something, here or in another window.",
      action: "Another OpenCustody window is using it for request {other}. Finish there: this page goes on by itself.",
    },
  },
  "too-long": {
    title: "Message too long",
    Ledger: {
      when: "the device answers 6a84",
      sentence: "The statement is longer than your Ledger accepts. Nothing was signed.",
      action: "Ask the initiator for a smaller operation.",
    },
    Trezor: {
      when: "the device answers Failure_DataError",
      sentence: "The statement is longer than a Trezor accepts. Nothing was signed.",
      action: "Ask the initiator for a smaller operation.",
    },
  },
  unknown: {
    title: "Unknown",
    Ledger: {
      when: "the device answers a status word that nobody knows",
      sentence: "Your Ledger answered in a way that is not known here (status 6f42). Nothing was sent.",
      action: "Unplug it, plug it in again and try once more; then tell your operator the code.",
    },
    Trezor: {
      when: "Suite answers a code that nobody knows",
      sentence:
        "Trezor Suite answered in a way that is not known here (Something_New: as the test wants it). Nothing was sent.",
      action: "Close and start Trezor Suite, try once more; then tell your operator the code.",
    },
  },
};

export const ENDINGS: readonly Ending[] = Object.entries(TABLE).map(([code, ending]) => ({
  code: code as DeviceOutcome,
  ...ending,
}));
