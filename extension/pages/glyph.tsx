/** Small pictures of a device's state. Each stands beside its sentence: none carries meaning alone. */
import type { Vendor } from "../../protocol/vendor.ts";
import type { DeviceOutcome } from "../devices/device.ts";

/** Outlines on 64 by 40: a Ledger lies, a Trezor stands. The sign goes on the screen. */
const BODIES: Record<Vendor, string> = {
  Ledger: "M10 10h44a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H10a3 3 0 0 1-3-3V13a3 3 0 0 1 3-3zM49 10v20",
  Trezor: "M19 3h26a4 4 0 0 1 4 4v17L38 37H26L15 24V7a4 4 0 0 1 4-4zM20 8h24v16H20z",
};
/** Where the sign's middle stands on each. */
const MIDDLE: Record<Vendor, readonly [number, number]> = { Ledger: [28, 20], Trezor: [32, 16] };

/** What of the drawing is shown. */
const VIEW: Record<Vendor, string> = { Ledger: "5 8 54 24", Trezor: "13 1 38 38" };

/** On 12 by 12 around 0,0. */
const SIGNS = {
  plug: "M-6 0h3M-3-3v6h4v-6zM1-1.5h4M1 1.5h4",
  lock: "M-4-.5h8V5h-8zM-2.5-.5V-3a2.5 2.5 0 0 1 5 0v2.5",
  menu: "M-5-5h4v4h-4zM1-5h4v4H1zM-5 1h4v4h-4zM1 1h4v4H1z",
  app: "M-5-5H5V5H-5zM-2.5-2.5l5 5M2.5-2.5l-5 5",
  old: "M0 5V-5M-4-1l4-4 4 4",
  key: "M-5 0a2.2 2.2 0 1 0 4.4 0 2.2 2.2 0 0 0-4.4 0zM-.6 0H5v2.5M2.5 0v2",
  cross: "M-4-4l8 8M4-4l-8 8",
  clock: "M0 5A5 5 0 1 0 0-5 5 5 0 0 0 0 5zM0-3v3l2 2",
  windows: "M-5-5H2V2h-7zM-1 2v3h6v-7H2",
  text: "M-5-4H5M-5-1.3H5M-5 1.3H5M-5 4H1",
  shut: "M0 5A5 5 0 1 0 0-5 5 5 0 0 0 0 5zM-3.5 3.5l7-7",
  question: "M-2.5-2.5a2.5 2.5 0 1 1 3.7 2.2C.3.3 0 .8 0 1.8M0 4.6v.2",
  check: "M-4.5 0l3 3.5 6-7",
} as const;

const SIGN_OF: Record<DeviceOutcome, keyof typeof SIGNS> = {
  "not-connected": "plug",
  "suite-missing": "plug",
  "local-network-blocked": "shut",
  "no-permission": "shut",
  "in-use": "windows",
  locked: "lock",
  dashboard: "menu",
  "wrong-app": "app",
  "app-too-old": "old",
  "firmware-too-old": "old",
  "wrong-device": "key",
  declined: "cross",
  cancelled: "cross",
  "timed-out": "clock",
  unplugged: "plug",
  busy: "windows",
  "too-long": "text",
  unknown: "question",
};

/** A device with a sign of its outcome; without one, a device that is ready or, with `plain`, nothing but a device. */
export function Glyph({ vendor, outcome, plain }: { vendor: Vendor; outcome?: DeviceOutcome; plain?: boolean }) {
  const [x, y] = MIDDLE[vendor];
  const sign = SIGNS[outcome === undefined ? "check" : SIGN_OF[outcome]];
  return (
    <svg
      class="glyph"
      preserveAspectRatio="xMinYMid"
      viewBox={VIEW[vendor]}
      width="48"
      height="40"
      aria-hidden="true"
      focusable="false"
    >
      <g fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round">
        <path d={BODIES[vendor]} />
        {plain !== true && <path d={sign} transform={`translate(${x} ${y})`} />}
      </g>
    </svg>
  );
}
