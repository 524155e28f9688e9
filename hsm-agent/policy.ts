/**
 * The decision that the policy makes about a proposal: pure, default deny. README.md of protocol/, "Policy". What a policy is stands in
 * protocol/policy.ts, and who may change it in protocol/governance.ts.
 */
import { Fault } from "../protocol/error.ts";
import type { Network, Token } from "../protocol/network.ts";
import { canDecide, type People } from "../protocol/people.ts";
import { membersOf, type Policy, type Rule, type Vault } from "../protocol/policy.ts";
import type { VendorDemand } from "../protocol/vendor.ts";
import { parseUnits } from "./chains/decimal.ts";

export interface Question {
  readonly vault: string;
  readonly network: string;
  /** Symbol of the coin or of a token of the policy. */
  readonly asset: string;
  readonly to: string;
  readonly initiator: string;
}

export interface Permission {
  readonly rule: Rule;
  readonly vault: Vault;
  readonly network: Network;
  readonly token: Token | null;
  /** The destination's name in the address book. */
  readonly payee: string | null;
  readonly maxFeeUnits: bigint;
  /** Who may approve, in the group's order: able to today, and never the initiator. */
  readonly approvers: readonly string[];
}

/**
 * Whether `question` may become a request, and who then decides. Anything that no rule permits is refused.
 * @throws Fault ERR_POLICY_DENIED, ERR_POLICY_QUORUM, ERR_MEMBER_ROLE
 */
export function decide(policy: Policy, people: People, question: Question): Permission {
  const initiator = people.members.find((member) => member.name === question.initiator);
  if (initiator === undefined || !initiator.roles.includes("initiator")) {
    throw new Fault("ERR_MEMBER_ROLE", `${question.initiator} may not propose; an initiator can.`);
  }
  const network = policy.networks.find(({ id }) => id === question.network);
  const rule = policy.rules.find((r) => r.vault === question.vault && r.network === question.network);
  const vault = policy.vaults.find(({ name }) => name === question.vault);
  if (network === undefined || rule === undefined || vault === undefined) {
    throw new Fault(
      "ERR_POLICY_DENIED",
      `No rule of policy ${policy.n} lets vault ${question.vault} send on ${question.network}; propose a policy that does.`,
    );
  }
  const token = question.asset === network.symbol ? null : findToken(policy, network, question.asset);
  const payee = policy.addressBook.find((one) => one.network === network.id && one.address === question.to);
  if (rule.destinations === "book" && payee === undefined) {
    throw new Fault(
      "ERR_POLICY_DENIED",
      `Policy ${policy.n} lets vault ${vault.name} send to its address book only, and ${question.to} is not in it.`,
    );
  }
  const approvers = membersOf(policy, rule.approvers).filter(
    (name) => name !== question.initiator && canDecide(people, name, "approver"),
  );
  if (approvers.length < rule.threshold) {
    throw new Fault(
      "ERR_POLICY_QUORUM",
      `This needs ${rule.threshold} approvers and only ${approvers.length} of group ${rule.approvers} can approve now (the initiator never counts); enrol another device or person.`,
    );
  }
  const short = unreachable(people, approvers, rule.vendors);
  if (short !== undefined) {
    throw new Fault(
      "ERR_POLICY_QUORUM",
      `This needs ${short.atLeast} approvers with a ${short.vendor} and fewer of group ${rule.approvers} have one; enrol another device.`,
    );
  }
  const maxFeeUnits = parseUnits(rule.maxFee, network.decimals);
  return { rule, vault, network, token, payee: payee?.name ?? null, maxFeeUnits, approvers };
}

function findToken(policy: Policy, network: Network, symbol: string): Token {
  const token = policy.tokens.find((t) => t.network === network.id && t.symbol === symbol);
  if (token === undefined) {
    throw new Fault(
      "ERR_POLICY_DENIED",
      `Policy ${policy.n} knows no asset ${symbol} on ${network.name}; add it to tokens.`,
    );
  }
  return { contract: token.contract, symbol: token.symbol, decimals: token.decimals };
}

/** The first demand that fewer people than it asks for can meet. The threshold covers demands together. */
function unreachable(
  people: People,
  approvers: readonly string[],
  demands: readonly VendorDemand[],
): VendorDemand | undefined {
  return demands.find(({ vendor, atLeast }) => {
    const able = approvers.filter((name) =>
      people.members.some((member) => member.name === name && member.devices.some((d) => d.vendor === vendor)),
    );
    return able.length < atLeast;
  });
}
