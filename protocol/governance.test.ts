import { expect, test } from "vitest";
import {
  applyMotion,
  type Documents,
  foundersOf,
  GOVERNANCE_VERBS,
  type Motion,
  policyDocument,
  quorumFor,
  referencesOf,
  requireKnownPeople,
} from "./governance.ts";
import type { Member, People, Removal } from "./people.ts";
import type { PolicyText } from "./policy.ts";
import { fingerprint, sha256Hex, thumbprint } from "./primitive.ts";
import { STATEMENT_FIRST_PAGE } from "./statement.ts";
import { BOBS_DEVICE, CAROLS_FILE, DAN, NEXT_HSM, OLGA, OLGAS_SPARE } from "./vectors/keys.ts";
import { motionRequest, type Plan, written } from "./vectors/motion.ts";
import { carol, FOUNDED, FOUNDERS, POLICY, STRICTER } from "./vectors/world.ts";
import type { VendorDemand } from "./vendor.ts";

const coded = (code: string): unknown => expect.objectContaining({ name: "Fault", code });
const nothing = { roles: [], extension: null, file: null, device: null };
const enroll = (name: string, change: object = {}): Motion => ({
  verb: "ENROLL",
  change: { name, ...nothing, ...change },
});
const remove = (name: string, removal: Removal = { what: "person" }): Motion => ({
  verb: "REMOVE",
  change: { name, removal },
});
const DRILL: Motion = { verb: "DRILL", change: { vault: "Treasury-1" } };
const STRICT: Motion = { verb: "POLICY", change: { policy: STRICTER } };
const ROTATE: Motion = { verb: "ROTATE", change: { to: NEXT_HSM.jwk } };
const HEAD = { size: 2 ** 40, root: "4".repeat(64) };
const RESTORE: Motion = { verb: "RESTORE", change: { log: HEAD, seen: HEAD, nonces: [] } };
const UNFREEZE: Motion = { verb: "UNFREEZE", change: { vault: null } };
const found = (people: People, policy: PolicyText = POLICY): Motion => ({ verb: "FOUND", change: { people, policy } });
const governed = (change: Partial<PolicyText["governance"]>): PolicyText => {
  return { ...POLICY, governance: { ...POLICY.governance, ...change } };
};
const ruled = (vendors: VendorDemand[]): Documents => {
  return { ...FOUNDED, policy: { ...FOUNDED.policy, rules: POLICY.rules.map((rule) => ({ ...rule, vendors })) } };
};
const people = (change: (member: Member) => Member | undefined): People => {
  return { ...FOUNDERS, members: FOUNDERS.members.flatMap((member) => change(member) ?? []) };
};
/** The founders, of whom only these have a key file. */
function withFiles(...names: string[]): People {
  return people((m) => {
    const files = m.name === "Olga" ? m.files : [{ ...CAROLS_FILE.jwk, x: `${m.name}${CAROLS_FILE.jwk.x.slice(3)}` }];
    return { ...m, files: names.includes(m.name) ? files : [] };
  });
}
const trezors = (atLeast: number): VendorDemand[] => [{ vendor: "Trezor", atLeast }];

test("a founding needs everybody who has a device", () => {
  expect(foundersOf(FOUNDERS)).toEqual(["Ada", "Bob", "Dan", "Eve"]);
  const everybody = { threshold: 4, people: ["Ada", "Bob", "Dan", "Eve"], vendors: [], delay: null };
  expect(quorumFor(found(FOUNDERS), null, null, false)).toEqual(everybody);
});

test("the admins decide, and the initiator never counts", () => {
  const admins = (...names: string[]) => ({ threshold: 2, people: names, vendors: [], delay: null });
  for (const motion of [enroll("Carol"), remove("Bob"), STRICT, ROTATE, UNFREEZE, RESTORE]) {
    expect(quorumFor(motion, FOUNDED, "Olga", false)).toEqual(admins("Ada", "Bob", "Dan"));
    expect(quorumFor(motion, FOUNDED, "Ada", false)).toEqual(admins("Bob", "Dan"));
  }
});

