/** Makes governance.json: the request of each verb with digest and statement, and requests that are refused for one fault each. */
import { signPayload } from "../envelope.ts";
import type { Motion } from "../governance.ts";
import { thumbprint } from "../primitive.ts";
import { type MotionRequest, REQUEST } from "../request.ts";
import { ADA, ADAS_FILE, BOBS_DEVICE, CAROLS_FILE, HSM, INVITE, NEXT_HSM, OLGA } from "./keys.ts";
import { motionRequest, type Plan, written } from "./motion.ts";
import { carol, FOUNDED, FOUNDERS, POLICY, STRICTER } from "./world.ts";

const founding: Motion = { verb: "FOUND", change: { people: FOUNDERS, policy: POLICY } };
const nothing = { roles: [], extension: null, file: null, device: null };
const enroll = (change: object): Motion => {
  return { verb: "ENROLL", change: { name: "Carol", ...nothing, ...change } };
};
const remove = (removal: Extract<Motion, { verb: "REMOVE" }>["change"]["removal"], name = "Bob"): Motion => {
  return { verb: "REMOVE", change: { name, removal } };
};
const WHOLE = enroll({ roles: ["approver"], extension: carol.key.jwk, device: carol.enrolled });
const OLDER: Extract<Motion, { verb: "RESTORE" }> = {
  verb: "RESTORE",
  change: {
    log: { size: 40, root: "4".repeat(64) },
    seen: { size: 60, root: "6".repeat(64) },
    nonces: [{ vault: "Treasury-1", network: "eip155:1", nonce: 9 }],
  },
};
const STRICT: Motion = { verb: "POLICY", change: { policy: STRICTER } };

function valid(what: string, motion: Motion, plan: Partial<Plan> = {}) {
  return { what, ...written(motionRequest({ name: what, motion, ...plan }, motion.verb === "FOUND" ? null : FOUNDED)) };
}

/** `documents`: the people and policy under which all but the founding are proposed. */
const VALID = [
  valid("a founding", founding, { initiator: null }),
  valid("a person with browser and device", WHOLE),
  valid("every role", enroll({ roles: ["initiator", "approver", "admin", "auditor"], extension: carol.key.jwk })),
  valid("a device of somebody known", enroll({ name: "Ada", device: carol.enrolled })),
  valid("a browser of somebody known", enroll({ name: "Ada", extension: carol.key.jwk })),
  valid("a key file", enroll({ name: "Ada", roles: ["initiator"], file: CAROLS_FILE.jwk })),
  valid("a role", enroll({ name: "Eve", roles: ["admin"] })),
  valid("the longest name", enroll({ ...WHOLE.change, name: "Carolina_of.the-Treasury" })),
  valid("a person goes", remove({ what: "person" })),
  valid("a role goes", remove({ what: "role", role: "admin" })),
  valid("a browser goes", remove({ what: "browser", key: ADA.signer.kid }, "Ada")),
  valid("a key file goes", remove({ what: "file", key: OLGA.signer.kid }, "Olga")),
  valid("a device goes", remove({ what: "device", address: BOBS_DEVICE.address })),
  valid("a policy", STRICT),
  valid("another identity", { verb: "ROTATE", change: { to: NEXT_HSM.jwk } }),
  valid("the next identity asks itself", { verb: "ROTATE", change: { to: NEXT_HSM.jwk } }, { by: NEXT_HSM }),
  valid("a freeze of one vault", { verb: "UNFREEZE", change: { vault: "Treasury-1" } }),
  valid("a freeze of everything", { verb: "UNFREEZE", change: { vault: null } }),
  valid("an older record", OLDER),
  valid("an older record of which nobody knows more", { ...OLDER, change: { ...OLDER.change, seen: null } }),
  valid("a drill", { verb: "DRILL", change: { vault: "Treasury-1" } }),
  valid("a recovery", remove({ what: "person" }), { recovery: true }),
  valid("an admin asks, and does not count", STRICT, { initiator: "Ada" }),
];

const P = "ERR_ENVELOPE_PAYLOAD";
const S = "ERR_STATEMENT_DIFFERS";

/** Signed though it does not fit. */
async function refused(what: string, code: string, base: object, change: object) {
  return { what, code, jws: await signPayload(REQUEST, JSON.stringify({ ...base, ...change }), HSM.signer) };
}

const ENROLL = parsed("a person with browser and device");
const FOUND = parsed("a founding");
const POLICY_REQUEST = parsed("a policy");
const ROTATE = parsed("another identity");
const RECOVERY = parsed("a recovery");
const DRILL = parsed("a drill");
const RESTORE = parsed("an older record");
const { nonces: NONCES } = OLDER.change;

function parsed(what: string): MotionRequest {
  const one = VALID.find((vector) => vector.what === what);
  // Its own text, made a moment ago: the member order is that of the schema.
  return JSON.parse(one?.payload ?? "") as MotionRequest;
}

const without = (base: object, name: string) =>
  Object.fromEntries(Object.entries(base).filter(([key]) => key !== name));
