/** This person's devices as the agent's newest welcome lists them. README.md, "Receiving". Only the agent says what counts. */
import type { DeviceRecord } from "../protocol/message.ts";
import type { Records } from "./database.ts";
import type { DeviceModel } from "./devices/device.ts";

/** The path kept for approvals, where a device that this browser did not enrol is looked for. */
export const APPROVAL_PATH = "m/44'/60'/7'/0/0";

const MODELS: readonly DeviceModel[] = [
  "nano-s-plus",
  "nano-x",
  "flex",
  "stax",
  "nano-s",
  "trezor-one",
  "trezor-t",
  "trezor-safe-3",
  "trezor-safe-5",
  "trezor-safe-7",
];

/** Brings the stored devices in line. What was sent and is not listed yet, or was refused, stays as it is. */
export async function mergeDevices(records: Records, listed: readonly DeviceRecord[]): Promise<void> {
  for (const known of await records.all("devices")) {
    const gone = !listed.some((device) => device.address === known.address);
    if (gone && (known.state === "pending" || known.state === "enrolled")) records.remove("devices", known.address);
  }
  for (const { address, vendor, model, state } of listed) {
    const known = await records.get("devices", address);
    const shown = known?.model ?? MODELS.find((one) => one === model);
    // A model that this version does not know cannot be asked to sign here.
    if (shown === undefined) continue;
    const path = known?.path ?? APPROVAL_PATH;
    records.put("devices", address, { ...known, address, vendor, model: shown, path, state, problem: null });
  }
}