test("a drill is the approvers', by the vault's rule", () => {
  const quorum = { threshold: 2, people: ["Ada", "Bob", "Dan"], vendors: [], delay: null };
  expect(quorumFor(DRILL, FOUNDED, "Olga", false)).toEqual(quorum);
  expect(quorumFor(DRILL, ruled(trezors(1)), "Olga", false).vendors).toEqual(trezors(1));
  const unknown: Motion = { verb: "DRILL", change: { vault: "Treasury-2" } };
  expect(() => quorumFor(unknown, FOUNDED, "Olga", false)).toThrow(coded("ERR_POLICY_DENIED"));
});

test("the recovery people decide after the policy's delay, of what is theirs to decide", () => {
  const quorum = { threshold: 2, people: ["Dan", "Eve"], vendors: [], delay: 72 * 3600 };
  for (const motion of [enroll("Carol"), remove("Bob"), STRICT, ROTATE])
    expect(quorumFor(motion, FOUNDED, "Olga", true)).toEqual(quorum);
  for (const motion of [UNFREEZE, RESTORE, DRILL])
    expect(() => quorumFor(motion, FOUNDED, "Olga", true)).toThrow(coded("ERR_POLICY_DENIED"));
  const dans = { ...FOUNDED, people: withFiles("Dan", "Olga") };
  expect(() => quorumFor(ROTATE, dans, "Dan", true)).toThrow(coded("ERR_POLICY_QUORUM"));
  const without = { ...FOUNDED, policy: { ...FOUNDED.policy, ...governed({ recovery: null }) } };
  expect(() => quorumFor(ROTATE, without, "Olga", true)).toThrow(coded("ERR_POLICY_DENIED"));
});

test("every motion but a founding is proposed by a member with a key file who is an initiator or an admin", () => {
  const motions = [enroll("Carol"), remove("Bob"), STRICT, ROTATE, UNFREEZE, RESTORE, DRILL];
  const files = { ...FOUNDED, people: withFiles("Ada", "Eve", "Olga") };
  const refused: [Documents, string | null][] = [
    [FOUNDED, null],
    [FOUNDED, "Zoe"],
    [FOUNDED, "olga"],
    [FOUNDED, "Bob"],
    [files, "Eve"],
    [{ ...FOUNDED, people: IDLE }, "Bob"],
    [{ ...FOUNDED, people: withFiles("Ada") }, "Olga"],
  ];
  for (const motion of motions) {
    for (const initiator of ["Ada", "Olga"]) {
      expect(quorumFor(motion, files, initiator, false).threshold).toBe(2);
    }
    for (const [documents, initiator] of refused) {
      expect(() => quorumFor(motion, documents, initiator, false)).toThrow(coded("ERR_MEMBER_ROLE"));
    }
  }
  expect(() => quorumFor(ROTATE, FOUNDED, "Dan", true)).toThrow(coded("ERR_MEMBER_ROLE"));
});

test("before the founding nothing else has a quorum, or an effect", () => {
  for (const motion of [enroll("Carol"), remove("Bob"), STRICT, ROTATE, UNFREEZE, RESTORE, DRILL]) {
    expect(() => quorumFor(motion, null, "Olga", false)).toThrow(coded("ERR_POLICY_DENIED"));
    expect(() => applyMotion(motion, null)).toThrow(coded("ERR_STATE"));
  }
});

test("who has no browser or no device today is no part of a quorum, and too few are none", () => {
  const bare = people((m) => (m.name === "Bob" ? { ...m, extensions: [] } : m));
  expect(quorumFor(ROTATE, { ...FOUNDED, people: bare }, "Olga", false).people).toEqual(["Ada", "Dan"]);
  expect(() => quorumFor(ROTATE, { ...FOUNDED, people: bare }, "Ada", false)).toThrow(coded("ERR_POLICY_QUORUM"));
});

