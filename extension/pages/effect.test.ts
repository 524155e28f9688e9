import { expect, test } from "vitest";
import type { Policy } from "../../protocol/policy.ts";
import { effectsOf } from "./effect.ts";
import { DAI, samplePolicy, USDC } from "./sample-policy.ts";
import { DESTINATION, OTHER } from "./sample-request.ts";

const before = samplePolicy();
const [network, token, vault, payee, group, rule] = [
  before.networks[0],
  before.tokens[0],
  before.vaults[0],
  before.addressBook[0],
  before.groups[0],
  before.rules[0],
].map((row) => row ?? {}) as [
  Policy["networks"][0],
  Policy["tokens"][0],
  Policy["vaults"][0],
  Policy["addressBook"][0],
  Policy["groups"][0],
  Policy["rules"][0],
];
const { governance } = before;

/** `!` stands before a warning. */
function said(changes: Partial<Policy>): string[] {
  return effectsOf(before, { ...before, ...changes }).map(({ level, text }) =>
    level === "warning" ? `!${text}` : text,
  );
}

test.each<[string, Partial<Policy>, string[]]>([
  ["nothing", { n: 18 }, []],
  [
    "bridge",
    { bridge: "wss://other.example.com/" },
    ["!The bridge changes: every browser and the agent must reach the new one, or nobody can approve anything."],
  ],
  ["contact", { contact: "Mallory" }, ["!Whom these pages tell people to call changes."]],
  [
    "network name",
    { networks: [{ ...network, name: "Mainnet" }] },
    ["!Network eip155:1 is called Mainnet instead of Ethereum."],
  ],
  ["coin", { networks: [{ ...network, symbol: "XTH" }] }, ["!The coin of Ethereum is called XTH instead of ETH."]],
  [
    "coin's decimals",
    { networks: [{ ...network, decimals: 9 }] },
    ["!Amounts of ETH on Ethereum are read with 9 decimals instead of 18: the same bytes say another amount."],
  ],
  [
    "network added",
    { networks: [network, { id: "eip155:10", name: "Optimism", symbol: "ETH", decimals: 18 }] },
    ["Network Optimism (eip155:10) is new; its coin is called ETH."],
  ],
  ["network removed", { networks: [] }, ["Network Ethereum (eip155:1) is gone: nothing can be sent there any more."]],
  ["token's contract", { tokens: [{ ...token, contract: DAI }] }, ["!USDC on Ethereum means another contract."]],
  [
    "token's decimals",
    { tokens: [{ ...token, decimals: 18 }] },
    ["!Amounts of USDC on Ethereum are read with 18 decimals instead of 6: the same bytes say another amount."],
  ],
  [
    "token added",
    { tokens: [token, { ...token, symbol: "DAI", contract: DAI }] },
    ["DAI on Ethereum is new: it can be sent under this name."],
  ],
  [
    "token renamed",
    { tokens: [{ ...token, symbol: "DAI" }] },
    [
      "!DAI on Ethereum is a new name for the contract that is called USDC now.",
      "USDC on Ethereum is gone: it cannot be sent under this name any more.",
    ],
  ],
  ["vault's key", { vaults: [{ ...vault, id: "cd".repeat(16) }] }, ["!Treasury-1 means another key in the HSM."]],
  [
    "vault's public key",
    { vaults: [{ ...vault, publicKey: `04${"22".repeat(64)}` }] },
    ["!Treasury-1 has another public key, and so other addresses."],
  ],
  [
    "vault renamed",
    { vaults: [{ ...vault, name: "Cold" }] },
    [
      "!Cold is a new name for the key of Treasury-1.",
      "!Vault Treasury-1 is gone: nothing can be sent from it under this name any more.",
    ],
  ],
  ["payee's address", { addressBook: [{ ...payee, address: OTHER }] }, ["!Address book: Kraken-hot changes address."]],
  [
    "payee's network",
    { addressBook: [{ ...payee, network: "eip155:10" }] },
    ["!Address book: Kraken-hot is on eip155:10 instead of Ethereum."],
  ],
  [
    "payee added",
    { addressBook: [payee, { ...payee, name: "Acme", address: OTHER }] },
    ["!Address book: Acme on Ethereum is new."],
  ],
  ["payee removed", { addressBook: [] }, ["Address book: Kraken-hot on Ethereum is gone."]],
  [
    "group's members",
    { groups: [{ ...group, members: ["alice", "bob", "dave", "erin", "mallory"] }] },
    [
      "!mallory joins treasurers, and may approve for Treasury-1 on Ethereum (3 of 5).",
      "frank leaves treasurers, and may no longer approve for Treasury-1 on Ethereum (3 of 5).",
    ],
  ],
  ["group added", { groups: [group, { name: "ops", members: ["alice"] }] }, ["Group ops is new: alice."]],
  [
    "threshold falls",
    { rules: [{ ...rule, threshold: 2 }] },
    ["!Threshold of Treasury-1 on Ethereum falls from 3 to 2 of 5."],
  ],
  [
    "threshold rises",
    { rules: [{ ...rule, threshold: 4 }] },
    ["Threshold of Treasury-1 on Ethereum rises from 3 to 4 of 5."],
  ],
  [
    "another group",
    { rules: [{ ...rule, approvers: "ops" }], groups: [group, { name: "ops", members: ["alice", "mallory"] }] },
    [
      "!Treasury-1 on Ethereum is approved by ops (alice and mallory) instead of treasurers (alice, bob, dave, erin and frank).",
      "Group ops is new: alice and mallory.",
    ],
  ],
  [
    "rule's vendors",
    { rules: [{ ...rule, vendors: [{ vendor: "Trezor", atLeast: 1 }] }] },
    ["!Devices for Treasury-1 on Ethereum: at least 1 Trezor instead of any will do."],
  ],
  [
    "destinations",
    { rules: [{ ...rule, destinations: "any" }] },
    ["!Treasury-1 on Ethereum may send to any address, not only to the address book."],
  ],
  [
    "fee",
    { rules: [{ ...rule, maxFee: "0.5" }] },
    ["!Highest fee of Treasury-1 on Ethereum rises from 0.05 to 0.5 ETH."],
  ],
  [
    "time",
    { rules: [{ ...rule, expiresAfter: 90 }] },
    ["Requests of Treasury-1 on Ethereum stay open for 90 minutes instead of 2 hours."],
  ],
  [
    "rule removed",
    { rules: [] },
    ["There is no rule for Treasury-1 on Ethereum any more: nothing can be sent from there."],
  ],
  [
    "rule added",
    { rules: [rule, { ...rule, network: "eip155:10", threshold: 1, destinations: "any" }] },
    [
      "!New rule: Treasury-1 on eip155:10: 1 of 5 (alice, bob, dave, erin and frank) approve; to any address; fee up to 0.05; a request stays open 2 hours.",
    ],
  ],
  [
    "admins",
    { governance: { ...governance, threshold: 1 } },
    ["!Changes of people and policy: the number of admins who must approve falls from 2 to 1."],
  ],
  [
    "admins' devices",
    { governance: { ...governance, vendors: [{ vendor: "Ledger", atLeast: 2 }] } },
    ["!Devices for changes of people and policy: at least 2 Ledgers instead of any will do."],
  ],
  [
    "admins' time",
    { governance: { ...governance, expiresAfter: 2880 } },
    ["!Requests for changes of people and policy stay open for 2 days instead of 1 day."],
  ],
  [
    "no recovery",
    { governance: { ...governance, recovery: null } },
    ["!Recovery: nobody can act any more when too many admins have lost their devices."],
  ],
  [
    "recovery changed",
    { governance: { ...governance, recovery: { people: ["erin", "mallory"], threshold: 1, delay: 24 } } },
    [
      "!Recovery: mallory may take part.",
      "!Recovery: the threshold falls from 2 to 1 of 2.",
      "!Recovery: everybody sees it coming for 24 hours instead of 72.",
      "Recovery: frank may no longer take part.",
    ],
  ],
])("%s in words", (_name, changes, words) => {
  expect(said(changes)).toEqual(words);
});

