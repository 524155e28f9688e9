import * as v from "valibot";
import { expect, test } from "vitest";
import { membersOf, POLICY_MAX, PolicyTextSchema, parsePolicy, statementNames } from "./policy.ts";
import { VAULT } from "./vectors/keys.ts";
import { POLICY, STRICTER } from "./vectors/world.ts";

const [network] = POLICY.networks;
const [token] = POLICY.tokens;
const [vault] = POLICY.vaults;
const [payee] = POLICY.addressBook;
const [group] = POLICY.groups;
const [rule] = POLICY.rules;
const { governance } = POLICY;
const rules = (change: object) => ({ rules: [{ ...rule, ...change }] });
const govern = (change: object) => ({ governance: { ...governance, ...change } });
const recovery = (change: object) => govern({ recovery: { ...governance.recovery, ...change } });
const ledgers = (atLeast: number) => ({ vendors: [{ vendor: "Ledger", atLeast }] });

test("whole policies pass, and come out as they went in", () => {
  for (const policy of [
    POLICY,
    STRICTER,
    { ...POLICY, rules: [], groups: [] },
    { ...POLICY, ...govern({ recovery: null }) },
  ])
    expect(JSON.stringify(parsePolicy(policy))).toBe(JSON.stringify(policy));
});

test("names of statements, members of groups", () => {
  expect(statementNames(POLICY)).toEqual(["Ethereum", "Treasury-1", "Acme"]);
  expect(membersOf(POLICY, "treasurers")).toEqual(["Ada", "Bob", "Dan"]);
  expect(membersOf(POLICY, "nobody")).toEqual([]);
});

