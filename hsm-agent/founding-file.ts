/**
 * The founding file: the first people, vaults and policy, as an operator writes them for `opencustody init`. The policy stands in it
 * without `vaults`, because the keys are made from it. It holds no secret: of a key file only the public half. README.md, "Founding".
 * What could never be founded, or would lock everybody out, is refused here, before a key is made.
 */
import * as v from "valibot";
import { ACT_EXP, requireRoom } from "../protocol/charter.ts";
import { describeIssue } from "../protocol/envelope.ts";
import { Fault, isFault } from "../protocol/error.ts";
import { motionParts } from "../protocol/motion-statement.ts";
import { findLookAlikes, NameSchema } from "../protocol/name.ts";
import { type People, type Role, RoleSchema, sortRoles } from "../protocol/people.ts";
import {
  membersOf,
  type PolicyText,
  PolicyTextSchema,
  parsePolicy,
  statementNames,
  type Vault,
} from "../protocol/policy.ts";
import { PublicJwkSchema, thumbprint } from "../protocol/primitive.ts";
import { renderTemplate } from "../protocol/statement.ts";
import { BackupSchema, NoncesSchema } from "./control.ts";

/** As many invites as a roster holds: each founder gets one. */
const FOUNDERS_MAX = 50;
const PEOPLE_MAX = 64;
/** What is not known before people pair, as long as it can be. */
const STAND_IN = {
  thumbprint: "0".repeat(43),
  key: { kty: "EC", crv: "P-256", x: "0".repeat(43), y: "0".repeat(43) },
  device: { address: "0".repeat(42), vendor: "Trezor", model: "0".repeat(24) },
  request: "0".repeat(16),
  jti: "0".repeat(22),
} as const;

const PersonSchema = v.strictObject({
  name: NameSchema,
  roles: v.pipe(
    v.array(RoleSchema),
    v.minLength(1),
    v.check((roles) => new Set(roles).size === roles.length, "a role stands twice"),
    v.transform((roles) => sortRoles(roles)),
  ),
  /** Public half of the person's key file; an initiator needs one. */
  key: v.optional(v.nullable(PublicJwkSchema), null),
});

const FileSchema = v.strictObject({
  v: v.literal(1),
  people: v.pipe(v.array(PersonSchema), v.minLength(1), v.maxLength(PEOPLE_MAX)),
  vaults: v.pipe(
    v.array(
      v.strictObject({
        name: NameSchema,
        backup: v.optional(BackupSchema, "none"),
        nonces: v.optional(NoncesSchema, []),
      }),
    ),
    v.maxLength(100),
  ),
  policy: v.pipe(
    // Not an object schema: what it left out of its output would never be refused.
    v.custom<Record<string, unknown>>(
      (value) => typeof value === "object" && value !== null && !Array.isArray(value),
      "it is the first policy",
    ),
    v.check((policy) => !("vaults" in policy), "vaults stand beside the policy here, not in it"),
  ),
});

type File = v.InferOutput<typeof FileSchema>;

/** Who and what is founded. */
export interface Founding extends Omit<File, "policy"> {
  readonly policy: Omit<PolicyText, "vaults">;
}
export type FoundingPerson = File["people"][number];

/** Whether this person pairs a browser, enrols a device and signs the founding: everybody who does more than propose. */
export function isFounder({ roles }: Pick<FoundingPerson, "roles">): boolean {
  return roles.some((role) => role !== "initiator");
}

/** @throws Fault ERR_POLICY_DOCUMENT naming the path of the first fault */
export function parseFounding(text: string): Founding {
  const parsed = v.safeParse(FileSchema, parseJson(text));
  if (!parsed.success) refuse(describeIssue(parsed.issues[0]));
  const file = parsed.output;
  // With keys of the right form in the place of those that are not made yet.
  const whole = { ...file.policy, vaults: file.vaults.map(({ name }, at) => standIn(name, at)) };
  const fit = v.safeParse(PolicyTextSchema, whole);
  if (!fit.success) {
    const [issue] = fit.issues;
    refuse(`policy${v.getDotPath(issue) === null ? ": " : "."}${describeIssue(issue)}`);
  }
  const policy = parsePolicy(whole);
  checkNames(file, policy);
  checkKeys(file);
  checkNetworks(file, policy);
  checkQuorums(file, policy);
  checkFounders(file, policy);
  const { vaults: _standIns, ...rest } = policy;
  return { ...file, policy: rest };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Fault("ERR_POLICY_DOCUMENT", "The founding file is not JSON.");
  }
}

function refuse(what: string): never {
  throw new Fault("ERR_POLICY_DOCUMENT", `The founding file does not fit: ${what}.`);
}

function standIn(name: string, at: number): Vault {
  const digits = at.toString(16);
  return { name, id: digits.padStart(32, "0"), publicKey: digits.padStart(130, "0") };
}

