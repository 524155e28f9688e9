/** Which of a person's devices is asked, and how each is named. Pure. */
import type { Vendor } from "../../protocol/vendor.ts";
import type { StoredDevice } from "../store.ts";
import { modelName } from "./wording.ts";

/** "Trezor One", or "Desk (Trezor One)" where its owner has named it. */
export function deviceName(device: Pick<StoredDevice, "model" | "label">): string {
  const model = modelName(device.model);
  return device.label === undefined ? model : `${device.label} (${model})`;
}

/**
 * Those of the devices that count which can be asked here, the best first: whose approval brings the request nearer, then the one used
 * last, then as they stand. `canReach` says of a vendor whether this browser reaches it, `helps` whether its approval counts towards
 * what is missing.
 */
export function askable(
  devices: readonly StoredDevice[],
  canReach: (vendor: Vendor) => boolean,
  helps: (vendor: Vendor) => boolean = () => true,
): StoredDevice[] {
  return devices
    .filter((device) => canReach(device.vendor))
    .sort((a, b) => Number(helps(b.vendor)) - Number(helps(a.vendor)) || (b.usedAt ?? 0) - (a.usedAt ?? 0));
}
