/** Which kills a run makes, in which order: it follows from the seed alone. */
import { Random } from "../fuzz/random.ts";
import { AGENT_POINTS, BRIDGE_POINTS, isRare } from "./points.ts";

/** A kill, and what it is aimed at. Times in milliseconds. */
export type Kill =
  /** At the `nth` time that the process comes to a point. */
  | { readonly what: "point"; readonly part: "agent" | "bridge"; readonly point: string; readonly nth: number }
  /** At any moment. */
  | { readonly what: "random"; readonly part: "agent" | "bridge" | "both"; readonly after: number }
  /** While it starts, after so long: recovery is killed as well. */
  | { readonly what: "start"; readonly after: number }
  /** The PKCS#11 server, which is away for a while. */
  | { readonly what: "server"; readonly away: number }
  /** The browser of an approver who has signed and has no receipt yet. */
  | { readonly what: "browser"; readonly away: "agent" | "bridge"; readonly after: number }
  /** The disk refuses; then the agent is killed. */
  | {
      readonly what: "disk";
      readonly call: "sync" | "write";
      readonly error: "EIO" | "ENOSPC";
      readonly after: number;
    };

/** Out of a hundred. The rest are points, in turn: two of the agent's for one of the bridge's. */
const SHARES = { random: 16, start: 8, server: 10, browser: 4, disk: 4 } as const;

/** So many kills. Of each kind there is one at least. */
export function planKills(seed: number, count: number): Kill[] {
  const chance = new Random(seed, "kills", 0);
  const share = (what: keyof typeof SHARES) => Math.max(1, Math.round((SHARES[what] * count) / 100));
  const make = <T>(what: keyof typeof SHARES, one: (at: number) => T) =>
    Array.from({ length: share(what) }, (_, at) => one(at));
  const others: Kill[] = [
    ...make("random", () => random(chance)),
    ...make("start", () => ({ what: "start", after: chance.int(700) }) as const),
    ...make("server", () => ({ what: "server", away: 50 + chance.int(1_500) }) as const),
    ...make("browser", (at) => browser(chance, at)),
    ...make("disk", (at) => disk(chance, at)),
  ];
  const points = pointsInTurn(chance, Math.max(0, count - others.length));
  return shuffle(chance, [...points, ...others].slice(0, count));
}

function random(chance: Random): Kill {
  const part = chance.pick(["agent", "agent", "agent", "bridge", "bridge", "both"] as const);
  return { what: "random", part, after: chance.int(900) };
}

function browser(chance: Random, at: number): Kill {
  return { what: "browser", away: at % 2 === 0 ? "agent" : "bridge", after: chance.int(300) };
}

function disk(chance: Random, at: number): Kill {
  const after = chance.int(6);
  return at % 2 === 0
    ? { what: "disk", call: "sync", error: "EIO", after }
    : { what: "disk", call: chance.pick(["sync", "write"] as const), error: "ENOSPC", after };
}

/** Each point as often as the others, as far as it comes out even; once at the first time, which comes even where the sixth does not. */
function pointsInTurn(chance: Random, count: number): Kill[] {
  const agent = endless(chance, AGENT_POINTS);
  const bridge = endless(chance, BRIDGE_POINTS);
  const aimedAt = new Set<string>();
  return Array.from({ length: count }, (_, at) => {
    const part = at % 4 === 3 ? "bridge" : "agent";
    const point = part === "agent" ? agent() : bridge();
    const isFirst = isRare(point) || !aimedAt.has(point);
    aimedAt.add(point);
    return { what: "point", part, point, nth: isFirst ? 1 : 1 + chance.int(6) } as const;
  });
}

function endless(chance: Random, points: readonly string[]): () => string {
  let left: string[] = [];
  return () => {
    if (left.length === 0) left = shuffle(chance, points);
    const next = left.pop();
    if (next === undefined) throw new Error("there are no points");
    return next;
  };
}

function shuffle<T>(chance: Random, values: readonly T[]): T[] {
  const left = [...values];
  return values.map(() => {
    const [one] = left.splice(chance.int(left.length), 1);
    return one as T;
  });
}
