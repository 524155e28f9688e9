/**
 * Is what a request says about documents, quorum and names what the charter gives? protocol/README.md, "Checking a request": the numbers
 * are the spec's. The agent decided it already, and the HSM signed it; here it is decided again from the acts that this browser has
 * verified itself. Pure.
 */
import type { Charter } from "../protocol/charter.ts";
import { Fault } from "../protocol/error.ts";
import {
  applyMotion,
  type Documents,
  type Motion,
  quorumFor,
  referencesOf,
  requireKnownPeople,
} from "../protocol/governance.ts";
import { canDecide } from "../protocol/people.ts";
import { membersOf } from "../protocol/policy.ts";
import { thumbprint } from "../protocol/primitive.ts";
import type { MotionRequest, RequestPayload, TransferRequest } from "../protocol/request.ts";
import type { DecodedTransfer } from "./decode/ethereum.ts";
import type { Trust } from "./trust.ts";

/** A transfer under the charter. `decoded` is what its bytes do. @throws Fault ERR_CHARTER, ERR_REQUEST_DIFFERS, ERR_POLICY_DENIED */
export function checkTransferMandate(
  payload: TransferRequest,
  decoded: DecodedTransfer,
  charter: Charter | null,
): void {
  // 5. It was proposed under the documents in force.
  const { people, policy } = requireInForce(payload, charter);
  // 6. Vault, network and asset are what the policy means by their names.
  const { vault, network, token, quorum, initiator } = payload;
  requireSame(
    "vault",
    vault,
    policy.vaults.find(({ name }) => name === vault.name),
  );
  requireSame(
    "network",
    network,
    policy.networks.find(({ id }) => id === network.id),
  );
  if (token !== null) {
    const meant = policy.tokens.find((one) => one.network === network.id && one.contract === token.contract);
    requireSame("token", { network: network.id, ...token }, meant);
  }
  // 7. Who receives is called what the address book calls it, and is in it where the rule asks for that.
  const payee =
    policy.addressBook.find((one) => one.network === network.id && one.address === decoded.to)?.name ?? null;
  requireSame("payee", payload.payee, payee);
  const rule = policy.rules.find((one) => one.vault === vault.name && one.network === network.id);
  if (rule === undefined) throw denied(`it has no rule for ${vault.name} on ${network.name}`);
  if (rule.destinations === "book" && payee === null) throw denied("the destination is not in its address book");
  // 8. Its fee is within the rule.
  if (!isAtMost(decoded.maxFee.split(" ")[0] ?? "", rule.maxFee))
    throw denied("the fee could pass what its rule allows");
  // 9. Who approves is who the rule says: so many, on such devices, people of its group who can, and never the initiator.
  requireSame("quorum", [quorum.threshold, quorum.vendors], [rule.threshold, rule.vendors]);
  const group = membersOf(policy, rule.approvers).filter((name) => canDecide(people, name, "approver"));
  if (!quorum.people.every((name) => group.includes(name) && name !== initiator)) {
    throw differs("quorum");
  }
  if (!people.members.some(({ name, roles }) => name === initiator && roles.includes("initiator"))) {
    throw denied(`${initiator} may not propose`);
  }
}

