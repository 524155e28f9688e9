/**
 * Is a request what its proposal and the documents in force make? README.md, "Verifying a proof", steps 7 and 8. Pure but for WebCrypto.
 * The agent asked the same before the HSM signed, and the extensions before a device did; here it follows from the proof alone.
 */
import { openEnvelope, peekEnvelope } from "./envelope.ts";
import { Fault } from "./error.ts";
import { applyMotion, type Documents, quorumFor } from "./governance.ts";
import { MOTION, PROPOSAL, type Proposal, VOUCH } from "./message.ts";
import { canDecide, findOwner, type People } from "./people.ts";
import { membersOf, type Rule } from "./policy.ts";
import type { PublicJwk } from "./primitive.ts";
import { claimsOf } from "./proof-form.ts";
import { isTransfer, type MotionRequest, motionOf, type RequestPayload, type TransferRequest } from "./request.ts";
import { gasOf } from "./signed-transaction.ts";

/** 7. Names, fee, quorum and time are what the documents give; `before` is null for a founding. @throws Fault ERR_POLICY_*, ERR_PROOF, … */
export function checkByPolicy(payload: RequestPayload, before: Documents | null): void {
  if (isTransfer(payload)) {
    if (before === null) throw differs("documents");
    checkTransfer(payload, before);
  } else checkMotion(payload, before);
}

function checkTransfer(payload: TransferRequest, { policy, people }: Documents): void {
  const { vault, network, token, quorum, initiator, effect } = payload;
  const rule = policy.rules.find((one) => one.vault === vault.name && one.network === network.id);
  if (rule === undefined) throw differs("rule: the policy has none for this vault and network");
  requireSame("vault", members(vault), members(policy.vaults.find(({ name }) => name === vault.name)));
  requireSame("network", members(network), members(policy.networks.find(({ id }) => id === network.id)));
  if (token !== null) {
    const meant = policy.tokens.find((one) => one.network === network.id && one.contract === token.contract);
    requireSame("token", members({ network: network.id, ...token }), members(meant));
  }
  const payee = policy.addressBook.find((one) => one.network === network.id && one.address === effect.to)?.name ?? null;
  requireSame("payee", payload.payee, payee);
  if (rule.destinations === "book" && payee === null) throw differs("destination, which is not in the address book");
  if (unitsOf(effect.maxFee.split(" ")[0] ?? "") > unitsOf(rule.maxFee))
    throw differs("fee, which is above the rule's");
  requireSame("quorum", quorum, quorumOf(rule, { policy, people }, initiator));
  requireSame("expiry", payload.exp, Math.ceil((payload.iat + rule.expiresAfter * 60) / 60) * 60);
  if (!people.members.some(({ name, roles }) => name === initiator && roles.includes("initiator")))
    throw differs("initiator, who may not propose");
}

function quorumOf({ approvers, threshold, vendors }: Rule, { policy, people }: Documents, initiator: string) {
  const able = membersOf(policy, approvers).filter((name) => name !== initiator && canDecide(people, name, "approver"));
  return { threshold, people: able, vendors };
}

function checkMotion(payload: MotionRequest, before: Documents | null): void {
  const motion = motionOf(payload);
  const { delay, ...quorum } = quorumFor(motion, before, payload.initiator, payload.notBefore !== null);
  requireSame("quorum", members(payload.quorum), members(quorum));
  if (delay !== null && (payload.notBefore ?? 0) < payload.iat + delay) throw differs("delay");
  applyMotion(motion, before);
}

/**
 * 8. The person who counts as its initiator proposed exactly this, with a key file. Null for a founding, and only there.
 * @throws Fault ERR_ENVELOPE_*, ERR_PROOF
 */
export async function checkProposal(jws: string | null, payload: RequestPayload, people: People): Promise<void> {
  if (jws === null || payload.verb === "FOUND") {
    if (jws !== null || payload.verb !== "FOUND") throw differs("proposal, which only a founding has none of");
    return;
  }
  // In time is what the agent found it; here it is only whose it is.
  const expected = { keyOf: fileKeyOf(people), audience: payload.iss, now: claimsOf(jws).iat };
  const { typ, kid } = peekEnvelope(jws);
  if (findOwner(people, kid)?.member.name !== payload.initiator) throw differs("initiator");
  const isRecovery = !isTransfer(payload) && payload.notBefore !== null;
  switch (typ) {
    case PROPOSAL.typ: {
      if (!isTransfer(payload)) throw differs("kind of its proposal");
      return requireProposed((await openEnvelope(jws, { type: PROPOSAL, ...expected })).payload, payload);
    }
    case MOTION.typ: {
      if (isTransfer(payload)) throw differs("kind of its proposal");
      const { motion, recovery } = (await openEnvelope(jws, { type: MOTION, ...expected })).payload;
      return requireSame("change", [payload.verb, payload.change, isRecovery], [motion.verb, motion.change, recovery]);
    }
    case VOUCH.typ: {
      if (payload.verb !== "ENROLL" || payload.change.extension === null) throw differs("kind of its proposal");
      const { name, recovery } = (await openEnvelope(jws, { type: VOUCH, ...expected })).payload;
      return requireSame("person", [payload.change.name, isRecovery], [name, recovery]);
    }
    default:
      throw differs("kind of its proposal");
  }
}

function requireProposed(proposal: Proposal, { vault, network, effect, sign }: TransferRequest): void {
  const [unsigned = ""] = sign;
  const { limit, maxFeePerGas, maxPriorityFeePerGas } = gasOf(unsigned);
  const gas = { limit: `${limit}`, maxFeePerGas: `${maxFeePerGas}`, maxPriorityFeePerGas: `${maxPriorityFeePerGas}` };
  requireSame("vault", vault.name, proposal.vault);
  requireSame("network", network.id, proposal.network);
  requireSame("asset", effect.asset, proposal.asset);
  requireSame("destination", effect.to, proposal.to);
  requireSame("gas", gas, proposal.gas);
  if (unitsOf(effect.amount) !== unitsOf(proposal.amount)) throw differs("amount");
}

/** The key of a person's file; keys of extensions propose nothing. */
export function fileKeyOf(people: People): (kid: string) => PublicJwk | undefined {
  return (kid) => {
    const owner = findOwner(people, kid);
    return owner?.kind === "files" ? owner.key : undefined;
  };
}

/** Exact decimals as whole numbers of one unit, which is smaller than any that a chain has: to be compared. */
function unitsOf(decimal: string): bigint {
  const [whole = "", fraction = ""] = decimal.split(".");
  return BigInt(whole + fraction.padEnd(100, "0"));
}

/** The members of an object in one order, whoever composed it. */
function members(value: object | undefined): unknown {
  return value === undefined ? null : Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}

function requireSame(what: string, said: unknown, meant: unknown): void {
  if (JSON.stringify(said) !== JSON.stringify(meant)) throw differs(what);
}

function differs(what: string): Fault {
  return new Fault("ERR_PROOF", `the request disagrees with its proposal or the policy on the ${what}`);
}