test("a quorum that asks for devices that too few have is none", () => {
  expect(quorumFor(DRILL, ruled(trezors(1)), "Olga", false).people).toHaveLength(3);
  expect(() => quorumFor(DRILL, ruled(trezors(2)), "Olga", false)).toThrow(coded("ERR_POLICY_QUORUM"));
  const bobs = { ...ruled(trezors(1)), people: withFiles("Bob") };
  expect(() => quorumFor(DRILL, bobs, "Bob", false)).toThrow(coded("ERR_POLICY_QUORUM"));
});

test("documents: a number with each change of its own, the digest of its exact text", () => {
  const { policy } = referencesOf(FOUNDED);
  const text = JSON.stringify({ n: 1, ...POLICY });
  expect(policyDocument(FOUNDED.policy)).toBe(text);
  expect(policy).toEqual({ n: 1, digest: sha256Hex(new TextEncoder().encode(text)) });
  const stricter = applyMotion(STRICT, FOUNDED);
  expect([stricter.policy.n, stricter.people.n]).toEqual([2, 1]);
  expect(stricter.policy.rules[0]?.destinations).toBe("book");
  const enrolled = applyMotion(enroll("Carol", { roles: ["approver"], device: carol.enrolled }), stricter);
  expect([enrolled.policy.n, enrolled.people.n]).toEqual([2, 2]);
  for (const motion of [ROTATE, UNFREEZE, RESTORE, DRILL]) expect(applyMotion(motion, enrolled)).toBe(enrolled);
});

test("nothing is founded twice, and a founding begins at 1", () => {
  expect(() => applyMotion(found(FOUNDERS), FOUNDED)).toThrow(coded("ERR_STATE"));
  expect(() => applyMotion(found({ ...FOUNDERS, n: 2 }), null)).toThrow(coded("ERR_POLICY_DOCUMENT"));
});

const KEYLESS = people((m) => ({ ...m, files: [] }));
/** Nobody but Olga can propose. */
const OLGA_ONLY: Documents = { ...FOUNDED, people: withFiles("Olga") };
/** Bob and Eve have key files and may not propose; Ada and Dan could decide. */
const IDLE: People = {
  ...FOUNDERS,
  members: withFiles("Bob", "Eve").members.map((m) => (m.name === "Bob" ? { ...m, roles: ["approver"] } : m)),
};
const LOCKED: [what: string, motion: Motion, before: Documents | null][] = [
  ["a founding with too few admins", found(FOUNDERS, governed({ threshold: 4 })), null],
  ["a founding whose admins have no devices", found(people((m) => ({ ...m, devices: [] }))), null],
  ["a founding whose admins have no browsers", found(people((m) => ({ ...m, extensions: [] }))), null],
  ["a founding in which nobody can propose", found(KEYLESS), null],
  ["a policy with too few Trezors", { verb: "POLICY", change: { policy: governed({ vendors: trezors(2) }) } }, FOUNDED],
  [
    "a policy with a threshold above the admins",
    { verb: "POLICY", change: { policy: governed({ threshold: 4 }) } },
    FOUNDED,
  ],
  ["the last who can propose goes", remove("Olga"), OLGA_ONLY],
  [
    "the last key file goes",
    remove("Olga", { what: "file", key: OLGAS_SPARE.signer.kid }),
    applyMotion(remove("Olga", { what: "file", key: OLGA.signer.kid }), OLGA_ONLY),
  ],
  ["a founding in which only an approver and an auditor have key files", found(IDLE), null],
];

test.each(LOCKED)("nobody is locked out: %s", (_what, motion, before) => {
  expect(() => applyMotion(motion, before)).toThrow(coded("ERR_POLICY_QUORUM"));
});

