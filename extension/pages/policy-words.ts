/** A whole policy in sentences: who approves what, who changes it, what its words mean. For the founding and for whoever looks it up. Pure. */
import type { People } from "../../protocol/people.ts";
import type { PolicyText } from "../../protocol/policy.ts";
import { demandWords } from "./demands.ts";
import { minutesWords, recoveryWords, ruleWords } from "./effect-deciding.ts";
import { networkName } from "./effect-naming.ts";
import { listWords } from "./wording.ts";

/** Who approves what, one sentence a rule; then who changes people and policy. */
export function policySentences(policy: PolicyText, people: People): string[] {
  const { governance, rules } = policy;
  const admins = people.members.filter(({ roles }) => roles.includes("admin")).map(({ name }) => name);
  const vendors = governance.vendors.length === 0 ? "" : `, on ${demandWords(governance.vendors)}`;
  return [
    ...rules.map((rule) => ruleWords(policy, rule)),
    `Changes of people and policy: ${governance.threshold} of ${admins.length} admins (${listWords(admins)}) approve${vendors}; a request stays open ${minutesWords(governance.expiresAfter)}. Who proposes does not count.`,
    governance.recovery === null
      ? "Recovery: nobody can act when too many admins have lost their devices."
      : `Recovery: ${recoveryWords(governance.recovery)}`,
  ];
}

/** A name in the policy, and the long value that it stands for. */
export interface NamedValue {
  readonly name: string;
  readonly text: string;
}

/** What the tokens and the payees mean. */
export function namedValues(policy: PolicyText): NamedValue[] {
  return [
    ...policy.tokens.map(({ symbol, network, contract, decimals }) => ({
      name: `${symbol} on ${networkName(policy, network)}, ${decimals} decimals`,
      text: contract,
    })),
    ...policy.addressBook.map(({ name, network, address }) => ({
      name: `${name} on ${networkName(policy, network)} (address book)`,
      text: address,
    })),
  ];
}
