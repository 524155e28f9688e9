/** What is not even proposed: what nobody may, what cannot be, and what would lock everybody out. */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Motion } from "../protocol/governance.ts";
import { MOTION } from "../protocol/message.ts";
import { type Removal } from "../protocol/people.ts";
import { move } from "./motions.ts";
import { Office } from "./testing.ts";
import { fault, makeKey, makePerson, VAULT } from "./testing-people.ts";

const [ALICE, BOB, CAROL] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol")];
const [OLGA, RITA, RON] = [makePerson("Olga"), makePerson("Rita"), makePerson("Ron")];
let office: Office;
beforeEach(async () => {
  const recovery = { people: ["Rita", "Ron"], threshold: 2, delay: 48 };
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA, {
    policy: { governance: { threshold: 2, vendors: [], expiresAfter: 60, recovery } },
    roles: [
      [RITA, ["auditor"]],
      [RON, ["auditor"]],
    ],
  });
});
afterEach(() => office.dispose());

const remove = (name: string, removal: Removal = { what: "person" }): Motion => ({
  verb: "REMOVE",
  change: { name, removal },
});
const policy = (contact: string): Motion => ({ verb: "POLICY", change: { policy: { ...office.policy, contact } } });

const LOCKOUTS: [string, () => Motion][] = [
  ["too few admins", () => remove("Carol")],
  ["an admin's last device gone", () => remove("Carol", { what: "device", address: CAROL.address })],
  ["an admin's last browser gone", () => remove("Carol", { what: "browser", key: CAROL.key.kid })],
  ["an admin's role gone", () => remove("Carol", { what: "role", role: "admin" })],
  ["nobody who proposes", () => remove("Olga")],
  ["the only key file gone", () => remove("Olga", { what: "file", key: OLGA.file.kid })],
  [
    "a threshold that nobody reaches",
    () => ({
      verb: "POLICY",
      change: { policy: { ...office.policy, governance: { ...office.policy.governance, threshold: 3 } } },
    }),
  ],
  [
    "a vendor that too few have",
    () => ({
      verb: "POLICY",
      change: {
        policy: {
          ...office.policy,
          governance: { ...office.policy.governance, vendors: [{ vendor: "Trezor", atLeast: 1 }] },
        },
      },
    }),
  ],
];
test.each(LOCKOUTS)("nobody is locked out: refused is %s", async (_what, motion) => {
  await office.enact(OLGA, remove("Bob", { what: "role", role: "admin" }), [ALICE, CAROL]);
  await expect(office.motion(OLGA, motion())).rejects.toMatchObject(fault("ERR_POLICY_QUORUM"));
  expect(office.desk.journal.requests(["proposed", "pending"])).toEqual([]);
});

const REFUSED: [string, () => Promise<unknown>, string][] = [
  [
    "by a browser's key",
    async () => await office.motion({ ...ALICE, file: ALICE.key }, policy("x")),
    "ERR_ENVELOPE_KEY",
  ],
  ["by nobody", async () => await office.motion(makePerson("x"), policy("x")), "ERR_ENVELOPE_KEY"],
  [
    "a policy with somebody unknown",
    async () => await office.govern(OLGA, { groups: [{ name: "Treasury", members: ["Alice", "Zoe"] }] }, []),
    "ERR_MEMBER_UNKNOWN",
  ],
  [
    "a policy with a vault that is no key of this HSM",
    async () => {
      const vaults = [...office.policy.vaults, { name: "Mine", id: "1".repeat(32), publicKey: "2".repeat(130) }];
      return await office.govern(OLGA, { vaults }, []);
    },
    "ERR_VAULT_UNKNOWN",
  ],
  [
    "a policy that gives a vault's name to another key",
    async () => {
      const vaults = office.policy.vaults.map((one) => ({ ...one, id: "1".repeat(32) }));
      return await office.govern(OLGA, { vaults }, []);
    },
    "ERR_VAULT_UNKNOWN",
  ],
  [
    "a browser without words",
    async () =>
      await office.motion(OLGA, {
        verb: "ENROLL",
        change: { name: "Eve", roles: ["approver"], extension: makeKey().jwk, file: null, device: null },
      }),
    "ERR_PAIRING",
  ],
  [
    "an identity that this agent did not make",
    async () => await office.motion(OLGA, { verb: "ROTATE", change: { to: makeKey().jwk } }),
    "ERR_STATE",
  ],
  ["nobody's removal", async () => await office.motion(OLGA, remove("Zoe")), "ERR_MEMBER_UNKNOWN"],
  [
    "somebody's name that looks like another's",
    async () =>
      await office.motion(OLGA, {
        verb: "ENROLL",
        change: { name: "Al1ce", roles: ["auditor"], extension: null, file: null, device: null },
      }),
    "ERR_NAME",
  ],
  [
    "a key that is somebody's",
    async () =>
      await office.motion(OLGA, {
        verb: "ENROLL",
        change: { name: "Bob", roles: [], extension: null, file: OLGA.file.jwk, device: null },
      }),
    "ERR_MEMBER_EXISTS",
  ],
  [
    "a drill of no vault",
    async () => await office.motion(OLGA, { verb: "DRILL", change: { vault: "Nowhere" } }),
    "ERR_POLICY_DENIED",
  ],
  [
    "a drill by recovery",
    async () => await office.motion(OLGA, { verb: "DRILL", change: { vault: VAULT } }, true),
    "ERR_POLICY_DENIED",
  ],
];
test.each(REFUSED)("not even proposed: %s", async (_what, attempt, code) => {
  await expect(attempt()).rejects.toMatchObject(fault(code));
  expect(office.desk.journal.requests(["proposed", "pending"])).toEqual([]);
});

test("the same proposal twice is one request, and no way to another's", async () => {
  const body = {
    motion: { verb: "REMOVE" as const, change: { name: "Carol", removal: { what: "person" as const } } },
    recovery: false,
  };
  const jws = await office.message(MOTION, OLGA.file, body);
  const first = await move(office.desk, jws);
  expect(await move(office.desk, jws)).toEqual({ request: first.request, created: false, warnings: [] });
  expect(office.desk.journal.requests(["proposed"])).toHaveLength(1);
});

test("nobody fills everybody's inbox alone", async () => {
  for (let n = 0; n < 20; n += 1) await office.motion(OLGA, policy(`Nr ${n}`));
  await expect(office.motion(OLGA, policy("more"))).rejects.toMatchObject(fault("ERR_REQUEST_LIMIT"));
});
