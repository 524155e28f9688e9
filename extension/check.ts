/**
 * What is verified before a device is asked. protocol/README.md, "Checking a request": the numbers here are the spec's.
 * `inspectRequest` when a request arrives, `readRequest` when its page is opened, `checkRequest` right before the prompt and before
 * the approval is stored. Pure but for WebCrypto: no store, no network, no clock.
 */
import { decodeJwt } from "jose";
import * as v from "valibot";
import { openEnvelope } from "../protocol/envelope.ts";
import { Fault, isFault } from "../protocol/error.ts";
import { CHANGES, type Documents, type Motion } from "../protocol/governance.ts";
import type { Freezes } from "../protocol/message.ts";
import { type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import {
  isTransfer,
  type MotionRequest,
  motionOf,
  motionStatementOf,
  REQUEST,
  type RequestPayload,
  requestDigest,
  statementOf,
  type TransferRequest,
} from "../protocol/request.ts";
import { type DecodedTransfer, decodeTransfer, differs } from "./decode/ethereum.ts";
import { requireNoAlarm } from "./log-alarm.ts";
import { checkMotionMandate, checkTransferMandate } from "./mandate.ts";
import type { Trust } from "./trust.ts";

interface Inspected {
  /** SHA-256 of the payload's exact bytes, hex. */
  readonly digest: string;
  /** The exact text for the device, derived here. */
  readonly statement: string;
}

export interface InspectedTransfer extends Inspected {
  readonly kind: "transfer";
  readonly payload: TransferRequest;
  readonly decoded: DecodedTransfer;
  readonly byNextIdentity: false;
}

export interface InspectedMotion extends Inspected {
  readonly kind: "motion";
  readonly payload: MotionRequest;
  readonly motion: Motion;
  /** A rotation that the next identity signed, and the pinned one did not. */
  readonly byNextIdentity: boolean;
}

export type CheckedTransfer = InspectedTransfer;

/** `before` is null for the founding. */
export interface CheckedMotion extends InspectedMotion {
  readonly before: Documents | null;
  readonly after: Documents;
}

export type Checked = CheckedTransfer | CheckedMotion;

/** Steps 1 to 4: what is wrong with a request whoever reads it, and whenever. @throws Fault ERR_ENVELOPE_*, ERR_TX_*, ERR_REQUEST_DIFFERS, ERR_STATEMENT_* */
export async function inspectRequest(
  request: { readonly jws: string },
  trust: Trust,
): Promise<InspectedTransfer | InspectedMotion> {
  // 1. The pinned HSM identity signed it, to us; or, of a rotation, the next one. Its expiry is step 12.
  const { payload, bytes } = await openRequest(request.jws, trust);
  const digest = requestDigest(bytes);
  if (!isTransfer(payload)) {
    const motion = motionOf(payload);
    const byNextIdentity = payload.iss !== trust.hsm;
    // 4. The statement, from the change itself, is the one that the request carries.
    return { kind: "motion", payload, motion, digest, statement: motionStatementOf(payload, digest), byNextIdentity };
  }
  // 2. What the bytes do, in words, from the bytes.
  const decoded = decodeTransfer(payload);
  // 3. The request says the same, field by field.
  for (const [field, said, done] of [
    ["amount", payload.effect.amount, decoded.amount],
    ["asset", payload.effect.asset, decoded.asset],
    ["destination", payload.effect.to, decoded.to],
    ["maximum fee", payload.effect.maxFee, decoded.maxFee],
    ["nonce", String(payload.effect.nonce), String(decoded.nonce)],
  ] as const) {
    if (said !== done) throw differs(field, said, done);
  }
  // 4. The statement, from our own decoding, is the one that the request carries.
  const statement = statementOf(payload, decoded, digest);
  return { kind: "transfer", payload, decoded, digest, statement, byNextIdentity: false };
}

/** Steps 1 to 9: all but who we are and when. Whoever may see a request may read it. @throws Fault of inspectRequest; ERR_CHARTER, ERR_REQUEST_DIFFERS, ERR_POLICY_*, ERR_MEMBER_*, … */
export async function readRequest(request: { readonly jws: string }, trust: Trust): Promise<Checked> {
  const inspected = await inspectRequest(request, trust);
  if (inspected.kind === "motion") {
    return { ...inspected, ...checkMotionMandate(inspected.payload, inspected.motion, trust) };
  }
  checkTransferMandate(inspected.payload, inspected.decoded, trust.charter);
  return inspected;
}

/** All steps: it may be put before our device. @throws Fault of readRequest; ERR_APPROVAL_INITIATOR, ERR_APPROVAL_NOT_ELIGIBLE, ERR_LOG, ERR_FROZEN, ERR_REQUEST_EXPIRED */
export async function checkRequest(request: { readonly jws: string }, trust: Trust): Promise<Checked> {
  const checked = await readRequest(request, trust);
  const { payload } = checked;
  // 10. We may approve it.
  if (payload.initiator === trust.name) {
    throw new Fault("ERR_APPROVAL_INITIATOR", "You proposed this request yourself; others have to approve it.");
  }
  if (!payload.quorum.people.includes(trust.name)) {
    throw new Fault("ERR_APPROVAL_NOT_ELIGIBLE", "You are not among the people who decide on this request.");
  }
  // 11. It is not stopped, and the agent's log goes on from what has been seen of it.
  requireNoAlarm(trust.alarm, payload.verb);
  if (isTransfer(payload)) requireNotFrozen(trust.freezes, payload.vault.name);
  // 12. There is still time.
  if (payload.exp <= trust.now) {
    throw new Fault("ERR_REQUEST_EXPIRED", "This request has expired; its initiator can propose it again.");
  }
  return checked;
}

/** Whether a vault is frozen, by itself or with everything else. */
export function isFrozen(freezes: Freezes | null, vault: string): boolean {
  return (freezes?.freezes ?? []).some((freeze) => freeze.vault === null || freeze.vault === vault);
}

/** @throws Fault ERR_FROZEN */
export function requireNotFrozen(freezes: Freezes | null, vault: string): void {
  if (!isFrozen(freezes, vault)) return;
  throw new Fault("ERR_FROZEN", `${vault} is frozen; nothing is approved until the admins lift that.`);
}

/**
 * The request under the HSM's signature, whether or not it has expired. Another identity than the pinned one may sign its own rotation
 * and nothing else: the devices' signatures are what will carry it.
 * @throws Fault ERR_ENVELOPE_*
 */
export async function openRequest(
  jws: string,
  trust: Pick<Trust, "hsm" | "hsmJwk" | "kid" | "now">,
): Promise<{ payload: RequestPayload; bytes: Uint8Array }> {
  const next = claimedRotation(jws);
  const keyOf = (kid: string): PublicJwk | undefined => {
    if (kid === trust.hsm) return trust.hsmJwk;
    return next !== undefined && kid === thumbprint(next) ? next : undefined;
  };
  const open = async (now: number) => await openEnvelope(jws, { type: REQUEST, keyOf, audience: trust.kid, now });
  try {
    return await open(trust.now);
  } catch (error) {
    if (!isFault(error, "ERR_ENVELOPE_EXPIRED")) throw error;
    // Expiry is the last step, so all else has been verified: look at it as of its last second. Step 12 refuses to approve it.
    return await open((decodeJwt(jws).exp ?? 0) - 1);
  }
}

/** The next identity that a request claims to make. Unverified, and of use only as the key that must then have signed it. */
function claimedRotation(jws: string): PublicJwk | undefined {
  try {
    const { verb, change } = decodeJwt(jws);
    return verb === "ROTATE" && v.is(CHANGES.ROTATE, change) ? change.to : undefined;
  } catch {
    return undefined;
  }
}
