/**
 * Where amount and destination stand on the pages of a device, so that they can be marked in the pictures.
 * It follows the statement through the lines; a line that does not continue it stays unmarked. Pure.
 */
export type Mark = "amount" | "address";

/** A stretch of a line and what it belongs to. */
export interface Piece {
  readonly text: string;
  readonly mark: Mark | null;
}

export interface MarkedRange {
  readonly mark: Mark;
  readonly from: number;
  readonly to: number;
}

/** Where amount with asset and destination stand in a statement. Empty where they are not found. */
export function rangesOf(statement: string, words: { amount: string; asset: string; to: string }): MarkedRange[] {
  return [
    { mark: "amount" as const, text: `${words.amount} ${words.asset}` },
    { mark: "address" as const, text: words.to },
  ].flatMap(({ mark, text }) => {
    const from = statement.indexOf(text);
    return from < 0 ? [] : [{ mark, from, to: from + text.length }];
  });
}

/** The lines of consecutive pages of one text, each cut into pieces. Pass the pages behind "More" separately: they start over. */
export function markLines(lines: readonly string[], statement: string, ranges: readonly MarkedRange[]): Piece[][] {
  let at = 0;
  return lines.map((line) => {
    if (statement[at] === " " && !line.startsWith(" ")) at += 1;
    // A Flex ends what it folds with three dots that are not in the text.
    const shown = statement.startsWith(line, at) ? line : line.replace(/\.{3}$/, "");
    if (!statement.startsWith(shown, at)) return [{ text: line, mark: null }];
    const from = at;
    at += shown.length;
    return cut(line, from, ranges);
  });
}

function cut(line: string, offset: number, ranges: readonly MarkedRange[]): Piece[] {
  const pieces: Piece[] = [];
  let done = 0;
  for (const range of ranges) {
    const from = Math.max(range.from - offset, done);
    const to = Math.min(range.to - offset, line.length);
    if (from >= to) continue;
    if (from > done) pieces.push({ text: line.slice(done, from), mark: null });
    pieces.push({ text: line.slice(from, to), mark: range.mark });
    done = to;
  }
  if (done < line.length) pieces.push({ text: line.slice(done), mark: null });
  return pieces;
}