const says = (from: string, to: string, base = ENROLL) => ({ statement: base.statement.replace(from, to) });
const found = (change: object) => ({ change: { ...founding.change, ...change } });
const members = (change: (member: object, at: number) => object) => {
  return found({ people: { ...FOUNDERS, members: FOUNDERS.members.map(change) } });
};
const policy = (change: object) => ({ change: { policy: { ...STRICTER, ...change } } });
const first = (change: object) => (member: object, at: number) => (at === 0 ? { ...member, ...change } : member);
const added = (change: object) => ({ change: { ...WHOLE.change, ...change } });

const WITHOUT_ADAS_FILE = remove({ what: "file", key: ADAS_FILE.signer.kid }, "Ada");
/** `first`: what took effect before. */
const IMPOSSIBLE: [what: string, motion: Motion, code: string, first?: Motion][] = [
  ["a second founding", founding, "ERR_STATE"],
  ["a key that is somebody's", enroll({ roles: ["approver"], extension: ADA.jwk }), "ERR_MEMBER_EXISTS"],
  [
    "a device that is somebody's",
    enroll({ roles: ["approver"], device: FOUNDERS.members[1]?.devices[0] }),
    "ERR_DEVICE_TAKEN",
  ],
  ["somebody without a role", enroll({ device: carol.enrolled }), "ERR_MEMBER_ROLE"],
  ["what is so already", enroll({ name: "Ada", roles: ["approver"] }), "ERR_MEMBER_EXISTS"],
  ["a name like another person's", enroll({ name: "B0b", roles: ["auditor"] }), "ERR_NAME"],
  ["a name like a vault's", enroll({ name: "treasury-I", roles: ["auditor"] }), "ERR_NAME"],
  ["somebody whom nobody knows", remove({ what: "person" }, "Zoe"), "ERR_MEMBER_UNKNOWN"],
  ["a role that is not had", remove({ what: "role", role: "auditor" }), "ERR_MEMBER_ROLE"],
  ["the only role", remove({ what: "role", role: "auditor" }, "Eve"), "ERR_MEMBER_ROLE"],
  ["a key that is not had", remove({ what: "browser", key: thumbprint(INVITE.jwk) }), "ERR_MEMBER_UNKNOWN"],
  ["a device that is not had", remove({ what: "device", address: carol.enrolled.address }), "ERR_DEVICE_UNKNOWN"],
  ["the only person with a key file", remove({ what: "person" }, "Olga"), "ERR_POLICY_QUORUM", WITHOUT_ADAS_FILE],
  [
    "the only one who may propose and need not decide",
    remove({ what: "person" }, "Olga"),
    "ERR_POLICY_QUORUM",
    { verb: "POLICY", change: { policy: needs(3, []) } },
  ],
  ["more admins than there are", { verb: "POLICY", change: { policy: needs(4, []) } }, "ERR_POLICY_QUORUM"],
  [
    "devices that the admins have not",
    { verb: "POLICY", change: { policy: needs(2, [{ vendor: "Trezor", atLeast: 2 }]) } },
    "ERR_POLICY_QUORUM",
  ],
];

