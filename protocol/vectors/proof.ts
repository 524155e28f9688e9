/**
 * Makes proof.json: proofs of requests that ended in every way, and for each step of README.md, "Verifying a proof", proofs that it refuses:
 * the members by which they differ from a good one (`with`), or the text by which the file does (`from`, `to`), or the fingerprint.
 */
import { fingerprint, thumbprint } from "../primitive.ts";
import { encodeProof } from "../proof-form.ts";
import { good } from "./proof-fault.ts";
import { FAULTS } from "./proof-faults.ts";
import { HSM } from "./keys.ts";
import { STORIES } from "./stories.ts";

export const PROOFS = {
  /** Of the identity that signed the foundings. */
  fingerprint: fingerprint(thumbprint(HSM.jwk)),
  valid: await Promise.all(
    Object.entries(STORIES).map(async ([what, { state }]) => ({ what, state, file: encodeProof(await good(what)) })),
  ),
  refused: FAULTS,
};
