/**
 * Looks at what stands between this page and a device, for the page that finds the cause. Nothing is shown on a device, and no address
 * leaves this file. What it means is finding.ts's.
 */
import { loadDevices } from "../actions.ts";
import { type ApprovalDevice, DeviceFault } from "../devices/device.ts";
import { withDevice } from "../devices/owner.ts";
import { localNetworkPermission, suiteAnswers } from "../devices/suite.ts";
import { supportsLedger } from "../devices/support.ts";
import { connectDevice } from "../devices/vendors.ts";
import { ledgerSteps, type Step, type Tried, trezorSteps } from "./finding.ts";

export interface Findings {
  readonly steps: readonly Step[];
}

/** With `choose` the browser's list is shown, which needs a click. */
export async function findLedger({ choose }: { readonly choose: boolean }): Promise<Findings> {
  const webUsb = supportsLedger();
  let tried: Tried | null = null;
  if (webUsb && (choose || (await visibleLedgers()) > 0)) {
    tried = await attempt(async () => await connectDevice("Ledger", { choose }));
  }
  // After the list: what was chosen there is visible only now.
  const visible = webUsb ? await visibleLedgers() : 0;
  return { steps: ledgerSteps({ webUsb, linux: isLinux(), visible, tried }) };
}

/** With `ask` Suite is asked for its device, and may ask the person in its own window. */
export async function findTrezor({ ask }: { readonly ask: boolean }): Promise<Findings> {
  const permission = await localNetworkPermission();
  const suite = permission !== "denied" && (await suiteAnswers());
  const tried = ask && suite ? await attempt(async () => await connectDevice("Trezor")) : null;
  return { steps: trezorSteps({ linux: isLinux(), permission, suite, tried }) };
}

async function attempt(connect: () => Promise<ApprovalDevice>): Promise<Tried> {
  try {
    return await withDevice("finding a device", async () => {
      const device = await connect();
      try {
        return { outcome: (await isOurs(device)) ? "ready" : "wrong-device", detail: "" };
      } finally {
        await device.close().catch(() => undefined);
      }
    });
  } catch (error) {
    if (error instanceof DeviceFault) return { outcome: error.outcome, detail: error.detail };
    return { outcome: "unknown", detail: String(error) };
  }
}

/** Whether it holds an address that is enrolled for this person. Who has enrolled none of its vendor has nothing to compare with. */
async function isOurs(device: ApprovalDevice): Promise<boolean> {
  const enrolled = (await loadDevices()).filter((one) => one.state === "enrolled" && one.vendor === device.vendor);
  for (const path of new Set(enrolled.map((one) => one.path))) {
    const address = await device.address(path, { show: false });
    if (enrolled.some((one) => one.path === path && one.address === address)) return true;
  }
  return enrolled.length === 0;
}

async function visibleLedgers(): Promise<number> {
  const LEDGER = 0x2c97;
  return (await navigator.usb.getDevices()).filter(({ vendorId }) => vendorId === LEDGER).length;
}

function isLinux(): boolean {
  return /Linux/.test(navigator.userAgent) && !/Android/.test(navigator.userAgent);
}
