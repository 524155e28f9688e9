/**
 * The policy document: what a statement's words mean (networks, tokens, vaults, address book), who approves what, and how the
 * policy itself is changed. README.md, "Policy". Schema and lookups; the decision about a proposal is the agent's.
 */
import * as v from "valibot";
import { EthereumAddressSchema } from "./device-signature.ts";
import { describeIssue } from "./envelope.ts";
import { Fault } from "./error.ts";
import { BridgeUrlSchema } from "./invite.ts";
import { findLookAlikes, foldName, NameSchema } from "./name.ts";
import { DecimalSchema, type Network, NetworkIdSchema, NetworkSchema, TokenSchema } from "./network.ts";
import { hexOf, OrdinalSchema } from "./primitive.ts";
import { sumOfDemands, VendorDemandsSchema } from "./vendor.ts";

const ThresholdSchema = v.pipe(OrdinalSchema, v.maxValue(64));
/** Minutes, at most 30 days. */
const MinutesSchema = v.pipe(OrdinalSchema, v.maxValue(60 * 24 * 30));
const PeopleNamesSchema = v.pipe(v.array(NameSchema), v.minLength(1), v.maxLength(64));

const RuleSchema = v.strictObject({
  vault: NameSchema,
  network: NetworkIdSchema,
  /** Name of a group. */
  approvers: NameSchema,
  /** How many different people of it must approve. */
  threshold: ThresholdSchema,
  /** How many of those must use a device of a vendor; empty where any will do. */
  vendors: VendorDemandsSchema,
  /** `book`: only to addresses of the address book. */
  destinations: v.picklist(["any", "book"]),
  /** Highest gas limit × fee per gas, in the network's coin. */
  maxFee: DecimalSchema,
  /** How long a request stays open. Minutes. */
  expiresAfter: MinutesSchema,
});
export type Rule = v.InferOutput<typeof RuleSchema>;

const GroupSchema = v.strictObject({ name: NameSchema, members: PeopleNamesSchema });
export type Group = v.InferOutput<typeof GroupSchema>;

const PolicyTokenSchema = v.strictObject({ network: NetworkIdSchema, ...TokenSchema.entries });
export type PolicyToken = v.InferOutput<typeof PolicyTokenSchema>;

/** A vault's name and the key in the HSM that it means: CKA_ID, and the uncompressed secp256k1 point, both hex. */
const VaultSchema = v.strictObject({ name: NameSchema, id: hexOf(16), publicKey: hexOf(65) });
export type Vault = v.InferOutput<typeof VaultSchema>;

const PayeeSchema = v.strictObject({ name: NameSchema, network: NetworkIdSchema, address: EthereumAddressSchema });
export type Payee = v.InferOutput<typeof PayeeSchema>;

/** Who decides about people and policy where the admins cannot, and how long everybody can see it coming. Hours. */
const RecoverySchema = v.strictObject({
  people: PeopleNamesSchema,
  threshold: ThresholdSchema,
  delay: v.pipe(OrdinalSchema, v.minValue(24), v.maxValue(24 * 90)),
});

const GovernanceSchema = v.strictObject({
  /** How many different admins must approve. */
  threshold: ThresholdSchema,
  vendors: VendorDemandsSchema,
  expiresAfter: MinutesSchema,
  recovery: v.nullable(RecoverySchema),
});

/** Whom to call, as the pages say it: one line of printable ASCII. */
const ContactSchema = v.pipe(
  v.string(),
  v.regex(/^[\x21-\x7e]([\x20-\x7e]{0,118}[\x21-\x7e])?$/, "a contact is one line of 1 to 120 characters"),
);

/** The longest policy, as text: a request with it, and its act with a few dozen approvals, still fit a sealed message. */
export const POLICY_MAX = 24_576;

