/**
 * One person's confirmation of one request, from the click to the kept approval: at most one prompt at a time, a cancel that
 * makes the late signature worthless, and a named stage for every outcome. It knows neither device nor store: both are ports.
 * Design, section 6.
 */
import type { DeviceModel } from "../devices/device.ts";

/** What is so, and what to do; the code is small print. */
export interface Stop {
  readonly code: string;
  readonly sentence: string;
  /** Empty where the sentence says it. */
  readonly action: string;
}

/** The device that shows the statement, as far as its pages depend on it. */
export interface Prompted {
  readonly model: DeviceModel;
  readonly appVersion: string;
}

export type Stage =
  | { readonly at: "ready" }
  | { readonly at: "connecting" }
  /** The device shows the statement and waits for its owner. */
  | { readonly at: "asking"; readonly device: Prompted }
  | { readonly at: "keeping" }
  /** The approval is stored; how it goes on is read from the store. */
  | { readonly at: "kept" }
  | { readonly at: "stopped"; readonly stop: Stop }
  /** Cancelled in the page. `device` says what became of the prompt, which only its owner can end. */
  | { readonly at: "withdrawn"; readonly device: "asking" | "declined" | "signed" };

export interface Signed {
  readonly address: string;
  readonly signature: string;
}

export interface Ports {
  /** Connects, checks the device, calls `onAsk` when it asks, and gives the verified signature. */
  sign(onAsk: (device: Prompted) => void): Promise<Signed>;
  approve(signed: Signed): Promise<void>;
  withdraw(): Promise<void>;
  explain(error: unknown): Stop;
}

export interface Confirmation {
  /** Asks the device, unless it is being asked already or the person has withdrawn. */
  start(): Promise<void>;
  /** Withdraws, if the device is asking. */
  cancel(): Promise<void>;
}

export function createConfirmation(ports: Ports, onStage: (stage: Stage) => void): Confirmation {
  let stage: Stage = { at: "ready" };
  let prompted = false;
  let withdrawn = false;
  const become = (next: Stage): void => {
    stage = next;
    onStage(next);
  };

  async function start(): Promise<void> {
    if (prompted || withdrawn) return;
    prompted = true;
    become({ at: "connecting" });
    try {
      const signed = await ports.sign((device) => become({ at: "asking", device }));
      if (withdrawn) return become({ at: "withdrawn", device: "signed" });
      become({ at: "keeping" });
      await ports.approve(signed);
      become({ at: "kept" });
    } catch (error) {
      become(withdrawn ? { at: "withdrawn", device: "declined" } : { at: "stopped", stop: ports.explain(error) });
    } finally {
      prompted = false;
    }
  }

  async function cancel(): Promise<void> {
    if (stage.at !== "asking") return;
    // Set before anything is awaited: a signature that arrives meanwhile must find it.
    withdrawn = true;
    become({ at: "withdrawn", device: "asking" });
    try {
      await ports.withdraw();
    } catch (error) {
      become({ at: "stopped", stop: ports.explain(error) });
    }
  }

  return { start, cancel };
}