/** A governance request under the charter, with the documents before and after. @throws Fault ERR_CHARTER, ERR_REQUEST_DIFFERS, ERR_POLICY_*, ERR_MEMBER_*, ERR_DEVICE_*, ERR_NAME */
export function checkMotionMandate(
  payload: MotionRequest,
  motion: Motion,
  trust: Trust,
): { before: Documents | null; after: Documents } {
  // 5. It was proposed under the documents in force; a founding under its own, and only once.
  const before = motion.verb === "FOUND" ? requireUnfounded(trust) : requireInForce(payload, trust.charter);
  // 6. It can take effect, and has not yet.
  if (trust.charter?.spent.includes(payload.request) === true) {
    throw new Fault("ERR_CHARTER", "This was carried out already, and nothing is carried out twice.");
  }
  if (motion.verb === "ROTATE" && thumbprint(motion.change.to) === trust.hsm)
    throw differs("identity, which stays the same");
  const after = applyMotion(motion, before);
  if (motion.verb === "FOUND") {
    requireSame("documents", referencesOf(after), { policy: payload.policy, people: payload.people });
    requireOurselves(after, trust);
  }
  if (motion.verb === "FOUND" || motion.verb === "POLICY") requireKnownPeople(after.policy, after.people);
  // 7. Who approves is who those documents say.
  const quorum = quorumFor(motion, before, payload.initiator, payload.notBefore !== null);
  const { threshold, people, vendors } = payload.quorum;
  requireSame("quorum", [threshold, people, vendors], [quorum.threshold, quorum.people, quorum.vendors]);
  // 8. A recovery is seen by everybody for as long as the policy says.
  if (quorum.delay !== null && (payload.notBefore ?? 0) < payload.iat + quorum.delay) throw differs("delay");
  return { before, after };
}

function requireInForce(payload: RequestPayload, charter: Charter | null): Documents {
  if (charter === null) {
    throw new Fault(
      "ERR_CHARTER",
      "This browser has not yet seen who may decide what; it asks your agent for it. Try again in a minute.",
    );
  }
  const { people, policy } = charter;
  const now = referencesOf(charter);
  if (payload.policy.n > policy.n || payload.people.n > people.n) {
    throw new Fault(
      "ERR_CHARTER",
      "This request goes by a newer policy or list of people, which this browser has not yet seen. Try again in a minute.",
    );
  }
  if (payload.policy.n < policy.n || payload.people.n < people.n) {
    throw new Fault(
      "ERR_CHARTER",
      "Policy or people have changed since this was proposed; it has to be proposed again.",
    );
  }
  if (payload.policy.digest !== now.policy.digest || payload.people.digest !== now.people.digest) {
    throw new Fault(
      "ERR_CHARTER",
      "This request goes by another policy or list of people than the ones that were approved. Do not sign; tell your operator.",
    );
  }
  return { people, policy };
}

function requireUnfounded({ charter }: Trust): null {
  if (charter === null) return null;
  throw new Fault(
    "ERR_CHARTER",
    "This is founded already, and nothing is founded twice. Do not sign; tell your operator.",
  );
}

/** The founding documents must say of us what we know: this browser's key, the devices that it enrolled, the roles told at pairing. */
function requireOurselves({ people, policy }: Documents, trust: Trust): void {
  if (policy.bridge !== trust.bridge) throw differs("bridge");
  const ourselves = people.members.find(({ name }) => name === trust.name);
  if (ourselves === undefined) throw differs("list of founders, which leaves you out");
  const { extensions, devices, roles } = ourselves;
  requireSame("browser", extensions.map(thumbprint), [trust.kid]);
  requireSame("roles", roles, trust.roles);
  if (!devices.every(({ address }) => trust.devices.includes(address))) {
    throw differs("devices: one is named as yours that you did not enrol in this browser");
  }
}

function requireSame(what: string, said: unknown, meant: unknown): void {
  if (JSON.stringify(sorted(said)) !== JSON.stringify(sorted(meant))) throw differs(what);
}

/** The members of an object in one order, whoever composed it. */
function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Compares two exact decimals. */
function isAtMost(amount: string, limit: string): boolean {
  const [[whole = "", fraction = ""], [most = "", rest = ""]] = [amount.split("."), limit.split(".")];
  const digits = Math.max(fraction.length, rest.length);
  return BigInt(whole + fraction.padEnd(digits, "0")) <= BigInt(most + rest.padEnd(digits, "0"));
}

function denied(why: string): Fault {
  return new Fault(
    "ERR_POLICY_DENIED",
    `The policy does not permit this request: ${why}. Do not sign; tell your operator.`,
  );
}

function differs(what: string): Fault {
  return new Fault(
    "ERR_REQUEST_DIFFERS",
    `The request disagrees with what was approved on the ${what}. Do not sign; tell your operator.`,
  );
}
