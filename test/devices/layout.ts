/**
 * How the devices break text into lines and pages, from the advances in vectors/ledger-glyph-advances.json. Reproduces
 * every recorded screen of 1.22.0 and 1.10.4 (layout.test.ts). An independent witness: imports nothing of the product.
 * What is not printable must have been replaced before (ledger-app.ts).
 */

import advances from "./vectors/ledger-glyph-advances.json" with { type: "json" };

interface Font {
  readonly max_width: number;
  readonly break_after: string;
  readonly advance: Readonly<Record<string, number>>;
}

const NANO: Font = advances.nano;
const FLEX: Font = advances.flex;
const FLEX_MORE: Font = advances.flex_more;

/**
 * The font of 1.10.4 on Nano. Its recording holds a line that is one pixel too wide by the advances of 1.22.0; in the older font
 * table `&`, which stands in that line only, is one pixel narrower. Other differences between the two fonts, if any, leave no trace in the recordings.
 */
const NANO_OLDER: Font = { ...NANO, advance: { ...NANO.advance, "&": 8 } };

const MESSAGE_WITHOUT_MORE = advances.flex.lines_before_more;

function advance(font: Font, character: string): number {
  const width = font.advance[character];
  if (width === undefined) throw new RangeError(`no advance for ${JSON.stringify(character)}`);
  return width;
}

function width(font: Font, text: string): number {
  let sum = 0;
  for (const character of text) sum += advance(font, character);
  return sum;
}

/** 1.22.0: break after the last break character, which may hang over the edge; right where it stands if there is none. */
function fill(text: string, font: Font): string[] {
  const lines: string[] = [];
  let line = "";
  let wide = 0;
  for (const character of text) {
    const step = advance(font, character);
    if (wide + step > font.max_width) {
      const cut = font.break_after.includes(character) ? line.length + 1 : lastBreak(line, font) + 1;
      const whole = line + character;
      const end = cut > 0 ? cut : line.length;
      lines.push(whole.slice(0, end));
      line = whole.slice(end);
      wide = width(font, line);
    } else {
      line += character;
      wide += step;
    }
  }
  if (line !== "") lines.push(line);
  return lines;
}

function lastBreak(line: string, font: Font): number {
  return Math.max(...Array.from(font.break_after, (character) => line.lastIndexOf(character)));
}

/** 1.10.4: a word that does not fit moves down together with the delimiter before it. */
function fillOlder(text: string): string[] {
  const lines: string[] = [];
  const isDelimiter = (character: string | undefined) =>
    character !== undefined && NANO_OLDER.break_after.includes(character);
  let start = 0;
  while (start < text.length) {
    let end = start;
    let wide = 0;
    while (end < text.length) {
      wide += advance(NANO_OLDER, text.charAt(end));
      if (wide > NANO_OLDER.max_width) break;
      end += 1;
    }
    const insideWord = end < text.length && !isDelimiter(text[end]) && !isDelimiter(text[end - 1]);
    if (insideWord) {
      const delimiter = lastBreak(text.slice(start, end), NANO_OLDER);
      if (delimiter > 0) end = start + delimiter;
    }
    lines.push(text.slice(start, end));
    start = end;
  }
  return lines;
}

function pagesOf(lines: readonly string[], size: number): string[][] {
  const pages: string[][] = [];
  for (let i = 0; i < lines.length; i += size) pages.push(lines.slice(i, i + size));
  return pages;
}

function titled(title: string, pages: readonly string[][]): string[][] {
  return pages.map((lines, i) => [pages.length > 1 ? `${title} (${i + 1}/${pages.length})` : title, ...lines]);
}

/** The pages of a Nano under 1.22.0: a title line and up to three lines of text. */
export function nanoPages(title: string, text: string): string[][] {
  return titled(title, pagesOf(fill(text, NANO), advances.nano.lines_a_page));
}

/** The pages of a Nano under 1.10.4. */
export function nanoPagesOlder(title: string, text: string): string[][] {
  return titled(title, pagesOf(fillOlder(text), advances.nano.lines_a_page));
}

/**
 * The lines of a Flex's review page, and whether the text goes on behind More. Where "..." does not fit after the last line, its
 * three last characters give way, also where two would do ("FROM Treasury-1; m..." in the recording).
 */
export function flexFold(text: string): { lines: string[]; more: boolean } {
  const lines = fill(text, FLEX);
  if (lines.length <= MESSAGE_WITHOUT_MORE) return { lines, more: false };
  const shown = lines.slice(0, MESSAGE_WITHOUT_MORE);
  let last = shown.pop() ?? "";
  while (width(FLEX, `${last}...`) > FLEX.max_width) last = last.slice(0, -3);
  return { lines: [...shown, `${last}...`], more: true };
}

/** The pages behind More: the whole text from its beginning, 11 lines each. */
export function flexMorePages(text: string): string[][] {
  return pagesOf(fill(text, FLEX_MORE), advances.flex_more.lines_a_page);
}
