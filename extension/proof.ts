/**
 * Proofs in the extension: protocol/proof.ts with this side's decoder, and the fingerprint as people type it. protocol/README.md,
 * "Verifying a proof". Needs no pairing, no store and no network.
 */
import { type Verdict, verifyProof } from "../protocol/proof.ts";
import type { Effect, TransferRequest } from "../protocol/request.ts";
import { decodeTransfer } from "./decode/ethereum.ts";

/** What a transfer's bytes do, by this side's own decoder. @throws Fault ERR_TX_*, ERR_REQUEST_DIFFERS */
export function effectOf(request: TransferRequest): Effect {
  const { amount, asset, to, maxFee, nonce } = decodeTransfer(request);
  return { amount, asset, to, maxFee, nonce };
}

/** The 64 hex digits in what somebody typed or pasted, in groups or not; undefined where it is no fingerprint. */
export function typedFingerprint(typed: string): string | undefined {
  const digits = typed.replaceAll(/[\s:.-]/g, "").toLowerCase();
  return /^[0-9a-f]{64}$/.test(digits) ? digits : undefined;
}

/** Verifies a file under a fingerprint that `typedFingerprint` gave. */
export async function verifyFile(file: Uint8Array, fingerprint: string): Promise<Verdict> {
  return await verifyProof(file, { fingerprint, decode: effectOf });
}
