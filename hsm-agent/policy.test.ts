import { expect, test } from "vitest";
import { addDevice, addKey, confirmDevice, NOBODY, type People } from "./people.ts";
import { decide, type Policy, parsePolicy } from "./policy.ts";
import { fault, makePerson, NETWORK, policyOf, USDC, VAULT } from "./testing.ts";

const PEOPLE = ["Alice", "Bob", "Carol"].map((name) => makePerson(name));
const OLGA = makePerson("Olga");
const people: People = PEOPLE.reduce(
  (before, person) => {
    const keyed = addKey(before, person.name, ["approver"], "extensions", person.key.jwk);
    const device = { address: person.address, vendor: "Ledger", model: "flex" } as const;
    return confirmDevice(addDevice(keyed, person.name, device), person.name, person.address);
  },
  addKey(NOBODY, "Olga", ["initiator"], "files", OLGA.key.jwk),
);
const NAMES = PEOPLE.map(({ name }) => name);
const policy: Policy = { n: 3, ...parsePolicy(policyOf(NAMES, 2)) };
const QUESTION = { vault: VAULT, network: NETWORK, asset: "ETH", initiator: "Olga" };

test("what a rule permits is permitted, to its group in its order", () => {
  expect(decide(policy, people, QUESTION)).toMatchObject({
    approvers: NAMES,
    token: null,
    maxFeeUnits: 12_000_000_000_000_000n,
    network: { name: "Ethereum" },
  });
  expect(decide(policy, people, { ...QUESTION, asset: "USDC" }).token).toEqual({
    contract: USDC,
    symbol: "USDC",
    decimals: 6,
  });
});

test("an empty policy permits nothing", () => {
  const empty: Policy = { n: 1, v: 1, networks: [], tokens: [], groups: [], rules: [] };
  expect(() => decide(empty, people, QUESTION)).toThrow(expect.objectContaining(fault("ERR_POLICY_DENIED")));
});

const REFUSED: [string, Partial<typeof QUESTION>, string][] = [
  ["another vault", { vault: "Treasury-2" }, "ERR_POLICY_DENIED"],
  ["another network", { network: "eip155:10" }, "ERR_POLICY_DENIED"],
  ["an asset that no token names", { asset: "DAI" }, "ERR_POLICY_DENIED"],
  ["an asset in another case", { asset: "usdc" }, "ERR_POLICY_DENIED"],
  ["a stranger", { initiator: "Mallory" }, "ERR_MEMBER_ROLE"],
  ["an approver who is no initiator", { initiator: "Alice" }, "ERR_MEMBER_ROLE"],
];
test.each(REFUSED)("refused: %s", (_what, change, code) => {
  expect(() => decide(policy, people, { ...QUESTION, ...change })).toThrow(expect.objectContaining(fault(code)));
});

test("the initiator never counts, though an approver of the group", () => {
  const both = addKey(people, "Alice", ["initiator"], "files", makePerson("x").key.jwk);
  expect(decide(policy, both, { ...QUESTION, initiator: "Alice" }).approvers).toEqual(["Bob", "Carol"]);
  const three: Policy = { n: 4, ...parsePolicy(policyOf(NAMES, 3)) };
  expect(() => decide(three, both, { ...QUESTION, initiator: "Alice" })).toThrow(
    expect.objectContaining(fault("ERR_POLICY_QUORUM")),
  );
});

test("a quorum of different vendors needs people who have them", () => {
  const each = [
    { vendor: "Ledger", atLeast: 1 },
    { vendor: "Trezor", atLeast: 1 },
  ];
  const demanding = (vendors: unknown): Policy => {
    const { rules, ...rest } = policyOf(NAMES, 2);
    return { n: 5, ...parsePolicy({ ...rest, rules: rules.map((rule) => ({ ...rule, vendors })) }) };
  };
  expect(() => decide(demanding(each), people, QUESTION)).toThrow(expect.objectContaining(fault("ERR_POLICY_QUORUM")));
  const trezor = { address: makePerson("x").address, vendor: "Trezor", model: "trezor-one" } as const;
  const waiting = addDevice(people, "Carol", trezor);
  expect(() => decide(demanding(each), waiting, QUESTION)).toThrow(expect.objectContaining(fault("ERR_POLICY_QUORUM")));
  const enrolled = confirmDevice(waiting, "Carol", trezor.address);
  expect(decide(demanding(each), enrolled, QUESTION).rule.vendors).toEqual(each);
  expect(() => demanding([{ vendor: "Ledger", atLeast: 3 }])).toThrow("vendors ask for more people");
});

