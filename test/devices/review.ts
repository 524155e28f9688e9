/**
 * What every review on a simulated device has: the screen it shows now, and what a person's gesture does to it.
 * A review never signs; it says what the person decided (ledger-app.ts acts on that).
 */

import type { Button, Screen } from "./screen.ts";

export type Gesture =
  | { readonly kind: "press"; readonly button: Button }
  | { readonly kind: "tap"; readonly label: string }
  | { readonly kind: "hold"; readonly label: string }
  | { readonly kind: "turn"; readonly to: "next" | "previous" | "back" };

export type Decision = "accept" | "reject";

export interface Review {
  /** What the glass shows now. */
  screen(): Screen;
  /** Moves, and returns the person's decision when the gesture was one. */
  handle(gesture: Gesture): Decision | undefined;
}
