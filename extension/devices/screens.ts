/**
 * The pages in which a device shows a statement, computed from measured rules, so that a person can compare two like pictures.
 * README.md, "Screens". Exact for Nano S Plus, Nano X and Flex with Ethereum app 1.22 and for a Trezor One with firmware 1.14 (each
 * recording is reproduced by the test); close for other versions of these; a fair guess for the other Trezors, and not exact;
 * nothing for Ethereum app 1.10 and Ledgers that were not measured: show the plain text there.
 */
import type { DeviceModel } from "./device.ts";
import advances from "./ledger-glyph-advances.json" with { type: "json" };

export interface Page {
  readonly title: string | null;
  readonly lines: readonly string[];
  /** `more` is behind a button that a person may leave unopened. */
  readonly kind: "intro" | "text" | "more" | "confirm";
}

export interface Screens {
  readonly pages: readonly Page[];
  /** True where recordings back every page. */
  readonly exact: boolean;
}

interface Font {
  readonly max_width: number;
  readonly break_after: string;
  readonly advance: Readonly<Record<string, number>>;
}

/**
 * The pages of `model` with that version of the Ethereum app or, of a Trezor, of its firmware (`ApprovalDevice.appVersion`), or null
 * where nothing is known. `statement` is printable ASCII.
 */
export function screensOf(model: DeviceModel, appVersion: string, statement: string): Screens | null {
  if (!/^[\x20-\x7e]+$/.test(statement)) return null;
  const [major = 0, minor = 0] = appVersion.split(".").map(Number);
  const wrapsLikeMeasured = major === 1 && minor >= 11;
  const exact = minor === 22;
  switch (model) {
    case "nano-s-plus":
    case "nano-x":
      return wrapsLikeMeasured ? { pages: nanoPages(statement), exact } : null;
    case "flex":
      return wrapsLikeMeasured ? { pages: flexPages(statement), exact } : null;
    case "stax":
    case "nano-s":
      return null;
    case "trezor-one":
      return { pages: trezorPages(statement, TREZOR_ONE), exact: major === 1 && minor === 14 };
    case "trezor-safe-3":
    case "trezor-t":
    case "trezor-safe-5":
    case "trezor-safe-7":
      return { pages: trezorPages(statement, TREZOR_GUESSED), exact: false };
  }
}

interface Grid {
  readonly titles: readonly [string, string];
  readonly columns: number;
  readonly lines: number;
}

/** Recorded: characters fill a line one by one, wherever a word ends. */
const TREZOR_ONE: Grid = { titles: ["Confirm message signing?", "Sign message?"], columns: 18, lines: 4 };
/** Not recorded: the order of the text is what holds. */
const TREZOR_GUESSED: Grid = { titles: ["Signing address", "Confirm message"], columns: 18, lines: 4 };

/** The first page shows the signing address; the last page of text has the button that signs. */
function trezorPages(statement: string, { titles, columns, lines }: Grid): Page[] {
  const rows = Array.from({ length: Math.ceil(statement.length / columns) }, (_, row) =>
    statement.slice(row * columns, (row + 1) * columns),
  );
  return [
    { title: titles[0], lines: [], kind: "intro" },
    ...group(rows, lines).map((lines): Page => ({ title: titles[1], lines, kind: "text" })),
  ];
}

function nanoPages(statement: string): Page[] {
  const texts = group(fill(statement, advances.nano), advances.nano.lines_a_page);
  const title = (index: number) => (texts.length === 1 ? "Message" : `Message (${index + 1}/${texts.length})`);
  return [
    { title: "Review message", lines: [], kind: "intro" },
    ...texts.map((lines, index): Page => ({ title: title(index), lines, kind: "text" })),
    { title: "Sign message", lines: [], kind: "confirm" },
  ];
}

function flexPages(statement: string): Page[] {
  const lines = fill(statement, advances.flex);
  const folded = lines.length > advances.flex.lines_before_more;
  const behind = folded ? group(fill(statement, advances.flex_more), advances.flex_more.lines_a_page) : [];
  return [
    { title: "Review message", lines: ["Swipe to review"], kind: "intro" },
    { title: "Message", lines: folded ? fold(lines) : lines, kind: "text" },
    ...behind.map((lines): Page => ({ title: "Message", lines, kind: "more" })),
    { title: "Sign message?", lines: ["Hold to sign"], kind: "confirm" },
  ];
}

/** The lines above the button More. The last one loses three characters at a time until its dots fit: recorded so. */
function fold(lines: readonly string[]): string[] {
  const shown = lines.slice(0, advances.flex.lines_before_more);
  let last = shown.pop() ?? "";
  while (widthOf(`${last}...`, advances.flex) > advances.flex.max_width) last = last.slice(0, -3);
  return [...shown, `${last}...`];
}

/**
 * Fills lines greedily. Where a character does not fit, the line ends after its last break character, the one that does not fit
 * included, or right there if it has none.
 */
function fill(text: string, font: Font): string[] {
  const lines: string[] = [];
  let start = 0;
  let end = start;
  while (end < text.length) {
    if (widthOf(text.slice(start, end + 1), font) <= font.max_width) {
      end += 1;
      continue;
    }
    const cut = lastBreak(text, start, end, font) ?? end;
    lines.push(text.slice(start, cut));
    start = cut;
    end = Math.max(start, end);
  }
  if (start < text.length) lines.push(text.slice(start));
  return lines;
}

/** The place after the last break character of `text` from `start` up to and with `end`. */
function lastBreak(text: string, start: number, end: number, font: Font): number | undefined {
  for (let at = end; at >= start; at -= 1) if (font.break_after.includes(text.charAt(at))) return at + 1;
  return undefined;
}

function widthOf(text: string, font: Font): number {
  let width = 0;
  for (const character of text) width += font.advance[character] ?? Number.POSITIVE_INFINITY;
  return width;
}

function group(lines: readonly string[], size: number): string[][] {
  return Array.from({ length: Math.ceil(lines.length / size) }, (_, page) =>
    lines.slice(page * size, (page + 1) * size),
  );
}
