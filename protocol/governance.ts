/**
 * What changes by a quorum on devices: people, policy, the HSM identity, a freeze lifted. README.md, "Governance". Which change each
 * verb carries, who must approve it, and what the documents are afterwards. Pure. What it says on a device is motion-statement.ts.
 */
import * as v from "valibot";
import { TreeHeadSchema } from "./checkpoint.ts";
import { Fault } from "./error.ts";
import { findLookAlikes, NameSchema } from "./name.ts";
import { NetworkIdSchema } from "./network.ts";
import {
  addTo,
  canDecide,
  DeviceSchema,
  findMember,
  type People,
  PeopleSchema,
  RemovalSchema,
  RolesSchema,
  removeFrom,
} from "./people.ts";
import { membersOf, type Policy, PolicyTextSchema, statementNames } from "./policy.ts";
import { PublicJwkSchema, sha256Hex } from "./primitive.ts";
import { requireDeciders, requireProposer, requireReach } from "./reach.ts";
import type { VendorDemand } from "./vendor.ts";

/** What each verb's request carries as `change`. */
export const CHANGES = {
  /** The first documents, signed by everybody in them who has a device. */
  FOUND: v.strictObject({ people: PeopleSchema, policy: PolicyTextSchema }),
  /** Adds to a person, who need not exist yet. Several at once: what one pairing brings. */
  ENROLL: v.pipe(
    v.strictObject({
      name: NameSchema,
      roles: RolesSchema,
      extension: v.nullable(PublicJwkSchema),
      file: v.nullable(PublicJwkSchema),
      device: v.nullable(DeviceSchema),
    }),
    v.check((c) => c.roles.length > 0 || (c.extension ?? c.file ?? c.device) !== null, "it adds nothing"),
  ),
  REMOVE: v.strictObject({ name: NameSchema, removal: RemovalSchema }),
  POLICY: v.strictObject({ policy: PolicyTextSchema }),
  /** The next HSM identity. */
  ROTATE: v.strictObject({ to: PublicJwkSchema }),
  /** null: everything. */
  UNFREEZE: v.strictObject({ vault: v.nullable(NameSchema) }),
  /**
   * Goes on from a record that is not the newest. `log`: its head; `seen`: the furthest that anybody's browser knew, null where nobody knew
   * more; `nonces`: the next of each account, above all that was signed in between.
   */
  RESTORE: v.strictObject({
    log: TreeHeadSchema,
    seen: v.nullable(TreeHeadSchema),
    nonces: v.pipe(
      v.array(
        v.strictObject({
          vault: NameSchema,
          network: NetworkIdSchema,
          nonce: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
        }),
      ),
      v.maxLength(200),
      v.check(
        (rows) => new Set(rows.map((r) => `${r.vault} ${r.network}`)).size === rows.length,
        "an account stands twice",
      ),
    ),
  }),
  /** Asks the approvers of a vault to sign something harmless. Changes nothing. */
  DRILL: v.strictObject({ vault: NameSchema }),
} as const;

export type GovernanceVerb = keyof typeof CHANGES;
export const GOVERNANCE_VERBS = [
  "FOUND",
  "ENROLL",
  "REMOVE",
  "POLICY",
  "ROTATE",
  "UNFREEZE",
  "RESTORE",
  "DRILL",
] as const satisfies readonly GovernanceVerb[];

/** A verb with its change. */
export type Motion = {
  [Verb in GovernanceVerb]: { readonly verb: Verb; readonly change: v.InferOutput<(typeof CHANGES)[Verb]> };
}[GovernanceVerb];

/** People and policy in force, as documents. */
export interface Documents {
  readonly people: People;
  readonly policy: Policy;
}

export interface DocumentReference {
  readonly n: number;
  /** SHA-256 of the document's text, hex. */
  readonly digest: string;
}

/** A document's text: what its digest is taken of. */
export function policyDocument(policy: Policy): string {
  const { n, ...rest } = policy;
  return JSON.stringify({ n, ...v.parse(PolicyTextSchema, rest) });
}

export function peopleDocument(people: People): string {
  return JSON.stringify(v.parse(PeopleSchema, people));
}

export function referTo(n: number, text: string): DocumentReference {
  return { n, digest: sha256Hex(new TextEncoder().encode(text)) };
}

/** The references of both documents. */
export function referencesOf({ people, policy }: Documents): { policy: DocumentReference; people: DocumentReference } {
  return {
    policy: referTo(policy.n, policyDocument(policy)),
    people: referTo(people.n, peopleDocument(people)),
  };
}

/** Who must approve a motion. `delay`: seconds for which everybody sees it before it takes effect; null for none. */
export interface Quorum {
  readonly threshold: number;
  readonly people: readonly string[];
  readonly vendors: readonly VendorDemand[];
  readonly delay: number | null;
}

