/** Proofs that were changed: in their form as JSON, in one bit, and to the bounds of their form and beyond. Always the same ones. */

type Place = readonly (string | number)[];

const VALUES: readonly unknown[] = [
  null,
  "",
  0,
  -1,
  1,
  true,
  [],
  {},
  "x",
  2 ** 53,
  1.5,
  [null],
  "0x",
  "A",
  1e21,
  "\ud800",
];
const PIECES = ["A", "Z", "a", "_", "-", ".", "+", "=", "\n", " ", '"', "\u00e9", "\u2014", "\ud800"];

/** Numbers below `n` that look random and are the same each time. */
function numbers(): (n: number) => number {
  let state = 0x2545f491;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
}

function isObject(value: unknown): value is Record<string | number, unknown> {
  return typeof value === "object" && value !== null;
}

/** Every place in a value but its top. */
function placesIn(value: unknown, at: Place = []): Place[] {
  if (!isObject(value)) return [];
  const names = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  return names.flatMap((name) => [[...at, name], ...placesIn(value[name], [...at, name])]);
}

/** `count` files that differ from one of `files` in one place: a value, a member or an element more or less, one put elsewhere, another file's. */
export function mutated(files: readonly string[], count: number): string[] {
  const random = numbers();
  const any = <T>(of: readonly T[]): T => {
    const found = of[random(of.length)];
    if (found === undefined) throw new RangeError("nothing to choose from");
    return found;
  };
  const mutant = (turn: number): string => {
    const proof = JSON.parse(any(files)) as Record<string, unknown>;
    const place = any(placesIn(proof));
    let parent: unknown = proof;
    for (const name of place.slice(0, -1)) parent = isObject(parent) ? parent[name] : undefined;
    const name = place.at(-1) ?? "";
    if (!isObject(parent)) throw new TypeError("no such place");
    const list = Array.isArray(parent) ? (parent as unknown[]) : undefined;
    const value = parent[name];
    switch (turn % 8) {
      case 0:
        parent[name] = any(VALUES);
        break;
      case 1:
        if (list === undefined) delete parent[name];
        else list.splice(Number(name), 1);
        break;
      case 2:
        if (list === undefined) parent["more"] = 1;
        else list.push(value);
        break;
      case 3:
        parent[name] = typeof value === "number" ? value + any([1, -1, 2 ** 40]) : [value];
        break;
      case 4:
        parent[name] = typeof value === "string" ? spoilt(value, random, any(PIECES)) : { "0": value };
        break;
      case 5:
        // A list as an object of the same elements, and the other way round.
        parent[name] = Array.isArray(value)
          ? Object.fromEntries(value.map((one) => [String(one), 1]))
          : isObject(value)
            ? Object.values(value)
            : String(value);
        break;
      case 6:
        if (list === undefined) moveLast(parent, name);
        else list.reverse();
        break;
      default: {
        const top = String(place[0]);
        proof[top] = (JSON.parse(any(files)) as Record<string, unknown>)[top];
      }
    }
    return `${JSON.stringify(proof)}\n`;
  };
  const mutants = new Set<string>();
  for (let turn = 0; mutants.size < count; turn += 1) {
    const made = mutant(turn);
    // Some turns change nothing.
    if (!files.includes(made)) mutants.add(made);
  }
  return [...mutants];
}

function spoilt(text: string, random: (n: number) => number, piece: string): string {
  const at = random(text.length + 1);
  return text.slice(0, at) + piece + text.slice(at + random(2));
}

/** The same members in another order. */
function moveLast(object: Record<string | number, unknown>, name: string | number): void {
  const value = object[name];
  delete object[name];
  object[name] = value;
}

/** `count` files in which one bit differs, all over the file. All are UTF-8, where that bit leaves it so. */
export function flipped(file: string, count: number): string[] {
  const bytes = Buffer.from(file);
  return Array.from({ length: count }, (_, part) => {
    const changed = Buffer.from(bytes);
    const at = Math.floor((part * bytes.length) / count) + (part % 7);
    changed[at] = (changed[at] ?? 0) ^ (1 << (part % 7));
    return changed.toString("utf8");
  });
}

/** Files whose form is at a bound, which fail later if at all, and such that are one beyond it. */
export function beyondBounds(file: string): { at: string[]; beyond: string[] } {
  const proof = JSON.parse(file) as { entry: { index: number; text: string; path: string[] } };
  const bounds: ((over: number) => object)[] = [
    (over) => ({ messages: Array.from({ length: 160 + over }, () => "a.b.c") }),
    (over) => ({ acts: [`a.b.${"c".repeat(131_068 + over)}`] }),
    (over) => ({ request: `a.b.${"c".repeat(131_068 + over)}` }),
    (over) => ({ signed: `0x${"00".repeat(32_767 + over)}` }),
    (over) => ({ checkpoint: "c".repeat(4_096 + over) }),
    (over) => ({ entry: { ...proof.entry, path: Array.from({ length: 42 + over }, () => "0".repeat(64)) } }),
    (over) => ({ entry: { ...proof.entry, index: 2 ** 40 + over } }),
    (over) => ({ entry: { ...proof.entry, text: "\u{1f600}".repeat(12_288) + "x".repeat(over) } }),
  ];
  const make = (over: number) => bounds.map((bound) => `${JSON.stringify({ ...proof, ...bound(over) })}\n`);
  return { at: make(0), beyond: make(1) };
}
