/**
 * The people document: who has which roles, keys and devices. README.md, "People". Pure: every change is a new document, and which
 * changes are approved by whom is governance.ts. A device's address belongs to one person for ever, also after that person is gone.
 */
import * as v from "valibot";
import { EthereumAddressSchema } from "./device-signature.ts";
import { Fault } from "./error.ts";
import { findLookAlikes, NameSchema } from "./name.ts";
import { OrdinalSchema, type PublicJwk, PublicJwkSchema, ThumbprintSchema, thumbprint } from "./primitive.ts";
import { VendorSchema } from "./vendor.ts";

const ROLES = ["initiator", "approver", "admin", "auditor"] as const;
/** initiator: proposes. approver: approves transfers. admin: approves changes of people and policy. auditor: sees all, decides nothing. */
export const RoleSchema = v.picklist(ROLES);
export type Role = v.InferOutput<typeof RoleSchema>;

/** Some of the roles, each once, in their order. */
export const RolesSchema = v.pipe(
  v.array(RoleSchema),
  v.check((roles) => roles.join() === sortRoles(roles).join(), "roles stand once each, in their order"),
);

export function sortRoles(roles: readonly Role[]): Role[] {
  return ROLES.filter((role) => roles.includes(role));
}

export const DeviceSchema = v.strictObject({
  address: EthereumAddressSchema,
  /** What the people who enrolled it asserted. */
  vendor: VendorSchema,
  model: NameSchema,
});
export type Device = v.InferOutput<typeof DeviceSchema>;

const KeysSchema = v.pipe(v.array(PublicJwkSchema), v.maxLength(8));

export const MemberSchema = v.strictObject({
  name: NameSchema,
  roles: v.pipe(RolesSchema, v.minLength(1)),
  /** Signing keys of paired extensions: they approve. */
  extensions: KeysSchema,
  /** Keys in files: they propose. */
  files: KeysSchema,
  devices: v.pipe(v.array(DeviceSchema), v.maxLength(8)),
});
export type Member = v.InferOutput<typeof MemberSchema>;

/** As many extensions as one request can be addressed to. */
const EXTENSIONS_MAX = 256;

export const PeopleSchema = v.pipe(
  v.strictObject({
    v: v.literal(1),
    n: OrdinalSchema,
    members: v.pipe(v.array(MemberSchema), v.maxLength(200)),
    /** Devices that were removed, and whose they stay. */
    former: v.pipe(v.array(v.strictObject({ name: NameSchema, address: EthereumAddressSchema })), v.maxLength(1000)),
  }),
  v.check((p) => findLookAlikes(p.members.map((m) => m.name)) === undefined, "two people have names that look alike"),
  v.check((p) => isUnique(p.members.flatMap(keysOf).map(thumbprint)), "a key stands twice"),
  v.check((p) => isUnique(addressesOf(p)), "a device's address stands twice"),
  v.check((p) => p.members.flatMap((m) => m.extensions).length <= EXTENSIONS_MAX, "more than 256 browsers are paired"),
);
export type People = v.InferOutput<typeof PeopleSchema>;

function keysOf(member: Member): PublicJwk[] {
  return [...member.extensions, ...member.files];
}

function addressesOf(people: { members: Member[]; former: { address: string }[] }): string[] {
  return [...people.members.flatMap((m) => m.devices), ...people.former].map(({ address }) => address);
}

function isUnique(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}

/** What is added to a person, who need not exist yet. */
export interface Addition {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly extension: PublicJwk | null;
  readonly file: PublicJwk | null;
  readonly device: Device | null;
}

/** The people with `addition`. @throws Fault ERR_MEMBER_EXISTS, ERR_DEVICE_TAKEN, ERR_MEMBER_ROLE, ERR_NAME, ERR_DEVICE_LIMIT */
export function addTo(people: People, addition: Addition): People {
  const { name, roles, extension, file, device } = addition;
  for (const key of [extension, file]) {
    if (key !== null && findOwner(people, thumbprint(key)) !== undefined)
      throw new Fault("ERR_MEMBER_EXISTS", "This key belongs to somebody already; make a new one.");
  }
  const known = people.members.find((member) => member.name === name);
  const alike = findLookAlikes([...people.members.filter((m) => m !== known).map((m) => m.name), name]);
  if (alike !== undefined)
    throw new Fault("ERR_NAME", `${alike[1]} looks like ${alike[0]}, who is a member already; choose another name.`);
  const before: Member = known ?? { name, roles: [], extensions: [], files: [], devices: [] };
  const owner = device === null ? undefined : ownerOfAddress(people, device.address);
  if (owner !== undefined && owner !== name)
    throw new Fault("ERR_DEVICE_TAKEN", "This device is or was another person's; use one of your own.");
  const after: Member = {
    ...before,
    roles: sortRoles([...before.roles, ...roles]),
    extensions: extension === null ? before.extensions : [...before.extensions, extension],
    files: file === null ? before.files : [...before.files, file],
    devices: device === null ? before.devices : withDevice(before.devices, device),
  };
  if (JSON.stringify(after) === JSON.stringify(known))
    throw new Fault("ERR_MEMBER_EXISTS", `${name} has all of this already; nothing would change.`);
  if (after.roles.length === 0) throw new Fault("ERR_MEMBER_ROLE", `${name} would have no role; name at least one.`);
  return next(people, {
    members: known === undefined ? [...people.members, after] : replaced(people.members, after),
    former: people.former.filter(({ address }) => address !== device?.address),
  });
}