test("a recovery where there was none says who, how many and how late", () => {
  const without = samplePolicy({ governance: { ...governance, recovery: null } });
  expect(effectsOf(without, before).map(({ text }) => text)).toEqual([
    "Recovery: 2 of 2 (erin and frank) may change people and policy without the admins, 72 hours after they ask for it.",
  ]);
});

test("what is replaced is shown whole, before and after", () => {
  expect(effectsOf(before, samplePolicy({ tokens: [{ ...token, contract: DAI }] }))[0]?.values).toEqual([
    { label: "Before", text: USDC },
    { label: "From then on", text: DAI },
  ]);
  const added = samplePolicy({ addressBook: [{ ...payee, name: "Acme", address: OTHER }] });
  expect(effectsOf(before, added)[0]?.values).toEqual([{ label: "Address", text: OTHER }]);
  expect(payee.address).toBe(DESTINATION);
});

test("what has no words is another change, also beside one that has", () => {
  const odd = { ...rule, threshold: 2, weekends: "never" };
  expect(said({ rules: [odd] })).toEqual([
    "!Threshold of Treasury-1 on Ethereum falls from 3 to 2 of 5.",
    "!Other change: rule for Treasury-1 on Ethereum, weekends. See the lines.",
  ]);
  expect(said({ colour: "blue" } as never)).toEqual(["!Other change: colour. See the lines."]);
  expect(said({ v: 2 } as never)).toEqual(["!Other change: v. See the lines."]);
  const [alice = "", ...others] = group.members;
  expect(said({ groups: [{ ...group, members: [...others, alice] }] })).toEqual([
    "!Other change: group treasurers, members. See the lines.",
  ]);
  const second = { name: "ops", members: ["alice"] };
  const two = samplePolicy({ groups: [group, second] });
  expect(effectsOf(two, { ...two, groups: [second, group] }).map(({ text }) => text)).toEqual([
    "Other change: the order of the groups. See the lines.",
  ]);
});
