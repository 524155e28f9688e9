/**
 * Turns what somebody proposes about people, policy, freezes or the identity into a stored request. README.md of protocol/,
 * "Governance". Who must approve it, and what it does, is governance.ts of protocol/; what carries it out is enact.ts.
 */
import { isDeepStrictEqual } from "node:util";
import { requireRoom } from "../protocol/charter.ts";
import { openEnvelope, payloadText } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { applyMotion, type Motion, quorumFor, referencesOf, requireKnownPeople } from "../protocol/governance.ts";
import { MOTION } from "../protocol/message.ts";
import { findOwner } from "../protocol/people.ts";
import { parsePolicy } from "../protocol/policy.ts";
import { jwkOfPoint, type PublicJwk, requestIdOf, thumbprint } from "../protocol/primitive.ts";
import { requireProposer } from "../protocol/reach.ts";
import { REQUEST, requestDigest, withMotionStatement } from "../protocol/request.ts";
import { allExtensions, type Desk, newJti, requireOwnIdentity } from "./desk.ts";
import { OPEN_STATES } from "./requests.ts";
import { leadsOn, requireRestore } from "./restoring.ts";
import { requireFewOpen } from "./stops.ts";
import { policyVaultOf } from "./vaults.ts";
import { readBack } from "./verify.ts";

/** The founding waits so long for everybody. Seconds. */
const FOUNDING_LIFE = 7 * 86_400;

interface Moved {
  readonly request: string;
  /** False where the same proposal had made this request before. */
  readonly created: boolean;
  readonly warnings: readonly string[];
}

/** Somebody with a key file proposes a motion. @throws Fault ERR_ENVELOPE_*, ERR_MEMBER_ROLE, ERR_POLICY_*, ERR_DEVICE_*, ERR_NAME */
export async function move(desk: Desk, jws: string): Promise<Moved> {
  const audience = desk.identity.signer.kid;
  const { payload } = await openEnvelope(jws, { type: MOTION, keyOf: fileKeyOf(desk), audience, now: desk.now() });
  if (payload.motion.verb === "ROTATE") await requireHeld(desk, payload.motion.change.to);
  const initiator = proposerOf(desk, payload.iss);
  const fresh = await randomsOf(desk);
  return desk.journal.transaction(() => {
    // Asked again: people may have changed while the HSM gave its random bytes.
    proposerOf(desk, payload.iss);
    const earlier = desk.journal.requestOfProposal(payload.jti);
    if (earlier !== undefined) {
      if (earlier.initiator !== initiator)
        throw new Fault("ERR_ENVELOPE_REPLAYED", "The proposal has the name of another person's; propose it again.");
      return { request: earlier.id, created: false, warnings: [] };
    }
    checkMotion(desk, payload.motion);
    requireFewOpen(desk.journal, initiator, "motion");
    const id = storeMotion(desk, payload.motion, {
      initiator,
      recovery: payload.recovery,
      proposal: payload.jti,
      jws,
      ...fresh,
    });
    return { request: id, created: true, warnings: [] };
  });
}

/** The next identity is a key of this token, whatever the record says of it. @throws Fault ERR_STATE, ERR_HSM_KEY_MISSING */
export async function requireHeld({ journal, hsm }: Desk, to: PublicJwk): Promise<void> {
  const next = journal.meta("next-identity");
  const held = next === undefined ? undefined : jwkOfPoint((await hsm.findKey(next)).publicKey);
  if (held === undefined || thumbprint(held) !== thumbprint(to))
    throw new Fault("ERR_STATE", 'This is not the identity that this agent made; see "opencustody rotate".');
}

/** Keys in files propose; the keys of extensions approve, and nothing else. */
export function fileKeyOf(desk: Desk): (kid: string) => PublicJwk | undefined {
  return (kid) => {
    const owner = findOwner(desk.charter.require().people, kid);
    return owner?.kind === "files" ? owner.key : undefined;
  };
}

/** Whose key this is, of somebody who may propose motions, invite and vouch. @throws Fault ERR_MEMBER_ROLE, ERR_MEMBER_UNKNOWN */
export function proposerOf(desk: Desk, kid: string): string {
  const { people } = desk.charter.require();
  const name = findOwner(people, kid)?.member.name;
  if (name === undefined) throw new Fault("ERR_MEMBER_UNKNOWN", "The proposal's key belongs to nobody any more.");
  requireProposer(people, name);
  return name;
}

