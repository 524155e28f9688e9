/**
 * The policy document and the decision it makes about a proposal: pure, default deny. README.md of protocol/, "Policy".
 * What a statement's words mean (networks, tokens, decimals, who approves) stands here and nowhere else.
 */
import * as v from "valibot";
import { describeIssue } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { findLookAlikes, foldName, NameSchema } from "../protocol/name.ts";
import { OrdinalSchema } from "../protocol/primitive.ts";
import {
  DecimalSchema,
  type Network,
  NetworkIdSchema,
  NetworkSchema,
  type Token,
  TokenSchema,
} from "../protocol/request.ts";
import { sumOfDemands, type VendorDemand, VendorDemandsSchema } from "../protocol/vendor.ts";
import { parseUnits } from "./chains/decimal.ts";
import type { People } from "./people.ts";

const RuleSchema = v.strictObject({
  vault: NameSchema,
  network: NetworkIdSchema,
  /** Name of a group. */
  approvers: NameSchema,
  /** How many different people of it must approve. */
  threshold: v.pipe(OrdinalSchema, v.maxValue(64)),
  /** How many of those must use a device of a vendor; absent where any will do. */
  vendors: v.optional(VendorDemandsSchema, []),
  /** Highest gas limit × fee per gas, in the network's coin. */
  maxFee: DecimalSchema,
  /** How long a request stays open. Minutes. */
  expiresAfter: v.pipe(OrdinalSchema, v.maxValue(60 * 24 * 30)),
});
export type Rule = v.InferOutput<typeof RuleSchema>;

const GroupSchema = v.strictObject({
  name: NameSchema,
  members: v.pipe(v.array(NameSchema), v.minLength(1), v.maxLength(64)),
});
type Group = v.InferOutput<typeof GroupSchema>;

const PolicyTokenSchema = v.strictObject({ network: NetworkIdSchema, ...TokenSchema.entries });
type PolicyToken = v.InferOutput<typeof PolicyTokenSchema>;

function assetNames(policy: { networks: Network[]; tokens: PolicyToken[] }): string[] {
  return [
    ...policy.networks.map((n) => `${n.id} ${foldName(n.symbol)}`),
    ...policy.tokens.map((t) => `${t.network} ${foldName(t.symbol)}`),
  ];
}

function membersOf(groups: readonly Group[], name: string): readonly string[] {
  return groups.find((group) => group.name === name)?.members ?? [];
}

/** What an operator writes; the agent numbers it. */
export const PolicyTextSchema = v.pipe(
  v.strictObject({
    v: v.literal(1),
    networks: v.array(NetworkSchema),
    tokens: v.array(PolicyTokenSchema),
    groups: v.array(GroupSchema),
    rules: v.array(RuleSchema),
  }),
  v.check(
    (p) => findLookAlikes(p.networks.map((n) => n.name)) === undefined,
    "two networks have names that look alike",
  ),
  v.check((p) => isUnique(p.networks.map((n) => n.id)), "a network stands twice"),
  v.check((p) => isUnique(p.tokens.map((t) => `${t.network} ${t.contract}`)), "a token stands twice"),
  v.check((p) => isUnique(assetNames(p)), "two assets of one network have symbols that look alike"),
  v.check((p) => isUnique(p.groups.map((g) => g.name)), "a group stands twice"),
  v.check((p) => p.groups.every((g) => isUnique(g.members)), "a group has somebody twice"),
  v.check(
    (p) => p.rules.every((r) => sumOfDemands(r.vendors) <= r.threshold),
    "a rule's vendors ask for more people than its threshold",
  ),
  v.check((p) => isUnique(p.rules.map((r) => `${r.vault} ${r.network}`)), "a vault has two rules for one network"),
  v.check(
    (p) => p.rules.every((r) => p.networks.some((n) => n.id === r.network)),
    "a rule names a network that is not in networks",
  ),
  v.check(
    (p) => p.tokens.every((t) => p.networks.some((n) => n.id === t.network)),
    "a token names a network that is not in networks",
  ),
  v.check(
    (p) => p.rules.every((r) => membersOf(p.groups, r.approvers).length >= r.threshold),
    "a rule's group is missing or smaller than its threshold",
  ),
);
export type PolicyText = v.InferOutput<typeof PolicyTextSchema>;
export interface Policy extends PolicyText {
  readonly n: number;
}

function isUnique(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}

/** Parses an operator's policy. @throws Fault ERR_POLICY_DOCUMENT naming the path of the first fault */
export function parsePolicy(value: unknown): PolicyText {
  const parsed = v.safeParse(PolicyTextSchema, value);
  if (!parsed.success) {
    throw new Fault("ERR_POLICY_DOCUMENT", `The policy does not fit: ${describeIssue(parsed.issues[0])}.`);
  }
  return parsed.output;
}

export interface Question {
  readonly vault: string;
  readonly network: string;
  /** Symbol of the coin or of a token of the policy. */
  readonly asset: string;
  readonly initiator: string;
}

export interface Permission {
  readonly rule: Rule;
  readonly network: Network;
  readonly token: Token | null;
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
  if (network === undefined || rule === undefined) {
    throw new Fault(
      "ERR_POLICY_DENIED",
      `No rule of policy ${policy.n} lets vault ${question.vault} send on ${question.network}; add one with "opencustody policy set".`,
    );
  }
  const token = question.asset === network.symbol ? null : findToken(policy, network, question.asset);
  const approvers = membersOf(policy.groups, rule.approvers).filter(
    (name) => name !== question.initiator && canApprove(people, name),
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
  return { rule, network, token, maxFeeUnits: parseUnits(rule.maxFee, network.decimals), approvers };
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

function canApprove(people: People, name: string): boolean {
  const member = people.members.find((m) => m.name === name);
  return (
    member !== undefined &&
    member.roles.includes("approver") &&
    member.extensions.length > 0 &&
    member.devices.some((device) => device.state === "enrolled")
  );
}

/** The first demand that fewer people than it asks for can meet. The threshold covers demands together. */
function unreachable(
  people: People,
  approvers: readonly string[],
  demands: readonly VendorDemand[],
): VendorDemand | undefined {
  return demands.find(({ vendor, atLeast }) => {
    const able = approvers.filter((name) =>
      people.members.some(
        (member) => member.name === name && member.devices.some((d) => d.state === "enrolled" && d.vendor === vendor),
      ),
    );
    return able.length < atLeast;
  });
}
