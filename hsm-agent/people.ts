/**
 * The people document: who has which keys and devices. README.md of protocol/, "People". Pure: every change is a new
 * document. A device's address belongs to one person for ever, also after that person is gone.
 */
import * as v from "valibot";
import { Fault } from "../protocol/error.ts";
import { type DeviceRecord, DeviceRecordSchema, type Role, RoleSchema } from "../protocol/message.ts";
import { findLookAlikes, NameSchema } from "../protocol/name.ts";
import { OrdinalSchema, type PublicJwk, PublicJwkSchema, thumbprint } from "../protocol/primitive.ts";

const MemberSchema = v.strictObject({
  name: NameSchema,
  roles: v.pipe(v.array(RoleSchema), v.minLength(1)),
  /** Keys of paired extensions: they approve. */
  extensions: v.array(PublicJwkSchema),
  /** Keys in files: they propose. */
  files: v.array(PublicJwkSchema),
  devices: v.array(DeviceRecordSchema),
});
export type Member = v.InferOutput<typeof MemberSchema>;

export const PeopleSchema = v.strictObject({ v: v.literal(1), n: OrdinalSchema, members: v.array(MemberSchema) });
export type People = v.InferOutput<typeof PeopleSchema>;

/** Devices that wait for confirmation: kept beside the people document, which holds only what counts. */
export const PendingSchema = v.strictObject({
  n: OrdinalSchema,
  devices: v.array(v.strictObject({ name: NameSchema, device: DeviceRecordSchema })),
});
export type Pending = v.InferOutput<typeof PendingSchema>;

/** The people with the devices of theirs that wait. */
export function withPending(people: People, pending: Pending): People {
  const waitingOf = (name: string) => pending.devices.filter((row) => row.name === name).map(({ device }) => device);
  const members = people.members.map((member) => ({
    ...member,
    devices: [...member.devices, ...waitingOf(member.name)],
  }));
  return { ...people, members };
}

/** Inverse of `withPending`: what counts, and what waits. */
export function splitPending(people: People): { people: People; devices: Pending["devices"] } {
  const isWaiting = (device: DeviceRecord) => device.state === "pending";
  return {
    people: {
      ...people,
      members: people.members.map((m) => ({ ...m, devices: m.devices.filter((device) => !isWaiting(device)) })),
    },
    devices: people.members.flatMap(({ name, devices }) =>
      devices.filter(isWaiting).map((device) => ({ name, device })),
    ),
  };
}

export const NOBODY: People = { v: 1, n: 1, members: [] };

/** Adds a person, or gives an existing one a further key and role. @throws Fault ERR_MEMBER_EXISTS, ERR_NAME */
export function addKey(
  people: People,
  name: string,
  roles: readonly Role[],
  kind: "extensions" | "files",
  key: PublicJwk,
): People {
  if (findOwner(people, thumbprint(key)) !== undefined) {
    throw new Fault("ERR_MEMBER_EXISTS", "This key belongs to somebody already; make a new one.");
  }
  const existing = people.members.find((member) => member.name === name);
  const member: Member = existing ?? { name, roles: [], extensions: [], files: [], devices: [] };
  const alike = findLookAlikes([...people.members.filter((m) => m !== existing).map((m) => m.name), name]);
  if (alike !== undefined) {
    throw new Fault("ERR_NAME", `${alike[1]} looks like ${alike[0]}, who is a member already; choose another name.`);
  }
  const changed: Member = {
    ...member,
    roles: [...new Set([...member.roles, ...roles])],
    [kind]: [...member[kind], key],
  };
  return replace(people, changed);
}

/** Devices of one person that may wait for confirmation. */
const PENDING_MAX = 4;

/** Adds a device that waits for confirmation. The same again changes nothing. @throws Fault ERR_DEVICE_TAKEN, ERR_DEVICE_LIMIT */
export function addDevice(people: People, name: string, device: Omit<DeviceRecord, "state">): People {
  requireFree(people, name, device.address);
  const member = findMember(people, name);
  if (member.devices.some(({ address }) => address === device.address)) return people;
  if (member.devices.filter(({ state }) => state === "pending").length >= PENDING_MAX)
    throw new Fault(
      "ERR_DEVICE_LIMIT",
      `${PENDING_MAX} of your devices wait to be confirmed already; have your operator confirm the right one.`,
    );
  return replace(people, { ...member, devices: [...member.devices, { ...device, state: "pending" }] });
}

/** The operator read the whole address over another channel: the device counts from now on. @throws Fault ERR_DEVICE_UNKNOWN */
export function confirmDevice(people: People, name: string, address: string): People {
  const member = findMember(people, name);
  if (!member.devices.some((device) => device.address === address)) {
    throw new Fault(
      "ERR_DEVICE_UNKNOWN",
      `${name} has no device with this address; compare every character, and do not confirm what differs.`,
    );
  }
  requireFree(people, name, address);
  const confirmed = replace(people, {
    ...member,
    devices: member.devices.map((device) => (device.address === address ? { ...device, state: "enrolled" } : device)),
  });
  // Whoever else waits with this address waits in vain: it belongs to one person for ever.
  const members = confirmed.members.map((m) =>
    m.name === name ? m : { ...m, devices: m.devices.filter((device) => device.address !== address) },
  );
  return { ...confirmed, members };
}

/** An address that counts for one person is nobody else's. One that only waits takes it from nobody. @throws Fault ERR_DEVICE_TAKEN */
function requireFree(people: People, name: string, address: string): void {
  const isOwner = (m: Member) => m.devices.some((d) => d.address === address && d.state === "enrolled");
  if (people.members.some((member) => member.name !== name && isOwner(member))) {
    throw new Fault("ERR_DEVICE_TAKEN", "This device is another person's already; use one of your own.");
  }
}

/** @throws Fault ERR_MEMBER_UNKNOWN */
export function findMember(people: People, name: string): Member {
  const member = people.members.find((m) => m.name === name);
  if (member === undefined) {
    throw new Fault("ERR_MEMBER_UNKNOWN", `Nobody is called ${name}; see "opencustody members".`);
  }
  return member;
}

/** Whose key this is, and of which kind. */
export function findOwner(
  people: People,
  kid: string,
): { member: Member; kind: "extensions" | "files"; key: PublicJwk } | undefined {
  for (const member of people.members) {
    for (const kind of ["extensions", "files"] as const) {
      const key = member[kind].find((k) => thumbprint(k) === kid);
      if (key !== undefined) return { member, kind, key };
    }
  }
  return undefined;
}

/** Thumbprints of the extensions of these people: to whom a request is addressed. */
export function extensionsOf(people: People, names: readonly string[]): string[] {
  return names.flatMap((name) => findMember(people, name).extensions.map(thumbprint));
}

function replace(people: People, member: Member): People {
  const known = people.members.some((m) => m.name === member.name);
  const members = known
    ? people.members.map((m) => (m.name === member.name ? member : m))
    : [...people.members, member];
  return { ...people, n: people.n + 1, members };
}
