/**
 * What is verified before a device is asked. protocol/README.md, "Checking a request": the numbers here are the spec's.
 * Run when a request arrives, when its page is opened, and again right before the prompt and before the approval is stored.
 * Pure but for WebCrypto: no store, no network, no clock.
 */
import { decodeJwt } from "jose";
import { openEnvelope } from "../protocol/envelope.ts";
import { Fault, isFault } from "../protocol/error.ts";
import type { PublicJwk } from "../protocol/primitive.ts";
import { REQUEST, type RequestPayload, requestDigest, statementOf } from "../protocol/request.ts";
import { type DecodedTransfer, decodeTransfer, differs } from "./decode/ethereum.ts";
import type { Pairing } from "./store.ts";

/** Whom we believe, and who we are. `hsmJwk` is pinned; `kid` our own thumbprint; `name` our own; `now` in seconds. */
export interface Trust {
  readonly hsm: string;
  readonly hsmJwk: PublicJwk;
  readonly kid: string;
  readonly name: string;
  readonly now: number;
}

export interface Checked {
  readonly payload: RequestPayload;
  /** SHA-256 of the payload's exact bytes, hex. */
  readonly digest: string;
  readonly decoded: DecodedTransfer;
  /** The exact text for the device, rendered from `decoded`. */
  readonly statement: string;
}

/** What a pairing lets us believe. @throws Fault ERR_INVITE while this browser is not paired */
export function trustOf(pairing: Pairing | null, now: number): Trust {
  if (pairing === null || pairing.state !== "paired" || pairing.hsmJwk === null || pairing.name === null) {
    throw new Fault("ERR_INVITE", "This browser is not paired with an HSM yet; pair it with an invite first.");
  }
  return { hsm: pairing.hsm, hsmJwk: pairing.hsmJwk, kid: pairing.kid, name: pairing.name, now };
}

/**
 * Verifies, decodes, compares and renders one request.
 * @throws Fault that names the step: ERR_ENVELOPE_*, ERR_TX_*, ERR_REQUEST_*, ERR_APPROVAL_*, ERR_STATEMENT_*
 */
export async function checkRequest(request: { readonly jws: string }, trust: Trust): Promise<Checked> {
  // 1. The HSM signed it, to us. Its expiry is step 7.
  const { payload, bytes } = await openRequest(request.jws, trust);
  // 2 and 3. What the bytes do, in words, from the bytes.
  const decoded = decodeTransfer(payload);
  // 4. The request says the same, field by field.
  for (const [field, said, done] of [
    ["amount", payload.effect.amount, decoded.amount],
    ["asset", payload.effect.asset, decoded.asset],
    ["destination", payload.effect.to, decoded.to],
    ["maximum fee", payload.effect.maxFee, decoded.maxFee],
    ["nonce", String(payload.effect.nonce), String(decoded.nonce)],
  ] as const) {
    if (said !== done) throw differs(field, said, done);
  }
  // 5. We may approve it.
  if (payload.initiator === trust.name) {
    throw new Fault("ERR_APPROVAL_INITIATOR", "You proposed this request yourself; others have to approve it.");
  }
  if (!payload.quorum.people.includes(trust.name)) {
    throw new Fault("ERR_APPROVAL_NOT_ELIGIBLE", "You are not among the people who may approve for this vault.");
  }
  // 6. The statement, from our own decoding, is the one that the request carries.
  const digest = requestDigest(bytes);
  const statement = statementOf(payload, decoded, digest);
  // 7. There is still time.
  if (payload.exp <= trust.now) {
    throw new Fault("ERR_REQUEST_EXPIRED", "This request has expired; its initiator can propose it again.");
  }
  return { payload, digest, decoded, statement };
}

/**
 * The request under the HSM's signature, whether or not it has expired.
 * @throws Fault ERR_ENVELOPE_*
 */
export async function openRequest(
  jws: string,
  trust: Pick<Trust, "hsm" | "hsmJwk" | "kid" | "now">,
): Promise<{ payload: RequestPayload; bytes: Uint8Array }> {
  const open = async (now: number) =>
    await openEnvelope(jws, {
      type: REQUEST,
      keyOf: (kid) => (kid === trust.hsm ? trust.hsmJwk : undefined),
      audience: trust.kid,
      now,
    });
  try {
    return await open(trust.now);
  } catch (error) {
    if (!isFault(error, "ERR_ENVELOPE_EXPIRED")) throw error;
    // Expiry is the last step, so all else has been verified: look at it as of its last second. Step 7 refuses to approve it.
    return await open((decodeJwt(jws).exp ?? 0) - 1);
  }
}