test("as many admins as must decide stay, and one more where the only key file is an admin's", () => {
  const two = applyMotion(remove("Bob"), FOUNDED);
  expect(() => applyMotion(remove("Dan"), two)).toThrow(coded("ERR_POLICY_QUORUM"));
  expect(() => applyMotion(remove("Ada", { what: "role", role: "admin" }), two)).toThrow(coded("ERR_POLICY_QUORUM"));
  expect(() => applyMotion(remove("Dan", { what: "browser", key: DAN.signer.kid }), two)).toThrow(
    coded("ERR_POLICY_QUORUM"),
  );
  const adasFile = people((m) => ({ ...m, files: m.name === "Ada" ? [CAROLS_FILE.jwk] : [] }));
  expect(applyMotion(found(adasFile), null).people.n).toBe(1);
  expect(() => applyMotion(found(adasFile, governed({ threshold: 3 })), null)).toThrow(coded("ERR_POLICY_QUORUM"));
  const three = applyMotion(found(adasFile), null);
  expect(() => applyMotion(remove("Bob"), three)).toThrow(coded("ERR_POLICY_QUORUM"));
});

test("64 admins can decide, and a 65th is not enrolled: no request could name them all", () => {
  const admin = (at: number): Member => {
    const { x } = CAROLS_FILE.jwk;
    const extensions = [{ ...CAROLS_FILE.jwk, x: `${at}${x.slice(2)}` }];
    const devices: Member["devices"] = [{ address: `0x${String(at).repeat(20)}`, vendor: "Ledger", model: "flex" }];
    return { name: `Admin-${at}`, roles: ["admin"], extensions, files: [], devices };
  };
  const admins = (count: number): People => {
    return {
      ...FOUNDERS,
      members: [...FOUNDERS.members, ...Array.from({ length: count - 3 }, (_, at) => admin(at + 10))],
    };
  };
  const most = applyMotion(found(admins(64)), null);
  expect(quorumFor(STRICT, most, "Olga", false).people).toHaveLength(64);
  expect(() => applyMotion(found(admins(65)), null)).toThrow(coded("ERR_POLICY_QUORUM"));
  expect(() => applyMotion(enroll("Eve", { roles: ["admin"] }), most)).toThrow(coded("ERR_POLICY_QUORUM"));
  expect(applyMotion(enroll("Olga", { roles: ["admin"] }), most).people.n).toBe(2);
});

test("a name is not another's, whatever it names", () => {
  const named = (name: string): Motion => ({
    verb: "POLICY",
    change: { policy: { ...POLICY, vaults: POLICY.vaults.map((one) => ({ ...one, name })), rules: [] } },
  });
  for (const name of ["ada", "B0b", "0lga"]) expect(() => applyMotion(named(name), FOUNDED)).toThrow(coded("ERR_NAME"));
  for (const name of ["acme", "Ethereum", "treasury-l"])
    expect(() => applyMotion(enroll(name, { roles: ["auditor"] }), FOUNDED)).toThrow(coded("ERR_NAME"));
});

test("a policy that is proposed names people who exist", () => {
  expect(() => requireKnownPeople(POLICY, FOUNDERS)).not.toThrow();
  const group = { ...POLICY, groups: [{ name: "treasurers", members: ["Ada", "Zoe"] }] };
  expect(() => requireKnownPeople(group, FOUNDERS)).toThrow(coded("ERR_MEMBER_UNKNOWN"));
  const recovery = governed({ recovery: { people: ["Zoe"], threshold: 1, delay: 24 } });
  expect(() => requireKnownPeople(recovery, FOUNDERS)).toThrow(coded("ERR_MEMBER_UNKNOWN"));
});

