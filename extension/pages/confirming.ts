/**
 * One person's confirmation of one request, from the click to the kept approval: at most one prompt at a time, a cancel that
 * makes the late signature worthless, and a named stage for every outcome. It knows neither device nor store: both are ports.
 * Design, section 6.
 */
import type { Vendor } from "../../protocol/vendor.ts";
import type { DeviceModel, DeviceOutcome } from "../devices/device.ts";

/** What is so, and what to do; the code is small print. */
export interface Stop {
  readonly code: string;
  readonly sentence: string;
  /** Empty where the sentence says it. */
  readonly action: string;
  /** What the device said, where it was one: `detail` is small print for a report. */
  readonly device?: { readonly vendor: Vendor; readonly outcome: DeviceOutcome; readonly detail: string };
}

/** The device that shows the statement, as far as its pages depend on it. */
export interface Prompted {
  readonly vendor: Vendor;
  readonly model: DeviceModel;
  readonly appVersion: string;
}

export type Stage =
  /** `after` names the device that was not ready before, and is now. */
  | { readonly at: "ready"; readonly after?: Vendor }
  | { readonly at: "connecting"; readonly vendor: Vendor }
  /** The device shows the statement and waits for its owner. */
  | { readonly at: "asking"; readonly device: Prompted }
  /** As `asking`, and nobody has answered for long. What the device still says counts as before. */
  | { readonly at: "overdue"; readonly device: Prompted; readonly stop: Stop }
  | { readonly at: "keeping" }
  /** The approval is stored; how it goes on is read from the store. */
  | { readonly at: "kept" }
  | { readonly at: "stopped"; readonly stop: Stop }
  /**
   * Cancelled in the page. `device` says what became of the prompt, which on a Ledger only its owner can end: `unknown` where the device
   * itself has not said it. A Trezor's call is over here before it is there, and an unplugged device may go on asking.
   */
  | {
      readonly at: "withdrawn";
      readonly vendor: Vendor;
      readonly device: "asking" | "declined" | "signed" | "unknown";
    };

export interface Signed {
  readonly address: string;
  readonly signature: string;
}

export interface Ports {
  /** Connects, checks the device, calls `onAsk` when it asks, and gives the verified signature. `signal` takes back what can be. */
  sign(vendor: Vendor, onAsk: (device: Prompted) => void, signal: AbortSignal): Promise<Signed>;
  approve(signed: Signed): Promise<void>;
  withdraw(): Promise<void>;
  explain(error: unknown, vendor: Vendor): Stop;
  /** What to say when nobody has answered for long; calls `late` then, unless the returned function is called before. */
  patience(vendor: Vendor, late: (stop: Stop) => void): () => void;
}

export interface Confirmation {
  /** Asks the device, unless it is being asked already or the person has withdrawn. */
  start(vendor: Vendor): Promise<void>;
  /** Withdraws, if the device is asking. */
  cancel(): Promise<void>;
  /** What a look at the device found since it stopped: another stop, or that it is ready. Never asks anything. */
  found(vendor: Vendor, stop: Stop | null): void;
}

export function createConfirmation(ports: Ports, onStage: (stage: Stage) => void): Confirmation {
  let stage: Stage = { at: "ready" };
  let prompted = false;
  let withdrawn = false;
  let takeBack = new AbortController();
  const become = (next: Stage): void => {
    stage = next;
    onStage(next);
  };

  async function start(vendor: Vendor): Promise<void> {
    if (prompted || withdrawn) return;
    prompted = true;
    takeBack = new AbortController();
    let stopWaiting = (): void => undefined;
    become({ at: "connecting", vendor });
    const onAsk = (device: Prompted): void => {
      become({ at: "asking", device });
      stopWaiting = ports.patience(vendor, (stop) => {
        if (stage.at === "asking") become({ at: "overdue", device, stop });
      });
    };
    try {
      const signed = await ports.sign(vendor, onAsk, takeBack.signal);
      if (withdrawn) return become({ at: "withdrawn", vendor, device: "signed" });
      become({ at: "keeping" });
      await ports.approve(signed);
      become({ at: "kept" });
    } catch (error) {
      const stop = ports.explain(error, vendor);
      const device = stop.device?.outcome === "declined" ? "declined" : "unknown";
      become(withdrawn ? { at: "withdrawn", vendor, device } : { at: "stopped", stop });
    } finally {
      stopWaiting();
      prompted = false;
    }
  }

  async function cancel(): Promise<void> {
    if (stage.at !== "asking" && stage.at !== "overdue") return;
    const { vendor } = stage.device;
    // Set before anything is awaited: a signature that arrives meanwhile must find it.
    withdrawn = true;
    become({ at: "withdrawn", vendor, device: "asking" });
    takeBack.abort();
    try {
      await ports.withdraw();
    } catch (error) {
      become({ at: "stopped", stop: ports.explain(error, vendor) });
    }
  }

  function found(vendor: Vendor, stop: Stop | null): void {
    const idle = stage.at === "stopped" ? stage.stop.device?.vendor : stage.at === "ready" ? stage.after : undefined;
    if (prompted || withdrawn || idle !== vendor) return;
    become(stop === null ? { at: "ready", after: vendor } : { at: "stopped", stop });
  }

  return { start, cancel, found };
}
