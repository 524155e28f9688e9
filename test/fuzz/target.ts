/** What a target is: one parser of something that comes from outside, what is thrown at it, and what it promised. */
import { isFault } from "../../protocol/error.ts";
import type { Random } from "./random.ts";

/** What the parser did with one input. */
export type Verdict = "accepted" | "refused";

export interface Target {
  /**
   * Makes one input and gives it to the parser. What it throws is a finding: `NonCanonical`, or anything else, which is a crash.
   * May leave the input in `input` for the report.
   */
  attempt(random: Random): Verdict | Promise<Verdict>;
  /** Where there are such: at the end, and whatever happened before. */
  close?(): Promise<void> | void;
}

/** Something was accepted that is not the one spelling of what was understood, or that nobody made. */
export class NonCanonical extends Error {
  override readonly name = "NonCanonical";
}

/** The last input given to a parser: for the report of a finding. */
let latest: unknown;

export function latestInput(): unknown {
  return latest;
}

/** Remembers what is given to a parser. */
export function given<T>(input: T): T {
  latest = input;
  return input;
}

let teller: (pid: number) => void = () => undefined;

export function setTeller(tell: (pid: number) => void): void {
  teller = tell;
}

/** Says that a program was started, so that it does not outlive a target that is ended in the middle. */
export function tellProcess(pid: number): void {
  teller(pid);
}

/** The parser's value, or undefined where it refused in the one way that it may. */
export function accept<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (isFault(error)) return undefined;
    throw error;
  }
}

export async function acceptLater<T>(parse: () => Promise<T>): Promise<T | undefined> {
  try {
    return await parse();
  } catch (error) {
    if (isFault(error)) return undefined;
    throw error;
  }
}

/** @throws NonCanonical */
export function require(holds: boolean, what: string): asserts holds {
  if (!holds) throw new NonCanonical(what);
}

/** That two values are the same, whatever the order of their members. @throws NonCanonical */
export function requireSame(one: unknown, other: unknown, what: string): void {
  require(sorted(one) === sorted(other), what);
}

function sorted(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : Number(a > b))))
      : member,
  );
}
