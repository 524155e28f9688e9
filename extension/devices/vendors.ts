/**
 * The vendors' devices by name: how each is connected for a person who pressed a button, and how it is looked at when nobody did.
 * A new vendor is one file beside ledger.ts and one line in each place here. README.md, "Devices". It never asks anything on a device.
 */
import type { Vendor } from "../../protocol/vendor.ts";
import { type ApprovalDevice, DeviceFault } from "./device.ts";
import { connectLedger } from "./ledger.ts";
import { HELD_BACK, suiteAnswers } from "./suite.ts";
import { connectTrezor } from "./trezor.ts";

/** Connects after a click. With `choose` a Ledger is picked in the browser's list, even where one is permitted already. @throws DeviceFault */
export async function connectDevice(vendor: Vendor, { choose = false } = {}): Promise<ApprovalDevice> {
  switch (vendor) {
    case "Ledger":
      return choose ? await connectLedger({ choose }) : await connectPermitted();
    case "Trezor":
      return await connectTrezor();
  }
}

async function connectPermitted(): Promise<ApprovalDevice> {
  try {
    return await connectLedger({ choose: false });
  } catch (error) {
    const permitted = !(error instanceof DeviceFault && ["no-permission", "not-connected"].includes(error.outcome));
    if (permitted) throw error;
    return await connectLedger({ choose: true });
  }
}

/** How long between two looks. Milliseconds. */
export const LOOK_EVERY: Record<Vendor, number> = { Ledger: 2000, Trezor: 3000 };

/**
 * Looks whether the device could be asked now; nothing is shown on it. `check` is given a connected Ledger; a Trezor is not connected.
 * Call it inside `withDeviceIfFree` for a Ledger, beside it for a Trezor: it may take a minute and asks the Trezor nothing. @throws DeviceFault that says what is in the way
 */
export async function lookAtDevice(vendor: Vendor, check: (device: ApprovalDevice) => Promise<void>): Promise<void> {
  if (vendor === "Trezor") {
    if (!(await suiteAnswers(HELD_BACK))) throw new DeviceFault("suite-missing");
    return;
  }
  const device = await connectLedger({ choose: false });
  try {
    await check(device);
  } finally {
    await device.close().catch(() => undefined);
  }
}
