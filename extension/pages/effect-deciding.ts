/** What a new policy does to who approves what, and to who changes the policy. Pure; effect.ts puts it together. */
import { type Group, membersOf, type PolicyText, type Rule } from "../../protocol/policy.ts";
import type { VendorDemand } from "../../protocol/vendor.ts";
import { type Consequence, memberChanges, moves, note, rowChanges, warning } from "./consequence.ts";
import { compareDecimals } from "./decimal.ts";
import { demandWords } from "./demands.ts";
import { coinWords, networkName } from "./effect-naming.ts";
import { listWords } from "./wording.ts";

type Change = (before: PolicyText, after: PolicyText) => Consequence[];

function ruleName(policy: PolicyText, { vault, network }: Pick<Rule, "vault" | "network">): string {
  return `${vault} on ${networkName(policy, network)}`;
}

export const ruleChanges: Change = (before, after) =>
  rowChanges(before.rules, after.rules, {
    list: "rules",
    idOf: ({ vault, network }) => `${vault} ${network}`,
    nameOf: (rule) => `rule for ${ruleName(before, rule)}`,
    added: (rule) => warning(`New rule: ${ruleWords(after, rule)}`),
    removed: (rule) => note(`There is no rule for ${ruleName(before, rule)} any more: nothing can be sent from there.`),
    members: {
      threshold: (was, is) => [
        levelOf(
          is.threshold < was.threshold,
          `Threshold of ${ruleName(after, is)} ${moves(was.threshold, is.threshold)} of ${membersOf(after, is.approvers).length}.`,
        ),
      ],
      approvers: (was, is) => [
        warning(
          `${ruleName(after, is)} is approved by ${is.approvers} (${peopleOf(after, is.approvers)}) instead of ${was.approvers} (${peopleOf(before, was.approvers)}).`,
        ),
      ],
      vendors: (was, is) => [
        warning(`Devices for ${ruleName(after, is)}: ${anyOr(is.vendors)} instead of ${anyOr(was.vendors)}.`),
      ],
      destinations: (_was, is) => [
        is.destinations === "any"
          ? warning(`${ruleName(after, is)} may send to any address, not only to the address book.`)
          : note(`${ruleName(after, is)} may send to addresses of the address book only.`),
      ],
      maxFee: (was, is) => {
        const rises = compareDecimals(is.maxFee, was.maxFee) > 0;
        return [
          levelOf(
            rises,
            `Highest fee of ${ruleName(after, is)} ${rises ? "rises" : "falls"} from ${was.maxFee} to ${is.maxFee}${coinWords(after, is.network)}.`,
          ),
        ];
      },
      expiresAfter: (was, is) => [openWords(`Requests of ${ruleName(after, is)}`, was.expiresAfter, is.expiresAfter)],
    },
  });

/** One rule as a sentence. */
export function ruleWords(policy: PolicyText, rule: Rule): string {
  const people = membersOf(policy, rule.approvers);
  const vendors = rule.vendors.length === 0 ? "" : `, on ${demandWords(rule.vendors)}`;
  const where = rule.destinations === "book" ? "to addresses of the address book only" : "to any address";
  return `${ruleName(policy, rule)}: ${rule.threshold} of ${people.length} (${listWords(people)}) approve${vendors}; ${where}; fee up to ${rule.maxFee}${coinWords(policy, rule.network)}; a request stays open ${minutesWords(rule.expiresAfter)}.`;
}

export const groupChanges: Change = (before, after) =>
  rowChanges(before.groups, after.groups, {
    list: "groups",
    idOf: ({ name }) => name,
    nameOf: ({ name }) => `group ${name}`,
    added: ({ name, members }) => note(`Group ${name} is new: ${listWords(members)}.`),
    removed: ({ name }) => note(`Group ${name} is gone.`),
    members: {
      members: (was, is) => [
        ...is.members
          .filter((one) => !was.members.includes(one))
          .map((one) => warning(`${one} joins ${usedFor(after, is, "may approve for")}`)),
        ...was.members
          .filter((one) => !is.members.includes(one))
          .map((one) => note(`${one} leaves ${usedFor(after, is, "may no longer approve for")}`)),
      ],
    },
  });

function usedFor(policy: PolicyText, { name }: Group, means: string): string {
  const rules = policy.rules.filter(({ approvers }) => approvers === name);
  if (rules.length === 0) return `${name}, which no rule uses.`;
  const places = rules.map(
    (rule) => `${ruleName(policy, rule)} (${rule.threshold} of ${membersOf(policy, name).length})`,
  );
  return `${name}, and ${means} ${listWords(places)}.`;
}

type Governance = PolicyText["governance"];
type Recovery = NonNullable<Governance["recovery"]>;

export const governanceChanges: Change = ({ governance: before }, { governance: after }) =>
  memberChanges<Governance>("governance", before, after, {
    threshold: (was, is) => [
      levelOf(
        is.threshold < was.threshold,
        `Changes of people and policy: the number of admins who must approve ${moves(was.threshold, is.threshold)}.`,
      ),
    ],
    vendors: (was, is) => [
      warning(`Devices for changes of people and policy: ${anyOr(is.vendors)} instead of ${anyOr(was.vendors)}.`),
    ],
    expiresAfter: (was, is) => [
      openWords("Requests for changes of people and policy", was.expiresAfter, is.expiresAfter),
    ],
    recovery: (was, is) => recoveryChanges(was.recovery, is.recovery),
  });

function recoveryChanges(before: Recovery | null, after: Recovery | null): Consequence[] {
  if (after === null)
    return [warning("Recovery: nobody can act any more when too many admins have lost their devices.")];
  if (before === null) return [warning(`Recovery: ${recoveryWords(after)}`)];
  return memberChanges<Recovery>("recovery", before, after, {
    threshold: (was, is) => [
      levelOf(
        is.threshold < was.threshold,
        `Recovery: the threshold ${moves(was.threshold, is.threshold)} of ${is.people.length}.`,
      ),
    ],
    people: (was, is) => [
      ...is.people.filter((one) => !was.people.includes(one)).map((one) => warning(`Recovery: ${one} may take part.`)),
      ...was.people
        .filter((one) => !is.people.includes(one))
        .map((one) => note(`Recovery: ${one} may no longer take part.`)),
    ],
    delay: (was, is) => [
      levelOf(
        is.delay < was.delay,
        `Recovery: everybody sees it coming for ${is.delay} hours instead of ${was.delay}.`,
      ),
    ],
  });
}

/** Who may act when the admins cannot, as a sentence. */
export function recoveryWords({ threshold, people, delay }: Recovery): string {
  return `${threshold} of ${people.length} (${listWords(people)}) may change people and policy without the admins, ${delay} hours after they ask for it.`;
}

/** "2 days", "36 hours", "90 minutes": whole units only. */
export function minutesWords(minutes: number): string {
  const [count, unit] =
    minutes % 1440 === 0 ? [minutes / 1440, "day"] : minutes % 60 === 0 ? [minutes / 60, "hour"] : [minutes, "minute"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

function openWords(what: string, was: number, is: number): Consequence {
  return levelOf(is > was, `${what} stay open for ${minutesWords(is)} instead of ${minutesWords(was)}.`);
}

function levelOf(more: boolean, text: string): Consequence {
  return more ? warning(text) : note(text);
}

function anyOr(demands: readonly VendorDemand[]): string {
  return demandWords(demands) || "any will do";
}

function peopleOf(policy: PolicyText, group: string): string {
  return listWords(membersOf(policy, group)) || "nobody";
}
