/** What the groups of this folder set up, and how a list of tries becomes an attack. */
import type { Attack } from "./attack.ts";
import type { Asked, Stage } from "./stage.ts";

/** A company and a request that nobody has decided on. */
export interface Setting {
  readonly stage: Stage;
  readonly asked: Asked;
}

/** With a second open request. */
export interface Josed extends Setting {
  readonly other: Asked;
}

/** With a second company, whose people have the same devices. */
export interface Bridged extends Setting {
  readonly second: Stage;
}

/** One try: resolves with the code that it is refused with. */
export type Try<S extends Setting = Setting> = (setting: S) => Promise<string>;

/** An attack of tries one after the other, each held to the agent's record. */
export function attackOf<S extends Setting>(
  row: Omit<Attack<S>, "run" | "tries">,
  tries: readonly Try<S>[],
): Attack<S> {
  return {
    ...row,
    tries: tries.length,
    run: async (setting, tally) => {
      for (const [at, one] of tries.entries())
        await setting.stage.attempt(tally, async () => await one(setting), `try ${at + 1}`);
    },
  };
}
