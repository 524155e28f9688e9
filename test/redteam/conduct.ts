/** Runs a group of attacks against its own running parts, one after the other, and holds each to its declaration. */
import { type Attack, type Group, Tally } from "./attack.ts";

export interface Result {
  readonly id: string;
  readonly tries: number;
  readonly through: number;
  /** What does not fit the declaration; empty where all is as declared. */
  readonly faults: readonly string[];
}

/** One attack. Never throws: a crash is a fault of the result. */
export async function conduct<Stage>(attack: Attack<Stage>, stage: Stage): Promise<Result> {
  const tally = new Tally();
  const faults: string[] = [];
  try {
    await attack.run(stage, tally);
  } catch (error) {
    faults.push(`it crashed: ${error instanceof Error ? (error.stack ?? error.message) : "not an error"}`);
  }
  faults.push(...tally.breaches.map((what) => `THROUGH: ${what}`));
  if (tally.tries !== attack.tries) faults.push(`it was tried ${tally.tries} times and declares ${attack.tries}`);
  const seen = [...tally.refusals.keys()].sort().join(", ");
  const declared = [...attack.refused].sort().join(", ");
  if (seen !== declared) faults.push(`it was refused with ${seen} and declares ${declared}`);
  return { id: attack.id, tries: tally.tries, through: tally.breaches.length, faults };
}

/** All attacks of a group. */
export async function conductGroup<Stage>(group: Group<Stage>, told: (result: Result) => void): Promise<void> {
  const stage = await group.open();
  try {
    for (const attack of group.attacks) told(await conduct(attack, stage));
  } finally {
    await group.close(stage);
  }
}
