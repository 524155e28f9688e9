/** Turns a signed proposal into a stored request, and lets its initiator cancel it. README.md of protocol/, "Proposal". */
import { openEnvelope, payloadText } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { CANCELLATION, PROPOSAL, type Proposal } from "../protocol/message.ts";
import { type PublicJwk, requestIdOf } from "../protocol/primitive.ts";
import { REQUEST, requestDigest, withStatement } from "../protocol/request.ts";
import { stopRequest } from "./advance.ts";
import { ethereum } from "./chains/ethereum.ts";
import { currentPeople, currentPolicy, type Desk, findVault, newJti } from "./desk.ts";
import { extensionsOf, findOwner } from "./people.ts";
import { decide } from "./policy.ts";

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
  const { payload: proposal } = await openEnvelope(jws, { type: PROPOSAL, keyOf, audience: hsm, now: desk.now() });
  const id = requestIdOf(await desk.hsm.random(10));
  const jti = await newJti(desk.hsm);

  return journal.transaction(() => {
    const people = currentPeople(journal);
    const initiator = findOwner(people, proposal.iss)?.member.name;
    if (initiator === undefined)
      throw new Fault("ERR_MEMBER_UNKNOWN", "The proposal's key belongs to nobody any more.");
    const earlier = journal.requestOfProposal(proposal.jti);
    if (earlier !== undefined) {
      if (earlier.initiator !== initiator)
        throw new Fault("ERR_ENVELOPE_REPLAYED", "The proposal has the name of another person's; propose it again.");
      return { request: earlier.id, created: false, warnings: [] };
    }
    const vault = findVault(journal, proposal.vault);
    const permission = decide(currentPolicy(journal), people, {
      vault: vault.name,
      network: proposal.network,
      asset: proposal.asset,
      initiator,
    });
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
    const policy = journal.document("policy");
    const peopleDocument = journal.document("people");
    const payload = withStatement({
      v: 1,
      iss: hsm,
      aud: extensionsOf(people, permission.approvers),
      jti,
      iat: now,
      exp: expires,
      request: id,
      verb: "SEND",
      vault: { id: vault.id, name: vault.name, publicKey: vault.publicKey },
      network: permission.network,
      token: permission.token,
      sign: [unsigned],
      effect,
      initiator,
      quorum: {
        threshold: permission.rule.threshold,
        people: [...permission.approvers],
        vendors: permission.rule.vendors,
      },
      policy: { n: policy.n, digest: policy.digest },
      people: { n: peopleDocument.n, digest: peopleDocument.digest },
    });
    const text = payloadText(REQUEST, payload);
    const digest = requestDigest(new TextEncoder().encode(text));
    journal.addRequest({
      id,
      proposal: proposal.jti,
      state: "proposed",
      vault: vault.name,
      network: proposal.network,
      nonce,
      initiator,
      expires,
      at: now,
      payload: text,
      digest,
      policy: policy.n,
      people: peopleDocument.n,
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
    const person = findOwner(currentPeople(journal), payload.iss)?.member.name;
    if (row === undefined) throw new Fault("ERR_REQUEST_UNKNOWN", `There is no request ${payload.request}.`);
    if (person === undefined || person !== row.initiator) {
      throw new Fault(
        "ERR_MEMBER_ROLE",
        `Only ${row.initiator}, who proposed it, can cancel this request; an approver can reject it.`,
      );
    }
    if (journal.recordOf(payload.jti) !== undefined) return;
    stopRequest(desk, row, "cancelled");
    journal.addRecord(row.id, {
      kind: "cancellation",
      person,
      of: payload.jti,
      at: desk.now(),
      vendor: null,
      reason: null,
      jws,
    });
  });
  return payload.request;
}

/** Keys in files propose; the keys of extensions approve, and nothing else. */
function fileKeyOf(desk: Desk): (kid: string) => PublicJwk | undefined {
  return (kid) => {
    const owner = findOwner(currentPeople(desk.journal), kid);
    return owner?.kind === "files" ? owner.key : undefined;
  };
}

function transferOf(proposal: Proposal, permission: ReturnType<typeof decide>, nonce: number) {
  const { limit, maxFeePerGas, maxPriorityFeePerGas } = proposal.gas;
  return {
    network: permission.network,
    token: permission.token,
    to: proposal.to,
    amount: proposal.amount,
    nonce,
    gas: {
      limit: BigInt(limit),
      maxFeePerGas: BigInt(maxFeePerGas),
      maxPriorityFeePerGas: BigInt(maxPriorityFeePerGas),
    },
  };
}

function warningsOf(length: number): string[] {
  return length > STATEMENT_AIM
    ? [`The statement has ${length} characters: more than ${STATEMENT_AIM} take many screens on a device.`]
    : [];
}
