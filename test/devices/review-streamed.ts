/**
 * The review of a message under 1.10.4: the text is shown 255 characters at a time while it still arrives, with a question between
 * that lets the person skip the rest. A chunk is taken up only as far as there is room, so its answer waits for the person. The screens
 * of recorded texts are backed; going back over a question, and what the glass shows while the next chunk is on its way, are not.
 */

import { nanoPagesOlder } from "./layout.ts";
import type { Decision, Gesture, Review } from "./review.ts";
import type { Step } from "./review-nano.ts";
import { nanoScreen, type Screen } from "./screen.ts";

const ROOM = 255;
const QUESTION: Step = { lines: ["Press right to", "continue message", "Double-press to skip"] };
const DECISIONS: readonly Step[] = [
  { lines: ["Sign", "message"], both: "accept" },
  { lines: ["Cancel", "signature"], both: "reject" },
];

export class StreamedReview implements Review {
  #arrived = "";
  #shown = "";
  #final = false;
  #skipping = false;
  #steps: readonly Step[] = [];
  #at = 0;

  /** Takes the next part of the text; `final` when nothing follows. */
  feed(text: string, final: boolean): void {
    this.#arrived += text;
    this.#final = final;
    this.#takeUp();
  }

  /** Whether everything that arrived has been taken up, so that the chunk can be answered. */
  hungry(): boolean {
    return this.#arrived === "";
  }

  /** False until there is a first screen to show. */
  started(): boolean {
    return this.#steps.length > 0;
  }

  screen(): Screen {
    return nanoScreen(this.#steps[this.#at]?.lines ?? []);
  }

  handle(gesture: Gesture): Decision | undefined {
    if (gesture.kind !== "press") return undefined;
    const step = this.#steps[this.#at];
    if (step === QUESTION && gesture.button !== "left") {
      this.#shown = "";
      this.#skipping = gesture.button === "both";
      this.#takeUp();
      return undefined;
    }
    switch (gesture.button) {
      case "left":
        this.#at = Math.max(0, this.#at - 1);
        return undefined;
      case "right":
        this.#at = Math.min(this.#steps.length - 1, this.#at + 1);
        return undefined;
      case "both":
        return step?.both;
    }
  }

  #takeUp(): void {
    if (this.#skipping) {
      this.#arrived = "";
      if (this.#final) this.#show(DECISIONS);
      return;
    }
    const room = ROOM - this.#shown.length;
    if (room === 0) return;
    this.#shown += this.#arrived.slice(0, room);
    this.#arrived = this.#arrived.slice(room);
    const over = this.#final && this.#arrived === "";
    if (!over && this.#shown.length < ROOM) return;
    const first: readonly Step[] = this.started() ? [] : [{ lines: ["Sign", "message"] }];
    const pages = nanoPagesOlder("Message", this.#shown).map((lines) => ({ lines }));
    this.#show([...first, ...pages, ...(over ? DECISIONS : [QUESTION])]);
  }

  #show(steps: readonly Step[]): void {
    this.#steps = steps;
    this.#at = 0;
  }
}