function checkNames({ people }: File, policy: PolicyText): void {
  const alike = findLookAlikes([...statementNames(policy), ...people.map(({ name }) => name)]);
  if (alike !== undefined) refuse(`people: ${alike[1]} looks like ${alike[0]}; choose another name`);
}

function checkKeys({ people }: File): void {
  const seen = new Set<string>();
  for (const [at, { roles, key }] of people.entries()) {
    if (key === null && roles.includes("initiator")) refuse(`people.${at}.key: an initiator needs a key`);
    if (key === null) continue;
    if (seen.has(thumbprint(key))) refuse(`people.${at}.key: it stands twice`);
    seen.add(thumbprint(key));
  }
}

function checkNetworks({ vaults }: File, { networks }: PolicyText): void {
  for (const [at, { nonces }] of vaults.entries())
    for (const [place, { network }] of nonces.entries())
      if (!networks.some(({ id }) => id === network))
        refuse(`vaults.${at}.nonces.${place}.network: it is not in the policy's networks`);
}

/** Everybody named is there, and every quorum can be reached on the first day. */
function checkQuorums({ people }: File, policy: PolicyText): void {
  const { governance, groups, rules } = policy;
  const having = (role: Role) => people.filter(({ roles }) => roles.includes(role)).map(({ name }) => name);
  const admins = having("admin");
  if (admins.length < governance.threshold)
    refuse(
      `policy.governance.threshold: ${governance.threshold} admins must approve and ${admins.length} are in people`,
    );
  const canBegin = people.some(({ name, key, roles }) => {
    const proposes = key !== null && (roles.includes("initiator") || roles.includes("admin"));
    return proposes && admins.filter((admin) => admin !== name).length >= governance.threshold;
  });
  if (!canBegin)
    refuse(
      `people: an initiator or admin with a key must be able to propose, and ${governance.threshold} other admins to approve`,
    );
  for (const [at, { members }] of groups.entries())
    for (const [place, name] of members.entries())
      if (!people.some((person) => person.name === name))
        refuse(`policy.groups.${at}.members.${place}: nobody in people is called ${name}`);
  const approvers = having("approver");
  for (const [at, rule] of rules.entries()) {
    const able = membersOf(policy, rule.approvers).filter((name) => approvers.includes(name));
    if (able.length < rule.threshold)
      refuse(`policy.rules.${at}.threshold: ${rule.threshold} approvers must approve and the group has ${able.length}`);
  }
  const founders = people.filter(isFounder).map(({ name }) => name);
  for (const [at, name] of (governance.recovery?.people ?? []).entries())
    if (!founders.includes(name)) refuse(`policy.governance.recovery.people.${at}: ${name} is nobody with a device`);
}

/** The founding statement names every founder, and must fit a device; its act holds everybody's approval, and must fit a message. */
function checkFounders({ people }: File, policy: PolicyText): void {
  const members = people.map((person) => ({
    name: person.name,
    roles: person.roles,
    extensions: isFounder(person) ? [STAND_IN.key] : [],
    files: person.key === null ? [] : [person.key],
    devices: isFounder(person) ? [STAND_IN.device] : [],
  }));
  const founders = people.filter(isFounder).map(({ name }) => name);
  const { length } = founders;
  if (length > FOUNDERS_MAX)
    refuse(`people: ${length} would sign the founding and ${FOUNDERS_MAX} can; enroll the rest`);
  const motion = {
    verb: "FOUND",
    change: { people: { v: 1, n: 1, members, former: [] } satisfies People, policy },
  } as const;
  try {
    const statement = renderTemplate({
      verb: "FOUND",
      parts: motionParts(motion, 0),
      notBefore: null,
      threshold: length,
      eligible: length,
      policy: 1,
      request: STAND_IN.request,
      expires: 0,
      hsm: "0".repeat(8),
    });
    const reference = { n: 1, digest: "0".repeat(64) };
    const { thumbprint: kid, request, jti } = STAND_IN;
    const claims = { v: 1, iss: kid, aud: founders.map(() => kid), jti, iat: ACT_EXP, exp: ACT_EXP, request };
    const quorum = { threshold: length, people: founders, vendors: [] };
    const tail = { initiator: null, quorum, notBefore: null, policy: reference, people: reference, statement };
    requireRoom(JSON.stringify({ ...claims, ...motion, ...tail }), length);
  } catch (error) {
    if (isFault(error, "ERR_STATEMENT_TOO_LONG"))
      refuse(
        "people: their names together are too long for the founding's statement; found with fewer and enroll the rest",
      );
    if (!isFault(error, "ERR_POLICY_DOCUMENT")) throw error;
    refuse(
      `people: what ${length} people sign, with this policy, is too long to be sent; found with fewer and enroll the rest`,
    );
  }
}
