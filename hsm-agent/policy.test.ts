import { expect, test } from "vitest";
import { addTo, type People, removeFrom } from "../protocol/people.ts";
import { type Policy, parsePolicy } from "../protocol/policy.ts";
import { decide, type Question } from "./policy.ts";
import { deviceOf, fault, makeKey, makePerson, NETWORK, policyOf, TO, USDC, VAULT } from "./testing-people.ts";

const PEOPLE = ["Alice", "Bob", "Carol"].map((name) => makePerson(name));
const OLGA = makePerson("Olga");
const NOBODY: People = { v: 1, n: 1, members: [], former: [] };
const NOTHING = { roles: [], extension: null, file: null, device: null };
const people: People = PEOPLE.reduce(
  (before, { name, key, address, vendor }) =>
    addTo(before, {
      name,
      roles: ["approver"],
      extension: key.jwk,
      file: null,
      device: deviceOf({ address, vendor }),
    }),
  addTo(NOBODY, { ...NOTHING, name: "Olga", roles: ["initiator"], file: OLGA.file.jwk }),
);
const NAMES = PEOPLE.map(({ name }) => name);
const KEY = { name: VAULT, id: "0".repeat(32), publicKey: "0".repeat(130) };
const [RULE] = policyOf(NAMES, 2).rules;
const policyWith = (change: object = {}): Policy => ({
  n: 3,
  ...parsePolicy({ ...policyOf(NAMES, 2), vaults: [KEY], ...change }),
});
const withRule = (change: object): Policy => policyWith({ rules: [{ ...RULE, ...change }] });
const policy = policyWith();
const QUESTION: Question = { vault: VAULT, network: NETWORK, asset: "ETH", to: TO, initiator: "Olga" };

test("what a rule permits is permitted, to its group in its order", () => {
  expect(decide(policy, people, QUESTION)).toMatchObject({
    approvers: NAMES,
    token: null,
    payee: null,
    vault: KEY,
    maxFeeUnits: 12_000_000_000_000_000n,
    network: { name: "Ethereum" },
  });
  expect(decide(policy, people, { ...QUESTION, asset: "USDC" }).token).toEqual({
    contract: USDC,
    symbol: "USDC",
    decimals: 6,
  });
});

test("an empty policy permits nothing, nor one without a rule", () => {
  const empty = policyWith({ networks: [], tokens: [], vaults: [], groups: [], rules: [] });
  for (const each of [empty, policyWith({ rules: [] })])
    expect(() => decide(each, people, QUESTION)).toThrow(expect.objectContaining(fault("ERR_POLICY_DENIED")));
});

const REFUSED: [string, Partial<Question>, string][] = [
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

test("only to the address book where the rule says so; the name of a destination is told either way", () => {
  const addressBook = [{ name: "Acme", network: NETWORK, address: TO }];
  const strict = policyWith({ addressBook, rules: [{ ...RULE, destinations: "book" }] });
  const elsewhere = { ...QUESTION, to: USDC };
  expect(decide(strict, people, QUESTION).payee).toBe("Acme");
  expect(decide(policyWith({ addressBook }), people, QUESTION).payee).toBe("Acme");
  expect(decide(policyWith({ addressBook }), people, elsewhere).payee).toBeNull();
  expect(() => decide(strict, people, elsewhere)).toThrow(expect.objectContaining(fault("ERR_POLICY_DENIED")));
});

test("a name in the address book is its network's own", () => {
  const networks = [...policy.networks, { id: "eip155:10", name: "Optimism", symbol: "ETH", decimals: 18 }];
  const addressBook = [{ name: "Acme", network: "eip155:10", address: TO }];
  const strict = policyWith({ networks, addressBook, rules: [{ ...RULE, destinations: "book" }] });
  expect(() => decide(strict, people, QUESTION)).toThrow(expect.objectContaining(fault("ERR_POLICY_DENIED")));
});

test("the initiator never counts, though an approver of the group", () => {
  const both = addTo(people, { ...NOTHING, name: "Alice", roles: ["initiator"], file: makeKey().jwk });
  expect(decide(policy, both, { ...QUESTION, initiator: "Alice" }).approvers).toEqual(["Bob", "Carol"]);
  expect(() => decide(withRule({ threshold: 3 }), both, { ...QUESTION, initiator: "Alice" })).toThrow(
    expect.objectContaining(fault("ERR_POLICY_QUORUM")),
  );
});

test("a quorum of different vendors needs people who have them", () => {
  const each = [
    { vendor: "Ledger", atLeast: 1 },
    { vendor: "Trezor", atLeast: 1 },
  ];
  const demanding = withRule({ vendors: each });
  expect(() => decide(demanding, people, QUESTION)).toThrow(expect.objectContaining(fault("ERR_POLICY_QUORUM")));
  const device = deviceOf(makePerson("x", "Trezor"));
  const enrolled = addTo(people, { ...NOTHING, name: "Carol", device });
  expect(decide(demanding, enrolled, QUESTION).rule.vendors).toEqual(each);
  const gone = removeFrom(enrolled, "Carol", { what: "device", address: device.address });
  expect(() => decide(demanding, gone, QUESTION)).toThrow(expect.objectContaining(fault("ERR_POLICY_QUORUM")));
});

test("one person with a device of each vendor is one person", () => {
  const both = [
    { vendor: "Ledger", atLeast: 1 },
    { vendor: "Trezor", atLeast: 1 },
  ];
  const device = deviceOf(makePerson("x", "Trezor"));
  const [alice] = addTo(people, { ...NOTHING, name: "Alice", device }).members.filter(({ name }) => name === "Alice");
  const others = people.members.map((m) => ({
    ...m,
    devices: m.devices.map(() => deviceOf(makePerson("x", "Trezor"))),
  }));
  const mixed = { ...people, members: others.map((m) => (m.name === "Alice" && alice !== undefined ? alice : m)) };
  expect(decide(withRule({ vendors: both }), mixed, QUESTION).approvers).toEqual(NAMES);
  const trezors = { ...people, members: others };
  expect(() => decide(withRule({ vendors: both }), trezors, QUESTION)).toThrow(
    expect.objectContaining(fault("ERR_POLICY_QUORUM")),
  );
});

test("who cannot approve today is not counted: no device, no browser, no role, nobody", () => {
  const dan = makePerson("Dan");
  const whole = {
    name: "Dan",
    roles: ["approver"],
    extension: dan.key.jwk,
    file: null,
    device: deviceOf(dan),
  } as const;
  const withDan = policyWith({ groups: [{ name: "Treasury", members: [...NAMES, "Dan"] }] });
  const lacking = [
    { ...whole, device: null },
    { ...whole, extension: null, file: dan.file.jwk },
    { ...whole, roles: ["initiator", "admin", "auditor"] as const },
  ];
  for (const each of [...lacking.map((one) => addTo(people, one)), people])
    expect(decide(withDan, each, QUESTION).approvers).toEqual(NAMES);
  expect(decide(withDan, addTo(people, whole), QUESTION).approvers).toEqual([...NAMES, "Dan"]);
});