const REFUSED: [what: string, change: object, says: RegExp][] = [
  ["a number", { n: 1 }, /n/],
  ["version 2", { v: 2 }, /v: /],
  ["no bridge", { bridge: undefined }, /bridge/],
  ["a bridge without TLS", { bridge: "ws://bridge.example/" }, /bridge: a bridge is wss/],
  ["no contact", { contact: "" }, /contact: a contact is/],
  ["a contact of two lines", { contact: "a\nb" }, /contact: a contact is/],
  ["a contact that ends in a space", { contact: "a " }, /contact: a contact is/],
  ["a contact of 121 characters", { contact: "x".repeat(121) }, /contact: a contact is/],
  ["a network twice", { networks: [network, { ...network, name: "Other" }] }, /a network stands twice/],
  ["networks that look alike", { networks: [network, { ...network, id: "eip155:5", name: "ethereum" }] }, /look alike/],
  ["a network that is not EVM", { networks: [{ ...network, id: "solana:1" }] }, /networks.0.id/],
  ["a token twice", { tokens: [token, { ...token, symbol: "OTHER" }] }, /a token stands twice/],
  ["symbols that look alike", { tokens: [{ ...token, symbol: "eth" }] }, /symbols that look alike/],
  ["a token on an unknown network", { tokens: [{ ...token, network: "eip155:5" }] }, /a token names a network/],
  ["a symbol that is a word of the statement", { tokens: [{ ...token, symbol: "ALL" }] }, /tokens.0.symbol/],
  [
    "two vaults of one id",
    { vaults: [vault, { ...vault, name: "Other", publicKey: `04${"ab".repeat(64)}` }] },
    /one key/,
  ],
  ["two vaults of one key", { vaults: [vault, { ...vault, name: "Other", id: "ab".repeat(16) }] }, /one key/],
  ["a compressed vault key", { vaults: [{ ...vault, publicKey: VAULT.publicKey.slice(0, 66) }] }, /vaults.0.publicKey/],
  ["a vault like a payee", { addressBook: [{ ...payee, name: "treasury-l" }] }, /look alike/],
  ["a payee twice", { addressBook: [payee, { ...payee, name: "Other" }] }, /an address stands twice/],
  ["a payee on an unknown network", { addressBook: [{ ...payee, network: "eip155:5" }] }, /the address book names/],
  [
    "a payee without checksum",
    { addressBook: [{ ...payee, address: payee?.address.toLowerCase() }] },
    /addressBook.0.address/,
  ],
  ["a group twice", { groups: [group, group] }, /a group stands twice/],
  [
    "a group with somebody twice",
    { groups: [{ ...group, members: ["Ada", "Bob", "Ada"] }] },
    /a group has somebody twice/,
  ],
  ["an empty group", { groups: [{ ...group, members: [] }] }, /groups.0.members/],
  ["a rule for an unknown vault", rules({ vault: "Other" }), /a rule names a vault/],
  ["a rule for an unknown network", rules({ network: "eip155:5" }), /a rule names a network/],
  ["two rules for a vault and network", { rules: [rule, { ...rule, threshold: 1 }] }, /two rules for one network/],
  ["a rule of an unknown group", rules({ approvers: "nobody" }), /group is missing or smaller/],
  ["a threshold above the group", rules({ threshold: 4 }), /group is missing or smaller/],
  ["a threshold of none", rules({ threshold: 0 }), /rules.0.threshold/],
  ["vendors above the threshold", rules(ledgers(3)), /vendors ask for more/],
  ["vendors left out", rules({ vendors: undefined }), /rules.0.vendors/],
  ["destinations of another kind", rules({ destinations: "all" }), /rules.0.destinations/],
  ["destinations left out", rules({ destinations: undefined }), /rules.0.destinations/],
  ["a fee with an exponent", rules({ maxFee: "1e3" }), /rules.0.maxFee/],
  ["a request open for 31 days", rules({ expiresAfter: 60 * 24 * 31 }), /rules.0.expiresAfter/],
  ["no governance", { governance: undefined }, /governance/],
  ["governance by nobody", govern({ threshold: 0 }), /governance.threshold/],
  ["governance with vendors above it", govern(ledgers(3)), /governance.vendors ask for more/],
  ["recovery left out", govern({ recovery: undefined }), /governance.recovery/],
  ["a recovery after 23 hours", recovery({ delay: 23 }), /governance.recovery.delay/],
  ["a recovery after 91 days", recovery({ delay: 24 * 91 }), /governance.recovery.delay/],
  [
    "a recovery of one who stands twice",
    recovery({ people: ["Dan", "Dan"] }),
    /governance.recovery has somebody twice/,
  ],
  ["a recovery of fewer than its threshold", recovery({ people: ["Dan"] }), /fewer people than its threshold/],
  ["an unknown member", { limits: [] }, /limits/],
];

test.each(REFUSED)("refused: %s", (_what, change, says) => {
  const policy: unknown = JSON.parse(JSON.stringify({ ...POLICY, ...change }));
  expect(v.is(PolicyTextSchema, policy)).toBe(false);
  expect(() => parsePolicy(policy)).toThrow(expect.objectContaining({ code: "ERR_POLICY_DOCUMENT" }));
  expect(() => parsePolicy(policy)).toThrow(says);
});

test("a policy of 24,576 characters passes, one of a character more does not", () => {
  const groups = (count: number, last: string) => ({
    ...POLICY,
    groups: [
      ...POLICY.groups,
      ...Array.from({ length: count }, (_, at) => ({ name: `g.${at}`, members: [at === 0 ? last : "Ada"] })),
    ],
  });
  const length = (policy: object) => JSON.stringify(policy).length;
  const count =
    Array.from({ length: 2000 }, (_, at) => at).findLast((at) => length(groups(at, "A")) <= POLICY_MAX - 30) ?? 0;
  const contact = "x".repeat(POLICY.contact.length + POLICY_MAX - length(groups(count, "A")));
  const most = { ...groups(count, "A"), contact };
  expect(length(most)).toBe(POLICY_MAX);
  expect(parsePolicy(most).groups).toHaveLength(count + 1);
  expect(() => parsePolicy({ ...most, contact: `${contact}x` })).toThrow(/24,576/);
});