const N15 = "Carolina-Miller";
const lone = (name: string): People => people((m) => (m.name === "Bob" ? { ...m, name } : m));
const NAMED: Documents = { people: lone(N15), policy: { n: 1_000_000, ...POLICY } };
const key = (kid: string) => fingerprint(kid).slice(0, 16);
/** What is compared, for each kind of motion, with names of 15 characters. */
const FIRST_PAGE: [compared: () => string, motion: Motion, documents: Documents | null][] = [
  [() => founding(), found(FOUNDERS), null],
  [
    () => carol.enrolled.address,
    enroll(N15, { roles: ["initiator", "approver", "admin", "auditor"], device: carol.enrolled }),
    FOUNDED,
  ],
  [
    () => key(carol.key.signer.kid),
    enroll(N15, { roles: ["initiator", "approver"], extension: carol.key.jwk }),
    FOUNDED,
  ],
  [() => key(CAROLS_FILE.signer.kid), enroll(N15, { roles: ["initiator"], file: CAROLS_FILE.jwk }), FOUNDED],
  [
    () => "AS initiator+approver+admin+auditor",
    enroll(N15, { roles: ["initiator", "approver", "admin", "auditor"] }),
    FOUNDED,
  ],
  [() => BOBS_DEVICE.address, remove(N15, { what: "device", address: BOBS_DEVICE.address }), NAMED],
  [() => key(OLGA.signer.kid), remove(N15, { what: "file", key: OLGA.signer.kid }), NAMED],
  [() => key(DAN.signer.kid), remove(N15, { what: "browser", key: DAN.signer.kid }), NAMED],
  [() => policyDigest(), STRICT, NAMED],
  [() => fingerprint(thumbprint(NEXT_HSM.jwk)).slice(0, 32), ROTATE, NAMED],
  [() => `UNFREEZE ${N15}`, { verb: "UNFREEZE", change: { vault: N15 } }, NAMED],
  [() => `RESTORE ${half(JSON.stringify(RESTORE.change))} LOG OF ${2 ** 40}`, RESTORE, NAMED],
  [() => "DRILL Treasury-1; moves nothing", DRILL, NAMED],
];
const half = (text: string) => sha256Hex(new TextEncoder().encode(text)).slice(0, 32);
const founding = () => half(JSON.stringify({ people: FOUNDERS, policy: POLICY }));
const policyDigest = () => half(policyDocument({ n: 1_000_001, ...STRICTER }));
const statementOf = (motion: Motion, documents: Documents | null, plan: Partial<Plan> = {}) =>
  written(
    motionRequest(
      { name: "a statement", motion, initiator: motion.verb === "FOUND" ? null : "Olga", ...plan },
      documents,
    ),
  ).statement;

test.each(FIRST_PAGE)("what is compared stands within the first 72 characters: %#", (compared, motion, documents) => {
  const page = statementOf(motion, documents).slice(0, STATEMENT_FIRST_PAGE);
  expect(page.startsWith(`${motion.verb} `)).toBe(true);
  expect(page).toContain(compared());
});

test("a name of 16 characters pushes the end of an address behind them, and nothing else does", () => {
  const page = (name: string) =>
    statementOf(enroll(name, { roles: ["approver"], device: carol.enrolled }), FOUNDED).slice(0, 72);
  expect(page(N15).endsWith(carol.enrolled.address)).toBe(true);
  expect(page(`${N15}s`).endsWith(carol.enrolled.address.slice(0, -1))).toBe(true);
});

test("a recovery says from when on it takes effect; every verb is here, and two motions never say the same", () => {
  expect(statementOf(STRICT, FOUNDED, { recovery: true })).toContain(
    "; replaces 1; recovery not before 2026-11-25T08:01Z; needs 2 of 2;",
  );
  expect(new Set(FIRST_PAGE.map(([, { verb }]) => verb))).toEqual(new Set(GOVERNANCE_VERBS));
  const all = FIRST_PAGE.map(([, motion, documents]) => statementOf(motion, documents).split("; needs ")[0]);
  expect(new Set(all).size).toBe(all.length);
});
