/**
 * Why a device is not found, step by step: each step is fine, wrong with one thing to do, or comes later. From what was seen, in the
 * order in which the causes hide each other. Pure. README.md, "Devices".
 */
import type { Vendor } from "../../protocol/vendor.ts";
import { type DeviceOutcome, describeOutcome } from "../devices/device.ts";

export interface Step {
  readonly state: "fine" | "wrong" | "later";
  readonly title: string;
  /** What is so, where it is wrong. */
  readonly text: string;
  /** The one thing to do, where it is wrong. */
  readonly action: string;
  /** A line for a terminal, to be copied. */
  readonly command?: string;
}

/** What connecting came to: ready and enrolled, or a fault; null where it was not tried. */
export interface Tried {
  readonly outcome: DeviceOutcome | "ready";
  readonly detail: string;
}

export interface LedgerSeen {
  readonly webUsb: boolean;
  readonly linux: boolean;
  /** Ledgers that are plugged in and that this extension may use. */
  readonly visible: number;
  readonly tried: Tried | null;
}

export interface TrezorSeen {
  readonly linux: boolean;
  readonly permission: PermissionState;
  readonly suite: boolean;
  readonly tried: Tried | null;
}

/** Makes the USB devices of a vendor readable for whoever sits at this computer. Pages cannot do it. */
const UDEV: Record<Vendor, string> = {
  Ledger: udevCommand("70-ledger", ['ATTRS{idVendor}=="2c97"']),
  Trezor: udevCommand("51-trezor", [
    'ATTRS{idVendor}=="534c", ATTRS{idProduct}=="0001"',
    'ATTRS{idVendor}=="1209", ATTRS{idProduct}=="53c[01]"',
  ]),
};

function udevCommand(file: string, devices: readonly string[]): string {
  const rules = devices.flatMap((match) => [
    `'SUBSYSTEM=="usb", ${match}, TAG+="uaccess"'`,
    `'KERNEL=="hidraw*", ${match}, TAG+="uaccess"'`,
  ]);
  return `printf '%s\\n' ${rules.join(" ")} | sudo tee /etc/udev/rules.d/${file}.rules && sudo udevadm control --reload-rules && sudo udevadm trigger`;
}

/** Outcomes by the step at which they show that something is wrong; what is not named here belongs to the last step. */
const LEDGER_STEPS: readonly (readonly [string, ReadonlySet<DeviceOutcome>])[] = [
  ["No other program holds it", new Set<DeviceOutcome>(["in-use", "busy"])],
  ["It is unlocked", new Set<DeviceOutcome>(["locked"])],
  ["Its Ethereum app is open", new Set<DeviceOutcome>(["dashboard", "wrong-app"])],
  ["The Ethereum app is recent enough", new Set<DeviceOutcome>(["app-too-old", "firmware-too-old"])],
];
const TREZOR_STEPS: readonly (readonly [string, ReadonlySet<DeviceOutcome>])[] = [
  ["Trezor Suite lets OpenCustody ask", new Set<DeviceOutcome>(["no-permission"])],
  ["Trezor Suite sees your Trezor", new Set<DeviceOutcome>(["not-connected", "unplugged", "suite-missing"])],
  ["No other program holds it", new Set<DeviceOutcome>(["in-use", "busy"])],
  [
    "It is set up, and its firmware is recent enough",
    new Set<DeviceOutcome>(["wrong-app", "dashboard", "app-too-old", "firmware-too-old"]),
  ],
];
const ENROLLED = "It holds an address that is enrolled for you";

export function ledgerSteps({ webUsb, linux, visible, tried }: LedgerSeen): Step[] {
  const absent = visible === 0;
  // A device that the system does not let the browser open fails so, and a page cannot tell it better.
  const forbidden = tried !== null && tried.detail.startsWith("SecurityError");
  return inOrder([
    step("This browser can reach a Ledger", webUsb, {
      text: "This browser has no WebUSB.",
      action: "Use Chromium, Chrome, Edge or Brave for a Ledger, or a Trezor in this browser.",
    }),
    step("A Ledger is plugged in that this browser may use", !absent, {
      text: "None is.",
      action:
        "Plug it in with a cable that carries data, unlock it, then press “Choose your Ledger”. Where the list stays empty, try another cable or port.",
    }),
    ...(linux
      ? [
          step("Linux lets you use it", !forbidden, {
            text: "Linux does not let the browser open the device: its udev rule is missing.",
            action: "Run this line in a terminal, then unplug the Ledger and plug it in again.",
            command: UDEV.Ledger,
          }),
        ]
      : []),
    ...triedSteps("Ledger", LEDGER_STEPS, tried),
  ]);
}

export function trezorSteps({ linux, permission, suite, tried }: TrezorSeen): Step[] {
  const missing = describeOutcome("not-connected", "", "Trezor");
  return inOrder([
    step(
      "This browser lets OpenCustody reach this computer",
      permission !== "denied" && tried?.outcome !== "local-network-blocked",
      told("Trezor", { outcome: "local-network-blocked", detail: "" }),
    ),
    step("Trezor Suite runs on this computer", suite, told("Trezor", { outcome: "suite-missing", detail: "" })),
    ...triedSteps("Trezor", TREZOR_STEPS, tried).map((one): Step => {
      if (!linux || one.state !== "wrong" || one.text !== missing.sentence) return one;
      return {
        ...one,
        action: `${one.action} Where Suite never sees it, run this line in a terminal and plug it in again.`,
        command: UDEV.Trezor,
      };
    }),
  ]);
}

function triedSteps(
  vendor: Vendor,
  steps: readonly (readonly [string, ReadonlySet<DeviceOutcome>])[],
  tried: Tried | null,
): Step[] {
  if (tried === null) return [...steps.map(([title]) => title), ENROLLED].map(later);
  const outcome = tried.outcome;
  const at = outcome === "ready" ? steps.length + 1 : steps.findIndex(([, outcomes]) => outcomes.has(outcome));
  const wrong = at < 0 ? steps.length : at;
  return [...steps.map(([title]) => title), ENROLLED].map((title, index) =>
    index < wrong ? fine(title) : index === wrong ? { state: "wrong", title, ...told(vendor, tried) } : later(title),
  );
}

function told(vendor: Vendor, { outcome, detail }: Tried): { text: string; action: string } {
  if (outcome === "ready") return { text: "", action: "" };
  const { sentence, action } = describeOutcome(outcome, detail, vendor);
  return { text: sentence, action };
}

function step(title: string, isFine: boolean, wrong: Pick<Step, "text" | "action" | "command">): Step {
  return isFine ? fine(title) : { state: "wrong", title, ...wrong };
}

function fine(title: string): Step {
  return { state: "fine", title, text: "", action: "" };
}

function later(title: string): Step {
  return { state: "later", title, text: "", action: "" };
}

/** Behind the first that is wrong nothing is known. */
function inOrder(steps: readonly Step[]): Step[] {
  const wrong = steps.findIndex(({ state }) => state === "wrong");
  return steps.map((one, at) => (wrong >= 0 && at > wrong ? later(one.title) : one));
}