/** A device that is enrolled anew is what was said of it last: vendor and model stand in the statement that people approved. */
function withDevice(devices: readonly Device[], device: Device): Device[] {
  const isKnown = devices.some(({ address }) => address === device.address);
  return isKnown ? devices.map((d) => (d.address === device.address ? device : d)) : [...devices, device];
}

/** What is taken from a person. */
export const RemovalSchema = v.variant("what", [
  v.strictObject({ what: v.literal("person") }),
  v.strictObject({ what: v.literal("role"), role: RoleSchema }),
  /** `key`: thumbprint. */
  v.strictObject({ what: v.literal("browser"), key: ThumbprintSchema }),
  v.strictObject({ what: v.literal("file"), key: ThumbprintSchema }),
  v.strictObject({ what: v.literal("device"), address: EthereumAddressSchema }),
]);
export type Removal = v.InferOutput<typeof RemovalSchema>;

/** The people without what `removal` names. @throws Fault ERR_MEMBER_UNKNOWN, ERR_DEVICE_UNKNOWN, ERR_MEMBER_ROLE */
export function removeFrom(people: People, name: string, removal: Removal): People {
  const member = findMember(people, name);
  const without = (keys: readonly PublicJwk[], kid: string): PublicJwk[] => {
    const left = keys.filter((key) => thumbprint(key) !== kid);
    if (left.length === keys.length)
      throw new Fault("ERR_MEMBER_UNKNOWN", `${name} has no such key; see "opencustody members".`);
    return left;
  };
  const change = (part: Partial<Member>): People =>
    next(people, { members: replaced(people.members, { ...member, ...part }), former: people.former });
  switch (removal.what) {
    case "person":
      return next(people, {
        members: people.members.filter((m) => m !== member),
        former: [...people.former, ...member.devices.map(({ address }) => ({ name, address }))],
      });
    case "role": {
      const roles = member.roles.filter((role) => role !== removal.role);
      if (roles.length === member.roles.length || roles.length === 0)
        throw new Fault("ERR_MEMBER_ROLE", `${name} does not have this role, or has no other; remove the person.`);
      return change({ roles });
    }
    case "browser":
      return change({ extensions: without(member.extensions, removal.key) });
    case "file":
      return change({ files: without(member.files, removal.key) });
    case "device": {
      const devices = member.devices.filter(({ address }) => address !== removal.address);
      if (devices.length === member.devices.length)
        throw new Fault("ERR_DEVICE_UNKNOWN", `${name} has no device of this address; compare every character.`);
      return next(people, {
        members: replaced(people.members, { ...member, devices }),
        former: [...people.former, { name, address: removal.address }],
      });
    }
  }
}

function replaced(members: readonly Member[], member: Member): Member[] {
  return members.map((m) => (m.name === member.name ? member : m));
}

/** The next document. @throws Fault ERR_DEVICE_LIMIT where it has more than a document holds */
function next(people: People, change: Pick<People, "members" | "former">): People {
  const parsed = v.safeParse(PeopleSchema, { v: 1, n: people.n + 1, ...change });
  if (!parsed.success)
    throw new Fault("ERR_DEVICE_LIMIT", `The people document cannot hold this: ${parsed.issues[0].message}.`);
  return parsed.output;
}

/** @throws Fault ERR_MEMBER_UNKNOWN */
export function findMember(people: People, name: string): Member {
  const member = people.members.find((m) => m.name === name);
  if (member === undefined)
    throw new Fault("ERR_MEMBER_UNKNOWN", `Nobody is called ${name}; see "opencustody members".`);
  return member;
}

interface Owner {
  readonly member: Member;
  readonly kind: "extensions" | "files";
  readonly key: PublicJwk;
}

/** By thumbprint. A document never changes, and each message asks it whose key it is. */
const OWNERS = new WeakMap<People, ReadonlyMap<string, Owner>>();

/** Whose key this is, and of which kind. */
export function findOwner(people: People, kid: string): Owner | undefined {
  let owners = OWNERS.get(people);
  if (owners === undefined) {
    owners = new Map(
      people.members.flatMap((member) =>
        (["extensions", "files"] as const).flatMap((kind) =>
          member[kind].map((key) => [thumbprint(key), { member, kind, key }] as const),
        ),
      ),
    );
    OWNERS.set(people, owners);
  }
  return owners.get(kid);
}

/** Whose device this address is, or was. */
export function ownerOfAddress(people: People, address: string): string | undefined {
  const member = people.members.find((m) => m.devices.some((device) => device.address === address));
  return member?.name ?? people.former.find((one) => one.address === address)?.name;
}

/** Thumbprints of the extensions of these people. */
export function extensionsOf(people: People, names: readonly string[]): string[] {
  return names.flatMap((name) => findMember(people, name).extensions.map(thumbprint));
}

/** Somebody who has this role, a paired extension and an enrolled device: who can approve today. */
export function canDecide(people: People, name: string, role: Role | null): boolean {
  const member = people.members.find((m) => m.name === name);
  if (member === undefined || (role !== null && !member.roles.includes(role))) return false;
  return member.extensions.length > 0 && member.devices.length > 0;
}
