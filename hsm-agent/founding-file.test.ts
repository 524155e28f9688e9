import { expect, test } from "vitest";
import { isFounder, parseFounding } from "./founding-file.ts";
import { makePrivateJwk } from "./key-file.ts";

const { d: D, ...KEY } = await makePrivateJwk();

const POLICY = {
  v: 1,
  bridge: "wss://bridge.example.com/",
  contact: "Treasury desk, +44 20 7946 0000",
  networks: [{ id: "eip155:1", name: "Ethereum", symbol: "ETH", decimals: 18 }],
  tokens: [],
  addressBook: [{ name: "Exchange-1", network: "eip155:1", address: "0x52908400098527886E0F7030069857D2E4169EE7" }],
  groups: [{ name: "desk", members: ["Alice", "Bob"] }],
  rules: [
    {
      vault: "Treasury-1",
      network: "eip155:1",
      approvers: "desk",
      threshold: 2,
      vendors: [],
      destinations: "any",
      maxFee: "0.1",
      expiresAfter: 60,
    },
  ],
  governance: { threshold: 2, vendors: [], expiresAfter: 1440, recovery: null as unknown },
};
const FILE = {
  v: 1,
  people: [
    { name: "Olga", roles: ["initiator"], key: KEY as unknown },
    { name: "Alice", roles: ["approver", "admin"] },
    { name: "Bob", roles: ["admin", "approver"], key: null },
  ],
  vaults: [{ name: "Treasury-1", backup: "wrap", nonces: [{ network: "eip155:1", nonce: 7 }] }],
  policy: POLICY,
};

test("what people write becomes what is founded, with what they left out", () => {
  const founding = parseFounding(JSON.stringify({ ...FILE, vaults: [...FILE.vaults, { name: "Cold-1" }] }));
  expect(founding.people).toEqual([
    { name: "Olga", roles: ["initiator"], key: KEY },
    { name: "Alice", roles: ["approver", "admin"], key: null },
    { name: "Bob", roles: ["approver", "admin"], key: null },
  ]);
  expect(founding.vaults).toEqual([...FILE.vaults, { name: "Cold-1", backup: "none", nonces: [] }]);
  expect(founding.policy).toEqual(POLICY);
  expect(founding.people.filter(isFounder).map(({ name }) => name)).toEqual(["Alice", "Bob"]);
});

type Change = (file: typeof FILE) => unknown;
const person = (at: number, change: object) => (file: typeof FILE) => ({
  ...file,
  people: file.people.map((one, place) => (place === at ? { ...one, ...change } : one)),
});
const policy = (change: object) => (file: typeof FILE) => ({ ...file, policy: { ...file.policy, ...change } });
const rule = (change: object) => policy({ rules: [{ ...POLICY.rules[0], ...change }] });
const governance = (change: object) => policy({ governance: { ...POLICY.governance, ...change } });

const REFUSED: [string, Change, string][] = [
  ["another version", (file) => ({ ...file, v: 2 }), "v: "],
  ["a further member", (file) => ({ ...file, admin: "me" }), "admin: "],
  ["a person with a further member", person(1, { address: "0x" }), "people.1.address: "],
  ["nobody", (file) => ({ ...file, people: [] }), "people: "],
  ["a name that is none", person(1, { name: "Alice Smith" }), "people.1.name: a name is 1 to 24"],
  ["no role", person(1, { roles: [] }), "people.1.roles: "],
  ["a role twice", person(1, { roles: ["admin", "admin"] }), "people.1.roles: a role stands twice"],
  ["a role that is none", person(1, { roles: ["root"] }), "people.1.roles.0: "],
  ["an initiator without a key", person(0, { key: null }), "people.0.key: an initiator needs a key"],
  ["a private key", person(0, { key: { ...KEY, d: D } }), "people.0.key.d: "],
  ["one key of two people", person(1, { key: KEY }), "people.1.key: it stands twice"],
  ["two names alike", person(2, { name: "AIice" }), "people: AIice looks like Alice"],
  ["a person called like a vault", person(0, { name: "Treasury-I" }), "people: Treasury-I looks like Treasury-1"],
  ["a person called like a network", person(0, { name: "ethereum" }), "people: ethereum looks like Ethereum"],
  ["a person called like a payee", person(0, { name: "exchange-l" }), "people: exchange-l looks like Exchange-1"],
  ["vaults in the policy", policy({ vaults: [] }), "policy: vaults stand beside the policy here"],
  ["a policy with a further member", policy({ admins: [] }), "policy.admins: "],
  ["a rule for a vault that is not made", rule({ vault: "Cold-1" }), "policy: a rule names a vault"],
  ["two vaults of one name", (file) => ({ ...file, vaults: [...file.vaults, ...file.vaults] }), "policy: two networks"],
  ["a backup that is none", (file) => ({ ...file, vaults: [{ name: "V", backup: "usb" }] }), "vaults.0.backup: "],
  [
    "a nonce for an unknown network",
    (file) => ({ ...file, vaults: [{ name: "Treasury-1", nonces: [{ network: "eip155:5", nonce: 0 }] }] }),
    "vaults.0.nonces.0.network: it is not in the policy's networks",
  ],
  ["too few admins", governance({ threshold: 3 }), "policy.governance.threshold: 3 admins must approve and 2 are"],
  ["an unknown person in a group", policy({ groups: [{ name: "desk", members: ["Alice", "Eve"] }] }), "members.1: "],
  [
    "a group of too few approvers",
    policy({ groups: [{ name: "desk", members: ["Alice", "Olga"] }] }),
    "policy.rules.0.threshold: 2 approvers must approve and the group has 1",
  ],
  [
    "a recovery by somebody without a device",
    governance({ recovery: { people: ["Olga", "Bob"], threshold: 1, delay: 72 } }),
    "policy.governance.recovery.people.0: Olga is nobody with a device",
  ],
  [
    "more founders than a roster has invites for",
    (file) => ({
      ...file,
      people: [...file.people, ...Array.from({ length: 60 }, (_, at) => ({ name: `A${at + 20}`, roles: ["auditor"] }))],
    }),
    "people: 62 would sign the founding and 50 can",
  ],
  [
    "more founders than an act has room for",
    (file) => ({
      ...file,
      people: [...file.people, ...Array.from({ length: 48 }, (_, at) => ({ name: `A${at + 20}`, roles: ["auditor"] }))],
    }),
    "people: what 50 people sign, with this policy, is too long to be sent; found with fewer and enroll the rest",
  ],
  [
    "more founders than a device can show",
    (file) => ({
      ...file,
      people: [
        ...file.people,
        ...Array.from({ length: 40 }, (_, at) => ({ name: `Auditor-of-the-group-${at + 10}`, roles: ["auditor"] })),
      ],
    }),
    "people: their names together are too long",
  ],
];
test.each(REFUSED)("refused with its path: %s", (_what, change, path) => {
  const refusal = expect.objectContaining({
    code: "ERR_POLICY_DOCUMENT",
    message: expect.stringContaining(path) as string,
  }) as object;
  let error: unknown;
  try {
    parseFounding(JSON.stringify(change(FILE)));
  } catch (fault) {
    error = fault;
  }
  expect(error).toEqual(refusal);
  expect(String(error)).not.toContain(D);
});

test("what is not JSON is refused without a word of it", () => {
  expect(() => parseFounding("hunter2 {")).toThrow(/^The founding file is not JSON\.$/);
});