export const GOVERNANCE = {
  hsm: HSM.jwk,
  /** Whose receiver these are: Ada, who is in each `aud`. */
  audience: ADA.signer.kid,
  now: ENROLL.iat,
  valid: VALID,
  refused: [
    await refused("an unknown verb", P, DRILL, { verb: "GRANT" }),
    await refused("the change of another verb", P, ROTATE, { change: { vault: null } }),
    await refused("a change with an unknown member", P, DRILL, { change: { vault: "Treasury-1", amount: "1" } }),
    await refused("no change", P, without(ROTATE, "change"), {}),
    await refused("an account twice", P, RESTORE, { change: { ...OLDER.change, nonces: [...NONCES, ...NONCES] } }),
    await refused("a record without its root", P, RESTORE, { change: { ...OLDER.change, log: { size: 40 } } }),
    await refused("another gap than it says", S, RESTORE, { change: { ...OLDER.change, seen: null } }),
    await refused("no initiator but for a founding", P, ENROLL, { initiator: null }),
    await refused("an initiator of a founding", P, FOUND, { initiator: "Olga" }),
    await refused("the initiator in the quorum", P, ENROLL, { initiator: "Ada" }),
    await refused("a delay that is no whole minute", P, RECOVERY, { notBefore: (RECOVERY.notBefore ?? 0) + 1 }),
    await refused("a delay that outlives the request", P, RECOVERY, { notBefore: RECOVERY.exp }),
    await refused("a founding with a delay", P, FOUND, { notBefore: FOUND.iat }),
    await refused("a drill with a delay", P, DRILL, { notBefore: DRILL.iat }),
    await refused("an enrolment of nothing", P, ENROLL, added({ ...nothing })),
    await refused("roles in another order", P, ENROLL, added({ roles: ["admin", "approver"] })),
    await refused("a role twice", P, ENROLL, added({ roles: ["approver", "approver"] })),
    await refused("an unknown role", P, ENROLL, added({ roles: ["owner"] })),
    await refused("a name that is a word of the statement", P, ENROLL, added({ name: "Device" })),
    await refused("a device without its checksum", P, ENROLL, {
      change: { ...WHOLE.change, device: { ...carol.enrolled, address: carol.enrolled.address.toLowerCase() } },
    }),
    await refused("a device of another vendor", P, ENROLL, added({ device: { ...carol.enrolled, vendor: "Nano" } })),
    await refused("a removal of a kind that is unknown", P, DRILL, {
      verb: "REMOVE",
      change: { name: "Bob", removal: { what: "vault" } },
    }),
    await refused("an identity on another curve", P, ROTATE, { change: { to: { ...NEXT_HSM.jwk, crv: "P-384" } } }),
    await refused("an identity with its secret", P, ROTATE, { change: { to: { ...NEXT_HSM.jwk, d: NEXT_HSM.d } } }),
    await refused(
      "two people whose names look alike",
      P,
      FOUND,
      members((m, at) => (at === 1 ? { ...m, name: "ADA" } : m)),
    ),
    await refused(
      "a key of two people",
      P,
      FOUND,
      members((m, at) => (at === 1 ? { ...m, extensions: [ADA.jwk] } : m)),
    ),
    await refused("a device of two people", P, FOUND, members(first({ devices: [FOUNDERS.members[1]?.devices[0]] }))),
    await refused(
      "a device that was another's",
      P,
      FOUND,
      found({
        people: { ...FOUNDERS, former: [{ name: "Zoe", address: BOBS_DEVICE.address }] },
      }),
    ),
    await refused("a person without a role", P, FOUND, members(first({ roles: [] }))),
    await refused("a policy with a number", P, POLICY_REQUEST, policy({ n: 2 })),
    await refused("a contact of two lines", P, POLICY_REQUEST, policy({ contact: "Operations\nEvil" })),
    await refused("a bridge without TLS", P, POLICY_REQUEST, policy({ bridge: "ws://bridge.example/" })),
    await refused(
      "a recovery after an hour",
      P,
      POLICY_REQUEST,
      policy({
        governance: { ...POLICY.governance, recovery: { people: ["Dan"], threshold: 1, delay: 1 } },
      }),
    ),
    await refused(
      "a policy that is too long",
      P,
      POLICY_REQUEST,
      policy({
        groups: [
          ...POLICY.groups,
          ...Array.from({ length: 1000 }, (_, at) => ({ name: `group.${at}`, members: ["Ada"] })),
        ],
      }),
    ),
    await refused("a statement of another verb", S, ENROLL, says("ENROLL", "REMOVE")),
    await refused("a statement of another person", S, ENROLL, says("Carol", "Carla")),
    await refused("a statement with another device", S, ENROLL, says(carol.enrolled.address, BOBS_DEVICE.address)),
    await refused("a statement without its device", S, ENROLL, says(` DEVICE ${carol.enrolled.address}`, "")),
    await refused("a statement with another role", S, ENROLL, says("AS approver", "AS auditor")),
    await refused("a statement with a role less", S, parsed("every role"), says("+admin", "", parsed("every role"))),
    await refused("a statement with another browser", S, ENROLL, says("; browser ", "; browser 0")),
    await refused("a statement with another vendor", S, ENROLL, says("Ledger", "Trezor")),
    await refused("a change under another's statement", S, ENROLL, added({ extension: INVITE.jwk })),
    await refused("another policy under the statement", S, POLICY_REQUEST, policy({ contact: "Somebody else" })),
    await refused(
      "a statement of another policy number",
      S,
      POLICY_REQUEST,
      says("POLICY 2", "POLICY 3", POLICY_REQUEST),
    ),
    await refused("another identity under the statement", S, ROTATE, { change: { to: INVITE.jwk } }),
    await refused("other founders under the statement", S, FOUND, members(first({ devices: [carol.enrolled] }))),
    await refused("a statement with a founder less", S, FOUND, says(" Bob", "", FOUND)),
    await refused("a statement of another vault", S, DRILL, { change: { vault: "Treasury-2" } }),
    await refused("a drill that says it moves", S, DRILL, says("; moves nothing", "", DRILL)),
    await refused("a statement without its delay", S, RECOVERY, {
      statement: RECOVERY.statement.replace(/; recovery not before [^;]+/, ""),
    }),
    await refused("another delay than the statement's", S, RECOVERY, { notBefore: (RECOVERY.notBefore ?? 0) + 60 }),
    await refused("a statement of another quorum", S, ENROLL, says("2 of 3", "1 of 3")),
    await refused("a statement with a digest in it", S, ENROLL, says("{digest}", "0".repeat(64))),
    await refused("a statement that goes on", S, ENROLL, { statement: `${ENROLL.statement}; paid` }),
  ],
  /** Documents that a motion may not make, with the motion and its code; `first` takes effect before it. */
  impossible: IMPOSSIBLE.map(([what, motion, code, first = null]) => ({ what, first, motion, code })),
  people: FOUNDED.people,
  policy: FOUNDED.policy,
};

function needs(threshold: number, vendors: typeof POLICY.governance.vendors) {
  return { ...POLICY, governance: { ...POLICY.governance, threshold, vendors } };
}
