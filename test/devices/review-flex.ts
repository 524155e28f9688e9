/**
 * Reviews on a Flex. The message's pages, the text behind More for one text, and the second question after Reject are backed by
 * recordings. How More is left and paged, and all address screens, are NOT: they are invented in the same style. As on the real
 * device, a person may sign without opening More: what was opened is for ledger-app.ts to record.
 */

import { flexFold, flexMorePages } from "./layout.ts";
import type { Decision, Gesture, Review } from "./review.ts";
import { flexCentred, flexLabel, flexSmall, type Label, type Screen } from "./screen.ts";

interface Page {
  readonly screen: Screen;
  /** Labels that decide when they are touched as they ask for. */
  readonly decides: Readonly<Record<string, Decision>>;
}

/** Over the pages there may lie the text behind More, or the second question. */
type Overlay = { readonly kind: "more"; readonly page: number } | { readonly kind: "question" };

const QUESTION: Screen = [
  flexCentred("Reject message?", 230),
  flexLabel("Go back to message", 32, 420, "tap", 416),
  flexLabel("Yes, reject", 32, 520, "tap", 416),
];

export class FlexReview implements Review {
  readonly #pages: readonly Page[];
  readonly #more: readonly Screen[];
  #at = 0;
  #overlay: Overlay | undefined;

  constructor(pages: readonly Page[], more: readonly Screen[]) {
    this.#pages = pages;
    this.#more = more;
  }

  screen(): Screen {
    if (this.#overlay?.kind === "question") return QUESTION;
    if (this.#overlay?.kind === "more") return this.#more[this.#overlay.page] ?? [];
    return this.#pages[this.#at]?.screen ?? [];
  }

  handle(gesture: Gesture): Decision | undefined {
    if (gesture.kind === "press") return undefined;
    if (gesture.kind === "turn") {
      this.#turn(gesture.to);
      return undefined;
    }
    const label = this.screen().find(({ text, touch }) => text === gesture.label && touch === gesture.kind);
    return label === undefined ? undefined : this.#touch(label);
  }

  #turn(to: "next" | "previous" | "back"): void {
    const step = { next: 1, previous: -1, back: 0 }[to];
    if (this.#overlay?.kind === "more") {
      const page = Math.min(this.#more.length - 1, Math.max(0, this.#overlay.page + step));
      this.#overlay = to === "back" ? undefined : { kind: "more", page };
    } else if (this.#overlay === undefined) {
      this.#at = Math.min(this.#pages.length - 1, Math.max(0, this.#at + step));
    }
  }

  #touch({ text }: Label): Decision | undefined {
    if (this.#overlay?.kind === "question") {
      if (text === "Yes, reject") return "reject";
      this.#overlay = undefined;
      return undefined;
    }
    if (text === "More") this.#overlay = { kind: "more", page: 0 };
    if (text === "Reject") this.#overlay = { kind: "question" };
    return this.#pages[this.#at]?.decides[text];
  }
}

const LINE = 44;

function footer(cancel: string, page: string): Label[] {
  return [flexLabel(cancel, 32, 530, "tap", 110), flexLabel(page, 338, 530, "none", 74)];
}

/** The review of a message under 1.22.0. */
export function flexMessage(text: string): Review {
  const { lines, more } = flexFold(text);
  const body = lines.map((line, i) => flexLabel(line, 32, 96 + i * LINE));
  const below = 96 + lines.length * LINE + 16;
  const more_ = more ? [flexLabel("More", 32, below, "tap", 110)] : [];
  const pages: readonly Page[] = [
    {
      screen: [flexCentred("Review message", 220), flexCentred("Swipe to review", 440), ...footer("Reject", "1 of 3")],
      decides: {},
    },
    { screen: [flexLabel("Message", 32, 40), ...body, ...more_, ...footer("Reject", "2 of 3")], decides: {} },
    {
      screen: [
        flexCentred("Sign message?", 200),
        ...footer("Reject", "3 of 3"),
        flexLabel("Hold to sign", 32, 400, "hold", 416),
      ],
      decides: { "Hold to sign": "accept" },
    },
  ];
  const behind = flexMorePages(text).map((page) => [
    flexSmall("Message", 90, 28),
    ...page.map((line, i) => flexSmall(line, 32, 88 + i * 40)),
  ]);
  return new FlexReview(pages, more ? behind : []);
}

/** The review of an address (0x and 40 hex digits). Not backed by a recording. */
export function flexAddress(address: string): Review {
  const { lines } = flexFold(address);
  return new FlexReview(
    [
      {
        screen: [
          flexCentred("Verify Ethereum", 200),
          flexCentred("address", 244),
          flexCentred("Swipe to review", 440),
          ...footer("Cancel", "1 of 2"),
        ],
        decides: { Cancel: "reject" },
      },
      {
        screen: [
          flexLabel("Address", 32, 40),
          ...lines.map((line, i) => flexLabel(line, 32, 96 + i * LINE)),
          flexLabel("Confirm", 32, 430, "tap", 416),
          ...footer("Cancel", "2 of 2"),
        ],
        decides: { Confirm: "accept", Cancel: "reject" },
      },
    ],
    [],
  );
}
