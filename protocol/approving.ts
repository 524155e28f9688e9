/**
 * Does an approval count, and do they make a quorum? README.md, "Verifying approvals": the numbers are those of the specification. Pure.
 * Used by the agent for every request, and by agent and extensions alike for the acts of the charter.
 */
import { recoverSigner } from "./device-signature.ts";
import { Fault } from "./error.ts";
import type { Approval } from "./message.ts";
import { findOwner, type People } from "./people.ts";
import type { RequestPayload } from "./request.ts";
import { unmetDemands, type Vendor } from "./vendor.ts";

/** Somebody whose approval counts, and the vendor that the enrolling people asserted of the device used. */
export interface Approver {
  readonly name: string;
  readonly vendor: Vendor;
  readonly address: string;
}

/** A request, the SHA-256 of its payload's bytes, and its statement, derived by whoever judges. */
export interface Judged {
  readonly payload: RequestPayload;
  readonly digest: string;
  readonly statement: string;
}

/** The address whose key signed a statement; `recoverSigner`, or whoever answers exactly as it does. @throws Fault ERR_APPROVAL_SIGNATURE */
export type SignerOf = (statement: string, signature: string) => string;

/**
 * Whether one approval counts, and whose it is, by the people whom the request names (of a founding, its own). The agent has a faster
 * `signerOf`.
 * @throws Fault ERR_APPROVAL_*
 */
export function checkApproval(
  approval: Approval,
  { payload, digest, statement }: Judged,
  people: People,
  signerOf: SignerOf = recoverSigner,
): Approver {
  // 1. It is for this request and for exactly these bytes.
  if (approval.request !== payload.request || approval.digest !== digest) {
    throw new Fault(
      "ERR_APPROVAL_DIGEST",
      "The approval is for another request than the one it names; open the request again.",
    );
  }
  // It lasts as long as its request, so that whoever counts it later, an act's verifier too, finds it in time.
  if (approval.exp < payload.exp)
    throw new Fault("ERR_ENVELOPE_EXPIRED", "The approval ends before its request does; approve again.");
  // 2. The extension's key belongs to a person.
  const owner = findOwner(people, approval.iss);
  if (owner === undefined || owner.kind !== "extensions") {
    throw new Fault("ERR_APPROVAL_NOT_ELIGIBLE", "This browser is not enrolled as an approver's; pair it first.");
  }
  const { name } = owner.member;
  // 3. The initiator never counts, whatever else they are.
  if (name === payload.initiator) {
    throw new Fault("ERR_APPROVAL_INITIATOR", "You proposed this request, so somebody else must approve it.");
  }
  // 4. The person is in the quorum that the payload names.
  if (!payload.quorum.people.includes(name) || !payload.aud.includes(approval.iss)) {
    throw new Fault(
      "ERR_APPROVAL_NOT_ELIGIBLE",
      "You are not among the people who decide on this; nothing is needed from you.",
    );
  }
  // 5. The device is this person's, enrolled, and its signature is over the statement.
  const device = owner.member.devices.find((d) => d.address === approval.address);
  if (device === undefined) {
    throw new Fault("ERR_APPROVAL_DEVICE", "This device is not enrolled for you; use the one that is, or enrol it.");
  }
  if (signerOf(statement, approval.signature) !== device.address) {
    throw new Fault(
      "ERR_APPROVAL_SIGNATURE",
      "The device's signature is not over this statement; sign again on the device.",
    );
  }
  return { name, vendor: device.vendor, address: device.address };
}

/** What the quorum that the payload names still lacks, in words; undefined where it is complete. `counted`: different people. */
export function missingOf(
  { quorum }: Pick<RequestPayload, "quorum">,
  counted: readonly Approver[],
): string | undefined {
  const people = new Map(counted.map((approver) => [approver.name, approver]));
  if (people.size < quorum.threshold) return `${quorum.threshold} people must approve and ${people.size} did`;
  const [unmet] = unmetDemands(
    quorum.vendors,
    [...people.values()].map(({ vendor }) => vendor),
  );
  return unmet === undefined ? undefined : `${unmet.atLeast} more must approve on a ${unmet.vendor}`;
}