/**
 * The quorum for a motion under the documents in force. FOUND: everybody with a device in its own documents. DRILL: the approvers of the
 * vault. All else: the admins, or with `recovery` the recovery people of the policy. The initiator never counts.
 * @throws Fault ERR_POLICY_QUORUM, ERR_POLICY_DENIED
 */
export function quorumFor(
  motion: Motion,
  documents: Documents | null,
  initiator: string | null,
  recovery: boolean,
): Quorum {
  if (motion.verb === "FOUND") {
    const founders = foundersOf(motion.change.people);
    return { threshold: founders.length, people: founders, vendors: [], delay: null };
  }
  if (documents === null) throw new Fault("ERR_POLICY_DENIED", "Nothing is founded yet; only founding is possible.");
  requireProposer(documents.people, initiator);
  const { people, policy } = documents;
  const able = (names: readonly string[], role: "approver" | "admin" | null) =>
    names.filter((name) => name !== initiator && canDecide(people, name, role));
  if (motion.verb === "DRILL") {
    const rules = policy.rules.filter((rule) => rule.vault === motion.change.vault);
    const [rule] = rules;
    if (rule === undefined || recovery)
      throw new Fault("ERR_POLICY_DENIED", `No rule of policy ${policy.n} names vault ${motion.change.vault}.`);
    const { threshold, vendors } = rule;
    return requireReach(people, {
      threshold,
      people: able(membersOf(policy, rule.approvers), "approver"),
      vendors,
      delay: null,
    });
  }
  const { governance } = policy;
  if (!recovery) {
    const names = people.members.map(({ name }) => name);
    const { threshold, vendors } = governance;
    return requireReach(people, { threshold, people: able(names, "admin"), vendors, delay: null });
  }
  if (governance.recovery === null || !canRecover(motion.verb))
    throw new Fault("ERR_POLICY_DENIED", `Policy ${policy.n} names no recovery quorum for this; the admins decide.`);
  const { threshold, delay } = governance.recovery;
  return requireReach(people, {
    threshold,
    people: able(governance.recovery.people, null),
    vendors: [],
    delay: delay * 3600,
  });
}

/** Whether the recovery people may decide it in the admins' place. */
export function canRecover(verb: GovernanceVerb): boolean {
  return verb === "ENROLL" || verb === "REMOVE" || verb === "POLICY" || verb === "ROTATE";
}

/** Everybody in the founding documents who has a device; each of them must sign. */
export function foundersOf(people: People): string[] {
  return people.members.filter((m) => m.devices.length > 0).map(({ name }) => name);
}

/**
 * The documents after a motion took effect; the same where it changes none. null: before the founding.
 * @throws Fault where it cannot: ERR_POLICY_*, ERR_MEMBER_*, ERR_DEVICE_*, ERR_NAME
 */
export function applyMotion(motion: Motion, documents: Documents | null): Documents {
  if (motion.verb === "FOUND") {
    if (documents !== null) throw new Fault("ERR_STATE", "This is founded already; nothing is founded twice.");
    const { people, policy } = motion.change;
    if (people.n !== 1) throw new Fault("ERR_POLICY_DOCUMENT", "The first people document has number 1.");
    return whole({ people, policy: { n: 1, ...policy } });
  }
  if (documents === null) throw new Fault("ERR_STATE", "Nothing is founded yet; only founding is possible.");
  switch (motion.verb) {
    case "ENROLL":
      return whole({ ...documents, people: addTo(documents.people, motion.change) });
    case "REMOVE":
      return whole({ ...documents, people: removeFrom(documents.people, motion.change.name, motion.change.removal) });
    case "POLICY":
      return whole({ ...documents, policy: { n: documents.policy.n + 1, ...motion.change.policy } });
    case "ROTATE":
    case "UNFREEZE":
    case "RESTORE":
    case "DRILL":
      return documents;
  }
}

/** What must hold of both documents together, so that nobody is locked out and no name is taken for another. */
function whole(documents: Documents): Documents {
  const { people, policy } = documents;
  const names = [...statementNames(policy), ...people.members.map(({ name }) => name)];
  const alike = findLookAlikes(names);
  if (alike !== undefined)
    throw new Fault("ERR_NAME", `${alike[1]} looks like ${alike[0]}, which is a name already; choose another.`);
  requireDeciders(people, policy.governance);
  return documents;
}

/** A POLICY names only people who exist. Asked when it is proposed; a person who is removed later stays named. @throws Fault ERR_MEMBER_UNKNOWN */
export function requireKnownPeople(policy: Pick<Policy, "groups" | "governance">, people: People): void {
  const named = [...policy.groups.flatMap(({ members }) => members), ...(policy.governance.recovery?.people ?? [])];
  for (const name of named) findMember(people, name);
}
