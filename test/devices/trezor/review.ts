/**
 * What a Trezor shows, page by page, and what a person's press does to it. The message pages of a Trezor One are those of vectors/ (the
 * count of screens, the text by its rule). NOT backed by recordings: how the address is broken into lines, the screens of an address,
 * and everything of a Safe, whose pages are approximate. A review never signs; it says what the person decided.
 */

export type TrezorModel = "T1B1" | "T2T1" | "T2B1" | "T3B1" | "T3T1";

export interface Page {
  readonly title: string;
  readonly lines: readonly string[];
  /** What the buttons say: the left one ends everything; the right one, or a touch of its label, goes on. */
  readonly left: string;
  readonly right: string;
  /** A label that leaves out the rest of the text, up to the page that signs. */
  readonly skip?: string;
}

const COLUMNS = 18;
const LINES = 4;
/** Hex digits in a line of the binary form: 32 bytes a page. */
const HEX_COLUMNS = 16;
/** Read in the firmware, not recorded: Trezor T and Safe let a person leave out what lies beyond. */
const PAGES_BEFORE_SKIP = 5;

const isOne = (model: TrezorModel) => model === "T1B1";

/** The screens of a message's review; `address` is the one that would sign. */
export function messagePages(model: TrezorModel, address: string, message: Uint8Array): Page[] {
  const plain = message.every((byte) => byte >= 0x20 && byte <= 0x7e);
  const text = plain ? Buffer.from(message).toString("latin1") : Buffer.from(message).toString("hex");
  const texts = group(cut(text, plain ? COLUMNS : HEX_COLUMNS), LINES);
  const what = plain ? "message" : "binary message";
  const first: Page = isOne(model)
    ? { title: "Confirm message signing?", lines: cut(address, COLUMNS), left: "Cancel", right: "Confirm" }
    : { title: "Signing address", lines: cut(address, COLUMNS), left: "Cancel", right: "Continue" };
  return [
    first,
    ...texts.map((lines, at): Page => {
      const last = at === texts.length - 1;
      if (isOne(model)) return { title: `Sign ${what}?`, lines, left: "Cancel", right: last ? "Sign" : "Next" };
      const page = { title: `Confirm ${what}`, lines, left: "Cancel", right: last ? "Hold to sign" : "Next" };
      return at >= PAGES_BEFORE_SKIP - 1 && !last ? { ...page, skip: "Skip" } : page;
    }),
  ];
}

/** The screen of an address. Not backed by a recording on any model. */
export function addressPages(model: TrezorModel, address: string): Page[] {
  const right = isOne(model) ? "Continue" : "Confirm";
  return [{ title: "Confirm address?", lines: cut(address, COLUMNS), left: "Cancel", right }];
}

/** A page as the lines that a person sees, title first, buttons last. */
export function linesOf({ title, lines, left, right, skip }: Page): string[] {
  return [title, ...lines, ...(skip === undefined ? [] : [skip]), left, right];
}

export class Review {
  readonly #pages: readonly Page[];
  #at = 0;

  /** `pages` must not be empty. */
  constructor(pages: readonly Page[]) {
    this.#pages = pages;
  }

  page(): Page | undefined {
    return this.#pages[this.#at];
  }

  /** The button or the touched label; what the person decided by it, if that was a decision. */
  handle(label: string): "accept" | "reject" | undefined {
    const page = this.page();
    switch (label) {
      case page?.left:
        return "reject";
      case page?.right:
        this.#at += 1;
        return this.#at === this.#pages.length ? "accept" : undefined;
      case page?.skip:
        this.#at = this.#pages.length - 1;
        return undefined;
      default:
        return undefined;
    }
  }
}

function cut(text: string, columns: number): string[] {
  return Array.from({ length: Math.ceil(text.length / columns) }, (_, at) =>
    text.slice(at * columns, (at + 1) * columns),
  );
}

function group(lines: readonly string[], size: number): string[][] {
  return Array.from({ length: Math.ceil(lines.length / size) }, (_, at) => lines.slice(at * size, (at + 1) * size));
}
