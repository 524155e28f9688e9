/** Whether enough people can decide, with the devices that they have today. README.md, "Governance". Pure. */
import { Fault } from "./error.ts";
import { canDecide, findMember, type Member, type People } from "./people.ts";
import type { Policy } from "./policy.ts";
import type { VendorDemand } from "./vendor.ts";

interface Asked {
  readonly threshold: number;
  readonly people: readonly string[];
  readonly vendors: readonly VendorDemand[];
}

/** The quorum as it is, if it can be reached. @throws Fault ERR_POLICY_QUORUM */
export function requireReach<Q extends Asked>(people: People, quorum: Q): Q {
  if (quorum.people.length > 64)
    throw new Fault("ERR_POLICY_QUORUM", "More than 64 people could decide this; a request names at most 64.");
  if (quorum.people.length < quorum.threshold)
    throw new Fault(
      "ERR_POLICY_QUORUM",
      `This needs ${quorum.threshold} people and only ${quorum.people.length} can decide now (the initiator never counts); enrol another device or person.`,
    );
  if (!canMeet(people, quorum.people, quorum.vendors)) {
    const asked = quorum.vendors.map(({ vendor, atLeast }) => `${atLeast} with a ${vendor}`).join(" and ");
    throw new Fault("ERR_POLICY_QUORUM", `This needs ${asked}, and too few have one; enrol another device.`);
  }
  return quorum;
}

/**
 * Somebody can propose, and without them enough admins can decide: whatever else is wrong can then be changed.
 * @throws Fault ERR_POLICY_QUORUM
 */
export function requireDeciders(people: People, { threshold, vendors }: Policy["governance"]): void {
  const admins = people.members.map(({ name }) => name).filter((name) => canDecide(people, name, "admin"));
  if (admins.length > 64)
    throw new Fault("ERR_POLICY_QUORUM", "More than 64 admins could decide; a request names at most 64.");
  const proposers = people.members.filter(canPropose).map(({ name }) => name);
  const isOpen = proposers.some((proposer) => {
    const others = admins.filter((name) => name !== proposer);
    return others.length >= threshold && canMeet(people, others, vendors);
  });
  if (!isOpen)
    throw new Fault(
      "ERR_POLICY_QUORUM",
      `An initiator or admin with a key file must be able to propose, and ${threshold} other admins to decide on the devices that the policy asks for; else nobody could change anything any more.`,
    );
}

/** Who proposes a change is a member who may, with a key file. @throws Fault ERR_MEMBER_ROLE */
export function requireProposer(people: People, initiator: string | null): void {
  const member = people.members.find(({ name }) => name === initiator);
  if (member === undefined || !canPropose(member))
    throw new Fault(
      "ERR_MEMBER_ROLE",
      `${initiator ?? "Nobody"} may not propose; an initiator or an admin with a key file can.`,
    );
}

/** Who may propose a change: an initiator or an admin, with a key file. */
function canPropose({ roles, files }: Member): boolean {
  return files.length > 0 && (roles.includes("initiator") || roles.includes("admin"));
}

/** Whether enough of these people have a device of each vendor. The threshold, which everybody with a device counts to, covers both together. */
function canMeet(people: People, names: readonly string[], demands: readonly VendorDemand[]): boolean {
  const members = names.map((name) => findMember(people, name));
  return demands.every(({ vendor, atLeast }) => {
    return members.filter((m) => m.devices.some((d) => d.vendor === vendor)).length >= atLeast;
  });
}