/** What only this agent knows: its vaults' keys, the devices that wait, the identity that it made. */
function checkMotion(desk: Desk, motion: Motion): void {
  const { journal } = desk;
  switch (motion.verb) {
    case "ENROLL": {
      const { name, extension, device } = motion.change;
      if (extension !== null)
        throw new Fault("ERR_PAIRING", "A browser is enrolled by its pairing's six words; invite the person.");
      const waits = journal.waitingDevices().some((row) => row.name === name && isDeepStrictEqual(row.device, device));
      if (device !== null && !waits)
        throw new Fault(
          "ERR_DEVICE_UNKNOWN",
          `${name} has enrolled no such device that waits; see "opencustody members".`,
        );
      return;
    }
    case "POLICY": {
      requireKnownPeople(parsePolicy(motion.change.policy), desk.charter.require().people);
      requireVaultKeys(desk, motion.change.policy.vaults);
      return;
    }
    case "ROTATE":
      if (journal.meta("next-thumbprint") !== thumbprint(motion.change.to))
        throw new Fault("ERR_STATE", 'This is not the identity that this agent made; see "opencustody rotate".');
      return;
    case "UNFREEZE":
      if (!journal.freezes().some(({ vault }) => motion.change.vault === null || vault === motion.change.vault))
        throw new Fault("ERR_STATE", "This is not frozen; there is nothing to lift.");
      return;
    case "RESTORE":
      requireRestore(desk, motion.change);
      return;
    case "REMOVE":
    case "DRILL":
    case "FOUND":
      return;
  }
}

/** A policy's vaults are keys that this HSM holds. @throws Fault ERR_VAULT_UNKNOWN */
export function requireVaultKeys(desk: Pick<Desk, "journal">, vaults: readonly { name: string }[]): void {
  const held = desk.journal.vaults().map(policyVaultOf);
  for (const vault of vaults) {
    if (!held.some((one) => isDeepStrictEqual(one, vault)))
      throw new Fault(
        "ERR_VAULT_UNKNOWN",
        `The policy's vault ${vault.name} is not a key of this HSM; see "opencustody vault list".`,
      );
  }
}

export interface Origin {
  readonly initiator: string | null;
  readonly recovery: boolean;
  /** `jti` of the message that asks for it: the same twice is the same request. */
  readonly proposal: string;
  /** That message; null for a founding. */
  readonly jws: string | null;
  readonly id: string;
  readonly jti: string;
}

/** A request id and a `jti`, of the HSM. */
export async function randomsOf(desk: Desk): Promise<Pick<Origin, "id" | "jti">> {
  return { id: requestIdOf(await desk.hsm.random(10)), jti: await newJti(desk.hsm) };
}

/**
 * Stores the request of a motion; the HSM signs it afterwards. Inside a transaction. Returns its id.
 * @throws Fault where the motion could not take effect or nobody could approve it
 */
export function storeMotion(
  desk: Desk,
  motion: Motion,
  { initiator, recovery, proposal, jws, id, jti }: Origin,
): string {
  if (!leadsOn(desk, motion.verb)) desk.witnesses.requireWritable();
  if (motion.verb !== "ROTATE") requireOwnIdentity(desk);
  const charter = desk.charter.current;
  const quorum = quorumFor(motion, charter, initiator, recovery);
  const after = applyMotion(motion, charter);
  const now = desk.now();
  const life = charter === null ? FOUNDING_LIFE : charter.policy.governance.expiresAfter * 60;
  const notBefore = quorum.delay === null ? null : wholeMinute(now + quorum.delay);
  const { policy, people } = referencesOf(charter ?? after);
  const { threshold, vendors } = quorum;
  const exp = wholeMinute((notBefore ?? now) + life);
  const payload = withMotionStatement({
    v: 1,
    iss: desk.identity.signer.kid,
    aud: allExtensions(charter ?? after),
    jti,
    iat: now,
    exp,
    request: id,
    verb: motion.verb,
    change: motion.change,
    initiator,
    quorum: { threshold, people: [...quorum.people], vendors: [...vendors] },
    notBefore,
    policy,
    people,
  });
  const text = payloadText(REQUEST, payload);
  requireRoom(text, quorum.people.length);
  desk.journal.addRequest({
    id,
    proposal,
    proposalJws: jws,
    verb: motion.verb,
    state: "proposed",
    vault: null,
    network: null,
    nonce: null,
    initiator,
    expires: exp,
    notBefore,
    at: now,
    payload: text,
    digest: requestDigest(new TextEncoder().encode(text)),
    policy: policy.n,
    people: people.n,
  });
  return id;
}

function wholeMinute(seconds: number): number {
  return Math.ceil(seconds / 60) * 60;
}

/** The open request of a motion that says exactly this, if there is one. */
export function findOpenMotion(desk: Desk, motion: Motion): string | undefined {
  return desk.journal
    .requests(OPEN_STATES)
    .filter((row) => row.verb === motion.verb)
    .find((row) => {
      const { payload } = readBack(row);
      return payload.verb !== "SEND" && isDeepStrictEqual(payload.change, motion.change);
    })?.id;
}
