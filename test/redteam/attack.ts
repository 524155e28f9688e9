/**
 * What an attack of the red team is: what is tried against running parts, how often, and with which codes it must be refused. The table in
 * SECURITY.md is made from these declarations, and conduct.ts holds each run to its own.
 */

/** Who attacks: the rows of the trust model in SECURITY.md. */
export type Attacker =
  | "hostile bridge"
  | "hostile network"
  | "hostile console or page"
  | "hostile computer"
  | "hostile member"
  | "hostile operator"
  | "stolen keys"
  | "hostile disk";

/** One row of the table; `Stage` is what its group set up. */
export interface Attack<Stage> {
  /** Unique, in kebab case. */
  readonly id: string;
  readonly by: Attacker;
  /** What was tried, as one sentence without a full stop. */
  readonly what: string;
  /** How often; each try is told to the tally. */
  readonly tries: number;
  /** Every code that a try is refused with, and no other; or, where nothing answers, what is seen instead: "no answer", "no prompt". */
  readonly refused: readonly string[];
  readonly run: (stage: Stage, tally: Tally) => Promise<void>;
}

/** Attacks that share running parts. */
export interface Group<Stage> {
  readonly name: string;
  readonly open: () => Promise<Stage>;
  readonly close: (stage: Stage) => Promise<void>;
  readonly attacks: readonly Attack<Stage>[];
}

/** What came of the tries of one attack. */
export class Tally {
  readonly refusals = new Map<string, number>();
  readonly breaches: string[] = [];

  /** A try was refused with this code. */
  refused(code: string): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
  }

  /** A try reached what it must not. */
  through(what: string): void {
    this.breaches.push(what);
  }

  /** Runs one try that must throw something with a `code`. */
  async mustThrow(work: () => unknown): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.refused(codeOf(error));
      return;
    }
    this.through("nothing was refused");
  }

  get tries(): number {
    return [...this.refusals.values()].reduce((sum, n) => sum + n, 0) + this.breaches.length;
  }
}

/** The code of a Fault, or the first ERR_ word of what a program wrote. Anything else is a crash, and thrown on. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) throw new Error("something that is no error was thrown");
  const code: unknown = Reflect.get(error, "code");
  if (typeof code === "string" && code.startsWith("ERR_")) return code;
  const named = /\bERR_[A-Z_]+\b/.exec(error.message);
  if (named === null) throw error;
  return named[0];
}
