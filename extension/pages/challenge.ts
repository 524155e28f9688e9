/**
 * The comparison that makes an enrolment worth something: two groups of four characters of the address, at places chosen at
 * random, typed from the device's own screen. The page never prints the address. Pure; randomness is an argument. protocol/README.md, "Devices".
 */
import { inFours } from "./wording.ts";

/** Groups of four in an address, counted after 0x. */
export const GROUPS = 10;
/** Wrong answers after which the places change. */
export const TRIES = 3;

export interface Challenge {
  /** Two different groups, 0 to 9, in rising order. */
  readonly places: readonly [number, number];
  /** Answers that are left for these places. */
  readonly left: number;
}

/** A challenge of random bytes: each byte below 250 names one group, others are passed over so that no place is likelier. */
export function challengeOf(random: Uint8Array): Challenge {
  const [first, second] = new Set([...random].filter((byte) => byte < 250).map((byte) => byte % GROUPS));
  if (first === undefined || second === undefined) throw new RangeError("more random bytes are needed");
  return { places: first < second ? [first, second] : [second, first], left: TRIES };
}

/** "characters 9 to 12": where a group stands, counted from 1 after 0x. */
export function placeWords(group: number): string {
  return `characters ${group * 4 + 1} to ${group * 4 + 4}`;
}

/** What a person typed as one group: white space dropped, lower case. */
export function typedGroup(text: string): string {
  return text.replaceAll(/\s/g, "").toLowerCase();
}

export type Answer = "matches" | "differs" | "start-again";

/** Compares what was typed with `address` (0x and 40 hex digits). `start-again`: no tries are left; take new places. */
export function answerOf(challenge: Challenge, typed: readonly [string, string], address: string): Answer {
  const groups = inFours(address.slice(2).toLowerCase());
  if (challenge.places.every((place, at) => groups[place] === typedGroup(typed[at] ?? ""))) return "matches";
  return challenge.left > 1 ? "differs" : "start-again";
}