/** What people write and approve; its number is put first when it comes into force. */
export const PolicyTextSchema = v.pipe(
  v.strictObject({
    v: v.literal(1),
    bridge: BridgeUrlSchema,
    contact: ContactSchema,
    networks: v.array(NetworkSchema),
    tokens: v.array(PolicyTokenSchema),
    vaults: v.array(VaultSchema),
    addressBook: v.array(PayeeSchema),
    groups: v.array(GroupSchema),
    rules: v.array(RuleSchema),
    governance: GovernanceSchema,
  }),
  v.check(
    (p) => findLookAlikes(statementNames(p)) === undefined,
    "two networks, vaults or payees have names that look alike",
  ),
  v.check((p) => isUnique(p.networks.map((n) => n.id)), "a network stands twice"),
  v.check((p) => isUnique(p.tokens.map((t) => `${t.network} ${t.contract}`)), "a token stands twice"),
  v.check((p) => isUnique(assetNames(p)), "two assets of one network have symbols that look alike"),
  v.check((p) => isUnique(p.vaults.map((one) => one.id)), "two vaults have one key"),
  v.check((p) => isUnique(p.vaults.map((one) => one.publicKey)), "two vaults have one key"),
  v.check(
    (p) => isUnique(p.addressBook.map((one) => `${one.network} ${one.address}`)),
    "an address stands twice in the address book",
  ),
  v.check((p) => isUnique(p.groups.map((g) => g.name)), "a group stands twice"),
  v.check((p) => p.groups.every((g) => isUnique(g.members)), "a group has somebody twice"),
  v.check((p) => isUnique(p.rules.map((r) => `${r.vault} ${r.network}`)), "a vault has two rules for one network"),
  v.check(
    (p) => p.rules.every((r) => p.vaults.some((one) => one.name === r.vault)),
    "a rule names a vault that is not in vaults",
  ),
  v.check((p) => isKnown(p, p.rules), "a rule names a network that is not in networks"),
  v.check((p) => isKnown(p, p.tokens), "a token names a network that is not in networks"),
  v.check((p) => isKnown(p, p.addressBook), "the address book names a network that is not in networks"),
  v.check(
    (p) => p.rules.every((r) => sumOfDemands(r.vendors) <= r.threshold),
    "a rule's vendors ask for more people than its threshold",
  ),
  v.check(
    (p) => p.rules.every((r) => membersOf(p, r.approvers).length >= r.threshold),
    "a rule's group is missing or smaller than its threshold",
  ),
  v.check(
    (p) => sumOfDemands(p.governance.vendors) <= p.governance.threshold,
    "governance.vendors ask for more people than its threshold",
  ),
  v.check(
    (p) => hasWholeRecovery(p.governance.recovery),
    "governance.recovery has somebody twice or fewer people than its threshold",
  ),
  v.check((p) => JSON.stringify(p).length <= POLICY_MAX, "it has more than 24,576 characters"),
);
export type PolicyText = v.InferOutput<typeof PolicyTextSchema>;
export interface Policy extends PolicyText {
  readonly n: number;
}

function assetNames(policy: { networks: Network[]; tokens: PolicyToken[] }): string[] {
  return [
    ...policy.networks.map((n) => `${n.id} ${foldName(n.symbol)}`),
    ...policy.tokens.map((t) => `${t.network} ${foldName(t.symbol)}`),
  ];
}

/** Names that stand in statements or beside an address. */
export function statementNames(policy: { networks: Network[]; vaults: Vault[]; addressBook: Payee[] }): string[] {
  return [...policy.networks, ...policy.vaults, ...policy.addressBook].map(({ name }) => name);
}

/** Names of a group's members; empty where there is no such group. */
export function membersOf(policy: { groups: readonly Group[] }, name: string): readonly string[] {
  return policy.groups.find((group) => group.name === name)?.members ?? [];
}

function isKnown(policy: { networks: Network[] }, rows: readonly { network: string }[]): boolean {
  return rows.every(({ network }) => policy.networks.some(({ id }) => id === network));
}

function hasWholeRecovery(recovery: v.InferOutput<typeof RecoverySchema> | null): boolean {
  return recovery === null || (isUnique(recovery.people) && recovery.people.length >= recovery.threshold);
}

function isUnique(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}

/** Parses a policy that somebody wrote. @throws Fault ERR_POLICY_DOCUMENT naming the path of the first fault */
export function parsePolicy(value: unknown): PolicyText {
  const parsed = v.safeParse(PolicyTextSchema, value);
  if (!parsed.success)
    throw new Fault("ERR_POLICY_DOCUMENT", `The policy does not fit: ${describeIssue(parsed.issues[0])}.`);
  return parsed.output;
}
