/**
 * From a click to a signature on a Ledger: connects (asking for permission where there is none yet), lets actions.ts check the
 * request and the device, and says when the device begins to ask. Called from a click only: the chooser needs one.
 */
import { signWithDevice } from "../actions.ts";
import { type ApprovalDevice, DeviceFault, describeOutcome, withDevice } from "../devices/device.ts";
import { connectLedger } from "../devices/ledger.ts";
import type { Prompted, Signed, Stop } from "./confirming.ts";
import { problemOf } from "./problem.tsx";

/** @throws DeviceFault, Fault */
export async function signOnLedger(requestId: string, onAsk: (device: Prompted) => void): Promise<Signed> {
  return await withLedger(async (device) => await signWithDevice(requestId, announcing(device, onAsk)));
}

/** Runs `work` with a connected Ledger, alone among our windows, and closes it. @throws DeviceFault, and what `work` throws */
export async function withLedger<T>(work: (device: ApprovalDevice) => Promise<T>): Promise<T> {
  return await withDevice(async () => {
    const device = await connectOrChoose();
    try {
      return await work(device);
    } finally {
      // What a device says while being closed changes nothing any more.
      await device.close().catch(() => undefined);
    }
  });
}

async function connectOrChoose(): Promise<ApprovalDevice> {
  try {
    return await connectLedger({ choose: false });
  } catch (error) {
    const permitted = !(error instanceof DeviceFault && ["no-permission", "not-connected"].includes(error.outcome));
    if (permitted) throw error;
    return await connectLedger({ choose: true });
  }
}

function announcing(device: ApprovalDevice, onAsk: (device: Prompted) => void): ApprovalDevice {
  return {
    vendor: device.vendor,
    model: device.model,
    appVersion: device.appVersion,
    address: (path, options) => device.address(path, options),
    signStatement: (path, statement) => {
      onAsk({ model: device.model, appVersion: device.appVersion });
      return device.signStatement(path, statement);
    },
    close: () => device.close(),
  };
}

/** What a person is told when it did not come to a signature. */
export function explain(error: unknown): Stop {
  if (error instanceof DeviceFault) return { code: error.outcome, ...describeOutcome(error.outcome, error.detail) };
  const { code, message } = problemOf(error);
  return { code, sentence: message, action: "" };
}
