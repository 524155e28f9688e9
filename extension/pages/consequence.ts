/**
 * One thing that a new policy changes, in words; and how the rows of a list in it are compared so that no member is passed over: what
 * has no words of its own is named as another change. Pure.
 */

export interface Consequence {
  /** `warning`: it lets more through, or changes what a word means. */
  readonly level: "warning" | "note";
  readonly text: string;
  /** Long values, whole, to be compared. */
  readonly values?: readonly { readonly label: string; readonly text: string }[];
}

export function warning(text: string): Consequence {
  return { level: "warning", text };
}

export function note(text: string): Consequence {
  return { level: "note", text };
}

/** A change from one long value to another. */
export function replaced(text: string, was: string, is: string): Consequence {
  const values = [
    { label: "Before", text: was },
    { label: "From then on", text: is },
  ];
  return { level: "warning", text, values };
}

/** What nobody has found words for: it is a warning, since nobody has judged it. */
export function otherChange(where: string): Consequence {
  return warning(`Other change: ${where}. See the lines.`);
}

/** `falls from 3 to 2` or `rises from 2 to 3`. */
export function moves(was: number, is: number): string {
  return `${is < was ? "falls" : "rises"} from ${was} to ${is}`;
}

export function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** What each changed member of a row means; a member without an entry is another change. */
export type MemberWords<Row> = { readonly [Name in keyof Row]?: (was: Row, is: Row) => readonly Consequence[] };

/** What changes from one row to another that stands for the same thing, called `name`. */
export function memberChanges<Row extends object>(
  name: string,
  was: Row,
  is: Row,
  words: MemberWords<Row>,
): Consequence[] {
  const members = new Set([...Object.keys(was), ...Object.keys(is)]) as Set<keyof Row & string>;
  return [...members].flatMap((member) => {
    if (isSame(was[member], is[member])) return [];
    const said = words[member]?.(was, is) ?? [];
    return said.length === 0 ? [otherChange(`${name}, ${member}`)] : said;
  });
}

interface Rows<Row> {
  /** What the list is called. */
  readonly list: string;
  readonly idOf: (row: Row) => string;
  readonly nameOf: (row: Row) => string;
  readonly added: (row: Row) => Consequence;
  readonly removed: (row: Row) => Consequence;
  readonly members: MemberWords<Row>;
}

/** What changes from one list of rows to another. */
export function rowChanges<Row extends object>(
  before: readonly Row[],
  after: readonly Row[],
  rows: Rows<Row>,
): Consequence[] {
  const { idOf } = rows;
  const find = (list: readonly Row[], row: Row) => list.find((other) => idOf(other) === idOf(row));
  const kept = before.filter((row) => find(after, row) !== undefined).map(idOf);
  const keptAfter = after.filter((row) => find(before, row) !== undefined).map(idOf);
  return [
    ...after.filter((row) => find(before, row) === undefined).map(rows.added),
    ...before.filter((row) => find(after, row) === undefined).map(rows.removed),
    ...before.flatMap((was) => {
      const is = find(after, was);
      return is === undefined ? [] : memberChanges(rows.nameOf(was), was, is, rows.members);
    }),
    ...(isSame(kept, keptAfter) ? [] : [otherChange(`the order of the ${rows.list}`)]),
  ];
}
