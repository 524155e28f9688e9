/** Turns a signed proposal into a stored request, and lets its initiator cancel it. README.md of protocol/, "Proposal". */
import { openEnvelope, payloadText } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { CANCELLATION, PROPOSAL } from "../protocol/message.ts";
import { extensionsOf, findOwner } from "../protocol/people.ts";
import { requestIdOf } from "../protocol/primitive.ts";
import { REQUEST, requestDigest, withStatement } from "../protocol/request.ts";
import { ethereum } from "./chains/ethereum.ts";
import { type Desk, newJti, requireOwnIdentity } from "./desk.ts";
import { requireNotFrozen } from "./freeze.ts";
import { fileKeyOf, requireVaultKeys } from "./motions.ts";
import { decide } from "./policy.ts";
import { waitsForRestore } from "./restoring.ts";
import { requireFewOpen, stopRequest } from "./stops.ts";
import { transferOf } from "./transfer.ts";

/** A statement longer than this is shown on more screens than people read with care. */
const STATEMENT_AIM = 400;

export interface Proposed {
  readonly request: string;
  /** False where the same proposal had made this request before. */
  readonly created: boolean;
  readonly warnings: readonly string[];
}

/**
 * Stores a request for a proposal: policy asked, transaction built and read back, nonce taken, all in one transaction.
 * The HSM signs it afterwards (advance.ts). The same proposal twice is the same request.
 * @throws Fault ERR_ENVELOPE_*, ERR_POLICY_*, ERR_TX_*, ERR_AMOUNT, ERR_STATEMENT_*
 */
export async function propose(desk: Desk, jws: string): Promise<Proposed> {
  const { journal } = desk;
  const hsm = desk.identity.signer.kid;
  const keyOf = fileKeyOf(desk);
  requireOwnIdentity(desk);
  desk.witnesses.requireWritable();
  const charter = desk.charter.require();
  const { payload: proposal } = await openEnvelope(jws, { type: PROPOSAL, keyOf, audience: hsm, now: desk.now() });
  const id = requestIdOf(await desk.hsm.random(10));
  const jti = await newJti(desk.hsm);

  return journal.transaction(() => {
    if (desk.charter.current !== charter)
      throw new Fault("ERR_REQUEST_STATE", "Policy or people changed meanwhile; propose it again.");
    const { people } = charter;
    const initiator = findOwner(people, proposal.iss)?.member.name;
    if (initiator === undefined)
      throw new Fault("ERR_MEMBER_UNKNOWN", "The proposal's key belongs to nobody any more.");
    const earlier = journal.requestOfProposal(proposal.jti);
    if (earlier !== undefined) {
      if (earlier.initiator !== initiator)
        throw new Fault("ERR_ENVELOPE_REPLAYED", "The proposal has the name of another person's; propose it again.");
      return { request: earlier.id, created: false, warnings: [] };
    }
    requireFewOpen(journal, initiator, "SEND");
    const permission = decide(charter.policy, people, {
      vault: proposal.vault,
      network: proposal.network,
      asset: proposal.asset,
      to: proposal.to,
      initiator,
    });
    const { vault } = permission;
    requireVaultKeys(desk, [vault]);
    requireNotFrozen(journal, vault.name);
    const nonce = journal.takeNonce(vault.name, proposal.network);
    const unsigned = ethereum.build(transferOf(proposal, permission, nonce));
    const { maxFeeUnits, ...effect } = ethereum.describe(unsigned, permission.network, permission.token);
    if (maxFeeUnits > permission.maxFeeUnits) {
      throw new Fault(
        "ERR_TX_FEE_CAP",
        `The fee could reach ${effect.maxFee} and the policy allows ${permission.rule.maxFee} ${permission.network.symbol}; lower the gas or the fee.`,
      );
    }
    const now = desk.now();
    const expires = Math.ceil((now + permission.rule.expiresAfter * 60) / 60) * 60;
    const documents = desk.charter.references();
    const auditors = people.members.filter((m) => m.roles.includes("auditor")).map(({ name }) => name);
    const payload = withStatement({
      v: 1,
      iss: hsm,
      aud: extensionsOf(people, [...new Set([...permission.approvers, ...auditors])]),
      jti,
      iat: now,
      exp: expires,
      request: id,
      verb: "SEND",
      vault: { id: vault.id, name: vault.name, publicKey: vault.publicKey },
      network: permission.network,
      token: permission.token,
      payee: permission.payee,
      sign: [unsigned],
      effect,
      initiator,
      quorum: {
        threshold: permission.rule.threshold,
        people: [...permission.approvers],
        vendors: permission.rule.vendors,
      },
      ...documents,
    });
    const text = payloadText(REQUEST, payload);
    const digest = requestDigest(new TextEncoder().encode(text));
    journal.addRequest({
      id,
      proposal: proposal.jti,
      proposalJws: jws,
      verb: "SEND",
      state: "proposed",
      vault: vault.name,
      network: proposal.network,
      nonce,
      initiator,
      expires,
      notBefore: null,
      at: now,
      payload: text,
      digest,
      policy: documents.policy.n,
      people: documents.people.n,
    });
    return { request: id, created: true, warnings: warningsOf(payload.statement.length) };
  });
}

/** The initiator takes a request back. @throws Fault ERR_REQUEST_UNKNOWN, ERR_REQUEST_STATE, ERR_MEMBER_ROLE */
export async function cancel(desk: Desk, jws: string): Promise<string> {
  const { journal } = desk;
  const keyOf = fileKeyOf(desk);
  const audience = desk.identity.signer.kid;
  const { payload } = await openEnvelope(jws, { type: CANCELLATION, keyOf, audience, now: desk.now() });
  journal.transaction(() => {
    const row = journal.request(payload.request);
    const person = findOwner(desk.charter.require().people, payload.iss)?.member.name;
    if (row === undefined) throw new Fault("ERR_REQUEST_UNKNOWN", `There is no request ${payload.request}.`);
    if (person === undefined || person !== row.initiator) {
      throw new Fault(
        "ERR_MEMBER_ROLE",
        `Only ${row.initiator ?? "nobody"}, who proposed it, can cancel this request; an approver can reject it.`,
      );
    }
    if (journal.recordOf(payload.jti) !== undefined) return;
    if (waitsForRestore(desk, row)) desk.witnesses.requireWritable();
    stopRequest(desk, row, "cancelled");
    journal.addRecord(row.id, {
      kind: "cancellation",
      person,
      of: payload.jti,
      at: desk.now(),
      vendor: null,
      address: null,
      reason: null,
      jws,
    });
  });
  return payload.request;
}

function warningsOf(length: number): string[] {
  return length > STATEMENT_AIM
    ? [`The statement has ${length} characters: more than ${STATEMENT_AIM} take many screens on a device.`]
    : [];
}