test("who cannot approve today is not counted: no device, an unconfirmed one, no browser, no role", () => {
  const dan = makePerson("Dan");
  const device = { address: dan.address, vendor: "Ledger", model: "flex" } as const;
  const keyed = addKey(people, "Dan", ["approver"], "extensions", dan.key.jwk);
  const pending = addDevice(keyed, "Dan", device);
  const fileOnly = addKey(people, "Dan", ["approver"], "files", dan.key.jwk);
  const initiator = addKey(people, "Dan", ["initiator"], "extensions", dan.key.jwk);
  const confirm = (p: People) => confirmDevice(addDevice(p, "Dan", device), "Dan", dan.address);
  const withDan: Policy = { n: 4, ...parsePolicy(policyOf([...NAMES, "Dan"], 2)) };
  for (const each of [keyed, pending, confirm(fileOnly), confirm(initiator)])
    expect(decide(withDan, each, QUESTION).approvers).toEqual(NAMES);
  expect(decide(withDan, confirm(keyed), QUESTION).approvers).toEqual([...NAMES, "Dan"]);
});

const GOOD = policyOf(NAMES, 2);
const RULE = GOOD.rules[0];
const ETH = { id: NETWORK, name: "Ethereum", symbol: "ETH", decimals: 18 };
const TOKEN = { network: NETWORK, contract: USDC, symbol: "USDC", decimals: 6 };
const DOCUMENTS: [string, unknown, string][] = [
  ["another version", { ...GOOD, v: 2 }, "v: "],
  ["an unknown member", { ...GOOD, extra: 1 }, "extra: "],
  ["an unknown member of a rule", { ...GOOD, rules: [{ ...RULE, bypass: true }] }, "rules.0.bypass: "],
  ["a missing member", { ...GOOD, tokens: undefined }, "tokens: "],
  ["a threshold of nobody", { ...GOOD, rules: [{ ...RULE, threshold: 0 }] }, "rules.0.threshold: "],
  ["half a person", { ...GOOD, rules: [{ ...RULE, threshold: 1.5 }] }, "rules.0.threshold: "],
  ["a threshold above the group", { ...GOOD, rules: [{ ...RULE, threshold: 4 }] }, "smaller than its threshold"],
  ["a group that is missing", { ...GOOD, groups: [] }, "group is missing"],
  ["somebody twice", { ...GOOD, groups: [{ name: "Treasury", members: ["Alice", "Alice"] }] }, "somebody twice"],
  ["a group twice", { ...GOOD, groups: [...GOOD.groups, ...GOOD.groups] }, "group stands twice"],
  ["two rules for one", { ...GOOD, rules: [RULE, RULE] }, "two rules"],
  ["a rule's unknown network", { ...GOOD, networks: [], tokens: [] }, "rule names a network"],
  ["a token's unknown network", { ...GOOD, tokens: [{ ...TOKEN, network: "eip155:5" }] }, "token names a network"],
  ["a network twice", { ...GOOD, networks: [ETH, { ...ETH, name: "Other" }] }, "network stands twice"],
  ["networks alike", { ...GOOD, networks: [ETH, { ...ETH, id: "eip155:2", name: "ethereuM" }] }, "look alike"],
  ["a token twice", { ...GOOD, tokens: [TOKEN, { ...TOKEN, symbol: "USDT" }] }, "token stands twice"],
  [
    "symbols alike",
    { ...GOOD, tokens: [TOKEN, { ...TOKEN, contract: "0xdAC17F958D2ee523a2206206994597C13D831ec7", symbol: "usdc" }] },
    "symbols that look alike",
  ],
  ["a token like the coin", { ...GOOD, tokens: [{ ...TOKEN, symbol: "Eth" }] }, "symbols that look alike"],
  [
    "a contract without checksum",
    { ...GOOD, tokens: [{ ...TOKEN, contract: USDC.toLowerCase() }] },
    "tokens.0.contract",
  ],
  ["a name like an address", { ...GOOD, networks: [{ ...ETH, name: "bc1abc" }] }, "networks.0.name"],
  ["no object", null, "expected Object"],
];
test.each(DOCUMENTS)("not a policy: %s", (_what, document, words) => {
  expect(() => parsePolicy(document)).toThrow(
    expect.objectContaining({ code: "ERR_POLICY_DOCUMENT", message: expect.stringContaining(words) as string }),
  );
});
