/**
 * Reviews on a Nano: a row of screens that the left and right buttons walk along, some of which take both buttons as a decision.
 * Message screens of 1.22.0 are backed by recordings. The address screens are NOT: they are invented in the same style.
 */

import { nanoPages, nanoPagesOlder } from "./layout.ts";
import type { Decision, Gesture, Review } from "./review.ts";
import { type AppVersion, nanoScreen, type Screen } from "./screen.ts";

export interface Step {
  readonly lines: readonly string[];
  /** What both buttons together decide here. */
  readonly both?: Decision;
}

export class NanoReview implements Review {
  readonly #steps: readonly Step[];
  #at = 0;

  /** `steps` must not be empty. */
  constructor(steps: readonly Step[]) {
    this.#steps = steps;
  }

  screen(): Screen {
    return nanoScreen(this.#steps[this.#at]?.lines ?? []);
  }

  handle(gesture: Gesture): Decision | undefined {
    if (gesture.kind !== "press") return undefined;
    switch (gesture.button) {
      case "left":
        this.#at = Math.max(0, this.#at - 1);
        return undefined;
      case "right":
        this.#at = Math.min(this.#steps.length - 1, this.#at + 1);
        return undefined;
      case "both":
        return this.#steps[this.#at]?.both;
    }
  }
}

/** The review of a message under 1.22.0. */
export function nanoMessage(text: string): Review {
  return new NanoReview([
    { lines: ["Review message"] },
    ...nanoPages("Message", text).map((lines) => ({ lines })),
    { lines: ["Sign message"], both: "accept" },
    { lines: ["Reject message"], both: "reject" },
  ]);
}

/** The review of an address (0x and 40 hex digits). Not backed by a recording. */
export function nanoAddress(address: string, version: AppVersion): Review {
  const [first, pages, accept, reject] = {
    "1.22.0": [["Verify Ethereum", "address"], nanoPages("Address", address), ["Confirm"], ["Reject"]] as const,
    "1.10.4": [["Verify", "address"], nanoPagesOlder("Address", address), ["Approve"], ["Reject"]] as const,
  }[version];
  return new NanoReview([
    { lines: first },
    ...pages.map((lines) => ({ lines })),
    { lines: accept, both: "accept" },
    { lines: reject, both: "reject" },
  ]);
}
