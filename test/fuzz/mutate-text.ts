/** Texts that are nearly right: a few edits of one that is. Knows nothing of what the text means; mutate-json.ts does. */
import type { Random } from "./random.ts";

/** What looks like the character before it. */
const ALIKE: readonly string[] = [
  ..."aа eе oο pр cс xх iі AА BВ EЕ HН KK MМ OО PР TТ 0O 1l lI -‐ -‑ ..".split(" "),
  ..."00 11 99 00 ..".split(" "),
];
const PIECES: readonly string[] = [
  ..."\" , : { } [ ] \\ / . - _ = + # % & ; ' ` ~ ^ ( ) < > | * ? ! @ $".split(" "),
  ..." |\t|\n|\r\n|\0|\u000b|\u00a0|\u2028|\u200b|\u200d|\u202e|\ufeff|\u0301|\ufffd|\ud800|\udc00|\u{1f600}".split(
    "|",
  ),
  ..."0 1 9 a A z Z null true false NaN Infinity undefined -0 1e3 1.0 01 +1 0x10 1e400 9007199254740993".split(" "),
  ...'"__proto__":1, "constructor":1, "toString":1, \\u0000 \\u0061 \\/ \\x41 %00 ../ == =='.split(" "),
];
/** What base64url may end in, rightly and wrongly. */
const LAST: readonly string[] = [..."A B C D E F G H w x y z 0 1 8 9 - _ A= A==".split(" "), ""];
const NUMBERS: readonly string[] = [
  ..."-0 0 -1 1e3 1E+3 1.0 01 0.1 1e400 1e-400 9007199254740991 9007199254740992 9007199254740993".split(" "),
  ..."18446744073709551616 0x1 1_000 ٣ 12345678901234567890123456789012345678901234567890".split(" "),
];

/** One to four edits of `text`; `corpus` gives pieces to splice in. */
export function mutateText(random: Random, text: string, corpus: readonly string[]): string {
  let made = text;
  for (let edits = 1 + random.int(random.once(3) ? 4 : 1); edits > 0; edits -= 1) made = edit(random, made, corpus);
  return made;
}

function edit(random: Random, text: string, corpus: readonly string[]): string {
  const at = random.int(text.length + 1);
  const to = Math.min(text.length, at + random.length());
  const [head, piece, tail] = [text.slice(0, at), text.slice(at, to), text.slice(to)];
  switch (random.int(17)) {
    case 0:
      return head + random.pick(PIECES) + text.slice(at + 1);
    case 1:
      return head + random.pick(PIECES) + text.slice(at);
    case 2:
      return head + tail;
    case 3:
      return head + piece + piece + tail;
    case 4:
      return random.once(2) ? head : text.slice(at);
    case 5:
      return flipBit(random, text, random.int(text.length));
    case 6: {
      const other = random.pick(corpus);
      return head + other.slice(random.int(other.length + 1));
    }
    case 7: {
      const other = random.pick(corpus);
      const from = random.int(other.length);
      return head + other.slice(from, from + random.length()) + tail;
    }
    case 8:
      return lookAlike(random, text);
    case 9:
      return replaceMatch(random, text, /-?[0-9]+(?:\.[0-9]+)?/g, () => random.pick(NUMBERS));
    case 10:
      return replaceMatch(random, text, /[A-Za-z]/g, (letter) =>
        letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
      );
    case 11:
      return replaceMatch(
        random,
        text,
        /[A-Za-z0-9]/g,
        (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
      );
    case 12:
      return random.once(2) ? random.pick(PIECES) + text : text + random.pick(PIECES);
    case 13:
      return head + random.text(random.length()) + tail;
    case 14:
      return replaceMatch(random, text, /[A-Za-z0-9_-](?=["'.\s]|$)/g, () => random.pick(LAST));
    case 15:
      return tail + piece + head;
    default:
      return random.once(12) ? huge(random, head, piece, tail) : head + random.text(1) + tail;
  }
}

/** Very long or very deep. */
function huge(random: Random, head: string, piece: string, tail: string): string {
  const times = random.pick([100, 3_000, 20_000, 60_000]);
  switch (random.int(4)) {
    case 0:
      return head + (piece === "" ? "A" : piece.slice(0, 4)).repeat(times) + tail;
    case 1:
      return `${head}${"[".repeat(times)}${"]".repeat(times)}${tail}`;
    case 2:
      return `${head}${'{"a":'.repeat(times)}1${"}".repeat(times)}${tail}`;
    default:
      return head + random.pick(["0", "9", " ", ".", "\\", "-"]).repeat(times) + tail;
  }
}

function flipBit(random: Random, text: string, at: number): string {
  const code = text.charCodeAt(at);
  return Number.isNaN(code)
    ? text
    : text.slice(0, at) + String.fromCharCode(code ^ (1 << random.int(8))) + text.slice(at + 1);
}

function lookAlike(random: Random, text: string): string {
  const pair = random.pick(ALIKE);
  const [from, to] = [pair.slice(0, 1), pair.slice(1)];
  const at = text.indexOf(from, random.int(text.length));
  return at === -1 ? text : text.slice(0, at) + to + text.slice(at + 1);
}

/** Replaces one of the places where `pattern`, which is global, matches. */
function replaceMatch(random: Random, text: string, pattern: RegExp, by: (match: string) => string): string {
  const from = random.int(text.length + 1);
  pattern.lastIndex = from;
  const found = pattern.exec(text);
  if (found === null) return text;
  return text.slice(0, found.index) + by(found[0]) + text.slice(found.index + found[0].length);
}
