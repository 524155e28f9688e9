/** All groups of attacks, in the order of the table in SECURITY.md. */
import type { Attack, Group } from "./attack.ts";
import { BRIDGE } from "./bridge.ts";
import { BROWSER } from "./browser.ts";
import { CLOCK } from "./clock.ts";
import { COMPUTER } from "./computer.ts";
import { conductGroup, type Result } from "./conduct.ts";
import { DISK } from "./disk.ts";
import { FOUNDING } from "./founding.ts";
import { JOSE } from "./jose.ts";
import { LOG } from "./log.ts";
import { NETWORK } from "./network.ts";
import { PEOPLE } from "./people.ts";
import { PROOFS } from "./proofs.ts";

/** A group without its stage's type: what the table and the runner need. */
export interface Listed {
  readonly name: string;
  readonly attacks: readonly Omit<Attack<never>, "run">[];
  readonly conducted: (told: (result: Result) => void) => Promise<void>;
}

export function listed<Stage>(group: Group<Stage>): Listed {
  return {
    name: group.name,
    attacks: group.attacks,
    conducted: async (told) => await conductGroup(group, told),
  };
}

export const GROUPS: readonly Listed[] = [
  listed(BRIDGE),
  listed(NETWORK),
  listed(JOSE),
  listed(BROWSER),
  listed(COMPUTER),
  listed(PEOPLE),
  listed(PROOFS),
  listed(FOUNDING),
  listed(DISK),
  listed(LOG),
  listed(CLOCK),
];
