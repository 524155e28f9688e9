/**
 * A person's hands and eyes on a device, simulated or emulated: reads screens, presses, and knows how to sign, decline and confirm an
 * address on each model. Everything that it decides it has read from the screen.
 */

import type { AppVersion, Button, Model } from "./screen.ts";

export interface Hands {
  readonly model: Model;
  readonly version: AppVersion;
  /** The lines of text shown now. */
  screen(): Promise<string[]>;
  /** Resolves with the first screen that `accept` takes. @throws when none comes in two minutes. */
  waitForScreen(accept: (lines: string[]) => boolean): Promise<string[]>;
  /** A Nano's buttons. */
  press(button: Button): Promise<void>;
  /** A short touch of a label on a Flex. */
  tap(label: string): Promise<void>;
  /** A touch of about 2.5 s. */
  hold(label: string): Promise<void>;
  /** A Flex's next or previous page; `back` leaves the text behind More. Returns whether the screen is another one then. */
  turn(to: "next" | "previous" | "back"): Promise<boolean>;
}

const first = (lines: string[]) => lines.join(" ");

/** The first screen of a message's review, on any model and version. */
export const asksForMessage = (lines: string[]): boolean => /^(Review|Sign) message($| Swipe)/.test(first(lines));
/** The first screen of an address. */
export const asksForAddress = (lines: string[]): boolean => /^Verify( .*)? address/.test(first(lines));
const takesMessage = (lines: string[]) => /^Sign message(\?|$)/.test(first(lines));
const endsMessage = (lines: string[]) => /^(Reject message$|Cancel signature$)/.test(first(lines));
const takesAddress = (lines: string[]) => lines.some((line) => /^(Confirm|Approve)$/.test(line));
const endsAddress = (lines: string[]) => /^(Reject|Cancel)$/.test(first(lines));

/** Does something and waits until the screen is another one. */
async function turned(hands: Hands, act: () => Promise<unknown>): Promise<string[]> {
  const before = first(await hands.screen());
  await act();
  return hands.waitForScreen((lines) => lines.length > 0 && first(lines) !== before);
}

const forward = (hands: Hands) =>
  turned(hands, (): Promise<unknown> => (hands.model === "flex" ? hands.turn("next") : hands.press("right")));

/** A title and eleven lines: a page behind More that may have another one after it. */
const FULL_PAGE = 12;

/** Opens More, pages to its end, and returns to the page that it was opened from. */
async function readBehindMore(hands: Hands, fold: string[]): Promise<string[][]> {
  const pages = [await turned(hands, () => hands.tap("More"))];
  while (pages.at(-1)?.length === FULL_PAGE && (await hands.turn("next"))) pages.push(await hands.screen());
  await hands.turn("back");
  await hands.waitForScreen((lines) => first(lines) === first(fold));
  return pages;
}

/** Waits for a message's review and pages through all of it. Returns the screens read, the last one is the one that signs. */
export async function readMessage(hands: Hands, { more = true }: { more?: boolean } = {}): Promise<string[][]> {
  const read = [await hands.waitForScreen(asksForMessage)];
  for (;;) {
    const lines = await forward(hands);
    read.push(lines);
    if (takesMessage(lines)) return read;
    if (more && lines.includes("More")) read.push(...(await readBehindMore(hands, lines)));
  }
}

/**
 * Reads everything and signs. `more`: whether a Flex's More is opened (one may sign without). Returns the screens read.
 */
export async function readAndSign(hands: Hands, options: { more?: boolean } = {}): Promise<string[][]> {
  const read = await readMessage(hands, options);
  await turned(hands, () => (hands.model === "flex" ? hands.hold("Hold to sign") : hands.press("both")));
  return read;
}

/** Declines the message or the address under review, from any of its screens. */
export async function decline(hands: Hands): Promise<void> {
  if (hands.model === "flex") {
    const lines = await hands.waitForScreen((lines) => lines.includes("Reject") || lines.includes("Cancel"));
    if (lines.includes("Cancel")) {
      await turned(hands, () => hands.tap("Cancel"));
      return;
    }
    await turned(hands, () => hands.tap("Reject"));
    await turned(hands, () => hands.tap("Yes, reject"));
    return;
  }
  let lines = await hands.waitForScreen((lines) => underReview(lines));
  while (!endsMessage(lines) && !endsAddress(lines)) lines = await forward(hands);
  await turned(hands, () => hands.press("both"));
}

function underReview(lines: string[]): boolean {
  return (
    [asksForMessage, asksForAddress, takesMessage, endsMessage, takesAddress, endsAddress].some((is) => is(lines)) ||
    /^(Message|Address|Press right to)/.test(first(lines))
  );
}

/**
 * Reads the address from the device's screens and confirms it. Returns 0x and 40 hex digits, capitals as shown.
 * The screens of an address are not backed by recordings.
 * @throws when the screens held no whole address.
 */
export async function confirmAddress(hands: Hands): Promise<string> {
  const read = [await hands.waitForScreen(asksForAddress)];
  while (!takesAddress(read.at(-1) ?? [])) read.push(await forward(hands));
  const text = read
    .filter(([title]) => title?.startsWith("Address"))
    .flatMap((lines) => lines.slice(1))
    .join("");
  const address = /0x[0-9a-fA-F]{40}/.exec(text)?.[0];
  if (address === undefined) throw new Error(`no address on the device's screens: ${text}`);
  const accept = read.at(-1)?.find((line) => /^(Confirm|Approve)$/.test(line)) ?? "Confirm";
  await turned(hands, () => (hands.model === "flex" ? hands.tap(accept) : hands.press("both")));
  return address;
}

/** The text of each message page among screens that were read, lines joined: without titles, buttons and page numbers. */
export function messagePages(screens: readonly string[][]): string[] {
  return screens
    .filter(([title]) => /^Message( \(\d+\/\d+\))?$/.test(title ?? ""))
    .map((lines) =>
      lines
        .slice(1)
        .filter((line) => !/^(More|Reject|\d of \d)$/.test(line))
        .join(""),
    );
}
