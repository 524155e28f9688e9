/**
 * From a click to a signature on a device: connects it (a Ledger may have to be chosen in the browser's list first), lets actions.ts
 * check the request and the device, and says when the device begins to ask; and what a person is told when it came to nothing.
 */
import type { Vendor } from "../../protocol/vendor.ts";
import { enrolledOn, keepForReport, signWithDevice } from "../actions.ts";
import { type ApprovalDevice, DeviceFault, describeOutcome } from "../devices/device.ts";
import { DeviceTaken, withDevice, withDeviceIfFree } from "../devices/owner.ts";
import { connectDevice, lookAtDevice } from "../devices/vendors.ts";
import type { StoredRequest } from "../store.ts";
import type { Prompted, Signed, Stop } from "./confirming.ts";
import { problemOf } from "./problem.tsx";

interface Asking {
  readonly vendor: Vendor;
  /** Pick a Ledger in the browser's list, because the one that is found by itself was not the right one. */
  readonly choose?: boolean;
  readonly onAsk: (device: Prompted) => void;
  /** Takes a Trezor's prompt back. A Ledger's stays: only its owner can end it. */
  readonly signal: AbortSignal;
}

/** Call it from a click. @throws DeviceFault, Fault */
export async function signOnDevice(requestId: string, { vendor, choose, onAsk, signal }: Asking): Promise<Signed> {
  const use = { vendor, use: `request ${requestId}`, choose: choose === true };
  return await withConnected(use, async (device) => {
    const takeBack = (): void => void (vendor === "Trezor" && device.close());
    signal.addEventListener("abort", takeBack, { once: true });
    return await signWithDevice(requestId, announcing(device, onAsk));
  });
}

interface Use {
  readonly vendor: Vendor;
  /** What for, as our other windows say it. */
  readonly use: string;
  readonly choose?: boolean;
}

/**
 * Runs `work` with a connected device, alone among our windows, and closes it. What is not known here is kept for a report.
 * @throws DeviceFault, and what `work` throws
 */
export async function withConnected<T>(
  { vendor, use, choose = false }: Use,
  work: (device: ApprovalDevice) => Promise<T>,
): Promise<T> {
  return await withDevice(use, async () => {
    try {
      const device = await connectDevice(vendor, { choose });
      try {
        return await work(device);
      } finally {
        // What a device says while being closed changes nothing any more.
        await device.close().catch(() => undefined);
      }
    } catch (error) {
      // Where it cannot be kept, it is still on the page.
      const unknown = error instanceof DeviceFault && error.outcome === "unknown";
      if (unknown) await keepForReport(vendor, error.detail).catch(() => undefined);
      throw error;
    }
  });
}

/** Looks whether the device could be asked for `request` now, showing nothing on it. Null: it is ready. Waits for no other window. */
export async function lookAgain(vendor: Vendor, request: Pick<StoredRequest, "payload">): Promise<Stop | null> {
  try {
    const look = async () => await lookAtDevice(vendor, async (device) => void (await enrolledOn(device, request)));
    // A look for Suite may take long and touches no device: it must not keep a click waiting.
    await withDeviceIfFree(vendor === "Trezor" ? async () => undefined : look);
    if (vendor === "Trezor") await look();
    return null;
  } catch (error) {
    return explain(error, vendor);
  }
}

function announcing(device: ApprovalDevice, onAsk: (device: Prompted) => void): ApprovalDevice {
  const { vendor, model, appVersion } = device;
  return {
    vendor,
    model,
    appVersion,
    address: (path, options) => device.address(path, options),
    signStatement: (path, statement) => {
      onAsk({ vendor, model, appVersion });
      return device.signStatement(path, statement);
    },
    close: () => device.close(),
  };
}

/** What a person is told when it did not come to a signature. */
export function explain(error: unknown, vendor: Vendor): Stop {
  if (!(error instanceof DeviceFault)) {
    const { code, message } = problemOf(error);
    return { code, sentence: message, action: "" };
  }
  const { outcome, detail } = error;
  const said = describeOutcome(outcome, detail, vendor);
  const action = error instanceof DeviceTaken ? takenBy(error.use) : said.action;
  const small = error instanceof DeviceTaken ? "" : detail;
  return { code: outcome, ...said, action, device: { vendor, outcome, detail: small } };
}

function takenBy(use: string): string {
  const what = use === "" ? "" : ` for ${use}`;
  return `Another OpenCustody window is using it${what}. Finish there: this page goes on by itself.`;
}
