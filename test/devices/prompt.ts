/**
 * The one question that a device can have on its screen: its review, who waits for the answer, and which screens the person opened.
 * Knows nothing of what is asked; nothing is answered "accepted" but by the person's gesture on the review that is shown.
 */

import { answer, STATUS } from "./apdu.ts";
import type { Gesture, Review } from "./review.ts";
import { StreamedReview } from "./review-streamed.ts";
import { type Screen, textOf } from "./screen.ts";

export class Prompt {
  readonly #changed: () => void;
  #review: Review | undefined;
  #onAccept: (() => Uint8Array) | undefined;
  #respond: ((bytes: Uint8Array) => void) | undefined;
  #visited: string[][] = [];

  /** `changed` is called after every change of the screen. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** The screens opened since the last question came up, in order. */
  get visited(): readonly (readonly string[])[] {
    return this.#visited;
  }

  get review(): Review | undefined {
    return this.#review;
  }

  /** The review's screen, once it has one (1.10.4 gathers 255 characters first). */
  screen(): Screen | undefined {
    const screen = this.#review?.screen();
    return screen === undefined || screen.length === 0 ? undefined : screen;
  }

  /** Puts a question; `onAccept` makes the answer's bytes when the person accepts. */
  ask(review: Review, onAccept: () => Uint8Array): void {
    this.#visited = [];
    this.#review = review;
    this.#onAccept = onAccept;
    this.show();
  }

  /** The answer to the APDU under way, when the person has decided, or has read on. */
  answered(): Promise<Uint8Array> {
    return new Promise((resolve) => {
      this.#respond = resolve;
    });
  }

  /** Forgets the question; who waits for its answer gets `status`. */
  drop(status: number): void {
    this.#review = undefined;
    this.#onAccept = undefined;
    this.#settle(answer(status));
    this.#changed();
  }

  /** `final`: whether the whole message has arrived, so that the APDU under way waits for the decision and for nothing else. */
  handle(gesture: Gesture, final: boolean): "accept" | "reject" | undefined {
    const decision = this.#review?.handle(gesture);
    const onAccept = this.#onAccept;
    if (decision !== undefined && onAccept !== undefined) {
      const bytes = decision === "accept" ? onAccept() : answer(STATUS.declined);
      this.#review = undefined;
      this.#onAccept = undefined;
      this.#settle(bytes);
    } else if (this.#review instanceof StreamedReview && this.#review.hungry() && !final) {
      this.#settle(answer(STATUS.ok));
    }
    this.show();
    return decision;
  }

  /** Records what is on the screen now, and tells of it. */
  show(): void {
    const screen = this.screen();
    if (screen !== undefined) {
      const lines = textOf(screen);
      if (lines.join("\n") !== this.#visited.at(-1)?.join("\n")) this.#visited.push(lines);
    }
    this.#changed();
  }

  #settle(bytes: Uint8Array): void {
    const respond = this.#respond;
    this.#respond = undefined;
    respond?.(bytes);
  }
}
