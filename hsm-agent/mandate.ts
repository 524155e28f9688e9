/**
 * Does a stored request say what somebody who may propose signed, and no more than the policy permits? Derived again from the proposal
 * itself, so that a request that an edited record holds is worth nothing. README.md of protocol/, "Verifying approvals".
 */
import { isDeepStrictEqual } from "node:util";
import type { Charter } from "../protocol/charter.ts";
import { peekEnvelope } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { MOTION, type MotionMessage, PROPOSAL, type Proposal, VOUCH, type Vouch } from "../protocol/message.ts";
import { findOwner } from "../protocol/people.ts";
import { isTransfer, type MotionRequest, type RequestPayload, type TransferRequest } from "../protocol/request.ts";
import { wordsOfPairing } from "../protocol/words.ts";
import { ethereum } from "./chains/ethereum.ts";
import type { Desk } from "./desk.ts";
import { fileKeyOf, proposerOf } from "./motions.ts";
import { openOnce } from "./opened.ts";
import { decide } from "./policy.ts";
import type { RequestRow } from "./rows.ts";
import { transferOf } from "./transfer.ts";

/** What a request was made from: opened and verified. null: a founding, which nobody proposes. */
export type Mandate =
  | { readonly kind: "proposal"; readonly message: Proposal }
  | { readonly kind: "motion"; readonly message: MotionMessage }
  | { readonly kind: "vouch"; readonly message: Vouch }
  | null;

/** Requests that are what this proposal makes under these documents. */
const FITTING = new WeakMap<TransferRequest, { readonly charter: Charter; readonly message: Proposal }>();

/** @throws Fault ERR_STATE, ERR_ENVELOPE_* */
export async function openMandate(desk: Desk, row: RequestRow): Promise<Mandate> {
  const { proposalJws } = row;
  if (row.verb === "FOUND" && proposalJws === null) return null;
  if (proposalJws === null) throw changed("it has no proposal");
  // It was in time when it was stored.
  const expected = { keyOf: fileKeyOf(desk), audience: desk.identity.signer.kid, now: row.at };
  const { typ } = peekEnvelope(proposalJws);
  switch (typ) {
    case PROPOSAL.typ:
      return { kind: "proposal", message: await openOnce(proposalJws, { type: PROPOSAL, ...expected }) };
    case MOTION.typ:
      return { kind: "motion", message: await openOnce(proposalJws, { type: MOTION, ...expected }) };
    case VOUCH.typ:
      return { kind: "vouch", message: await openOnce(proposalJws, { type: VOUCH, ...expected }) };
    default:
      throw changed("its proposal is of another type");
  }
}

/** The request is the one that its mandate and the policy in force make. @throws Fault ERR_STATE, ERR_POLICY_*, ERR_MEMBER_ROLE */
export function requireMandate(desk: Desk, row: RequestRow, payload: RequestPayload, mandate: Mandate): void {
  if (payload.verb === "FOUND" && mandate === null) return;
  if (mandate === null) throw changed("it has no proposal");
  const { people } = desk.charter.require();
  const initiator = findOwner(people, mandate.message.iss)?.member.name;
  if (mandate.message.jti !== row.proposal || initiator === undefined || initiator !== payload.initiator)
    throw changed("it is not its proposal's");
  if (isTransfer(payload)) {
    if (mandate.kind !== "proposal") throw changed("its proposal is of another type");
    // All of it is immutable: what was so under these documents is so.
    const known = FITTING.get(payload);
    if (known?.charter === desk.charter.current && known?.message === mandate.message) return;
    requireTransfer(desk, payload, mandate.message);
    FITTING.set(payload, { charter: desk.charter.require(), message: mandate.message });
  } else {
    proposerOf(desk, mandate.message.iss);
    requireMotion(desk, payload, mandate);
  }
}

/** Rule, quorum, names, bytes and fee, all derived again. */
function requireTransfer(desk: Desk, payload: TransferRequest, proposal: Proposal): void {
  const { policy, people } = desk.charter.require();
  const { vault, network, asset, to } = proposal;
  const initiator = payload.initiator;
  const permission = decide(policy, people, { vault, network, asset, to, initiator });
  const unsigned = ethereum.build(transferOf(proposal, permission, payload.effect.nonce));
  const { maxFeeUnits } = ethereum.describe(unsigned, permission.network, permission.token);
  const { rule, approvers } = permission;
  const { id, name, publicKey } = permission.vault;
  const exp = Math.ceil((payload.iat + rule.expiresAfter * 60) / 60) * 60;
  const same =
    isDeepStrictEqual(payload.sign, [unsigned]) &&
    isDeepStrictEqual(payload.vault, { id, name, publicKey }) &&
    isDeepStrictEqual(payload.network, permission.network) &&
    isDeepStrictEqual(payload.token, permission.token) &&
    payload.payee === permission.payee &&
    isDeepStrictEqual(payload.quorum, { threshold: rule.threshold, people: [...approvers], vendors: rule.vendors }) &&
    maxFeeUnits <= permission.maxFeeUnits &&
    payload.exp === exp;
  if (!same) throw changed("it is not what its proposal and the policy make");
}

/** A motion says what was proposed. Who decides it, and what it does, applyAct derives for everybody. */
function requireMotion(desk: Desk, payload: MotionRequest, mandate: NonNullable<Mandate>): void {
  const isRecovery = payload.notBefore !== null;
  if (mandate.kind === "motion") {
    const { motion, recovery } = mandate.message;
    if (motion.verb !== payload.verb || !isDeepStrictEqual(motion.change, payload.change) || recovery !== isRecovery)
      throw changed("it is not its proposal's");
    return;
  }
  if (mandate.kind !== "vouch" || payload.verb !== "ENROLL") throw changed("its proposal is of another type");
  const { name, roles, extension: key, device, file } = payload.change;
  const { words, recovery } = mandate.message;
  // The words that were read aloud commit to the rest.
  const pairing = key === null ? undefined : desk.journal.pairings().find((one) => isDeepStrictEqual(one.key, key));
  if (pairing === undefined || key === null || device === null || file !== null) throw changed("it is of no pairing");
  const { address } = device;
  const heard = wordsOfPairing({ hsm: payload.iss, key, seal: pairing.seal, name, roles, address });
  if (words !== heard || mandate.message.name !== name || recovery !== isRecovery)
    throw changed("its words are another pairing's");
}

function changed(what: string): Fault {
  return new Fault(
    "ERR_STATE",
    `A stored request is not one that was proposed (${what}); the agent's record was changed. Nothing is signed.`,
  );
}
