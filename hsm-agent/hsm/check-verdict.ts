/**
 * What the answers of `opencustody hsm check` mean for this product: for each of its capabilities, whether it would work, and why. Pure.
 *
 * What a key must be is not judged here: the steps token-p256 and token-secp256k1 run the agent's own code (keys.ts).
 */

import type { Answer, Cleanup, Outcome, Outcomes, Step, Tried, Verdict } from "./check-wire.ts";
import { CAPABILITIES } from "./check-wire.ts";

/** Sessions that the agent has open at a time: eight operations, one that stays, one for making keys. */
const SESSIONS = 10;
const WRAPS = ["wrap-aes-kw", "wrap-aes-kw-pad", "wrap-aes-kwp", "wrap-aes-gcm", "wrap-aes-cbc-pad"] as const;

interface Findings {
  /** Why it does not work. */
  readonly faults: string[];
  /** What to know where it does. */
  readonly remarks: string[];
}

/** A verdict for each capability, in the order of CAPABILITIES. */
export function judge(steps: Outcomes, cleanup: Outcome<Cleanup>): Verdict[] {
  const findings: Readonly<Record<Verdict["capability"], Findings>> = {
    identity: signing(steps, "p256", "token-p256"),
    ethereum: signing(steps, "secp256k1", "token-secp256k1"),
    anchor: anchor(steps),
    backup: backup(steps),
    solana: solana(steps),
  };
  // The agent makes and removes such objects itself: one that cannot be removed concerns all that is made.
  if (!cleanup.ok) findings.anchor.remarks.push(`what was made may not have been removed: ${cleanup.reason}`);
  else if (cleanup.answer.left.length > 0) {
    findings.anchor.remarks.push(`not removed: ${cleanup.answer.left.join(", ")}`);
  }
  return CAPABILITIES.map((capability) => {
    const { faults, remarks } = findings[capability];
    if (faults.length > 0) return { capability, verdict: "does not work", reasons: faults };
    if (remarks.length > 0) return { capability, verdict: "works with a remark", reasons: remarks };
    return { capability, verdict: "works", reasons: [] };
  });
}

/** The answer of a step, or undefined where its absence is noted as a fault. */
function require<S extends Step>(steps: Outcomes, step: S, faults: string[]): Answer<S> | undefined {
  const outcome: Outcome<Answer<S>> = steps[step];
  if (outcome.ok) return outcome.answer;
  faults.push(`${step}: ${outcome.reason}`);
  return undefined;
}

function note(faults: string[], tried: Tried | undefined, what: string): void {
  if (tried?.works === false) faults.push(`${what}: ${tried.reason}`);
}

function signing(steps: Outcomes, curve: "p256" | "secp256k1", key: "token-p256" | "token-secp256k1"): Findings {
  const faults: string[] = [];
  const remarks: string[] = [];
  const name = curve === "p256" ? "P-256" : "secp256k1";
  const asked = require(steps, curve, faults);
  note(faults, asked?.generate, `a key on ${name}`);
  if (asked?.generate.works === true) {
    if (asked.point === "other" || asked.point === "none") faults.push("CKA_EC_POINT is not an uncompressed point");
    else note(faults, asked.ecdsa, "CKM_ECDSA over 32 bytes");
    // The same would be said again by the key of the token.
    const made = require(steps, key, faults);
    note(faults, made?.made, "a key of the token");
    if (made?.made.works === true) note(faults, made.found, "the key looked up in another session");
    if (made?.made.works === true) note(remarks, made.destroyed, "a key could not be destroyed");
  }
  const random = require(steps, "random", faults);
  note(faults, random?.random, "random bytes");
  const sessions = require(steps, "sessions", faults);
  if (sessions !== undefined && sessions.open + 1 < SESSIONS) {
    remarks.push(
      `the agent opens up to ${SESSIONS} sessions at a time; here ${sessions.open + 1} can be open: ${sessions.end ?? ""}`,
    );
  }
  const attributes = steps.attributes;
  if (attributes.ok) {
    for (const { attribute, result } of attributes.answer.attributes) {
      if (result !== "accepted") remarks.push(`CKA_${attribute} is ${result}`);
    }
  }
  const token = steps.token;
  if (token.ok && token.answer.pin === "tried wrongly") remarks.push("the last PIN that was tried was wrong");
  return { faults, remarks };
}

function anchor(steps: Outcomes): Findings {
  const faults: string[] = [];
  const asked = require(steps, "anchor", faults);
  note(faults, asked?.made, "a data object of 2,067 bytes");
  if (asked?.made.works === true) {
    note(faults, asked.read, "reading it");
    note(faults, asked.destroyed, "destroying it");
  }
  return { faults, remarks: [] };
}

function backup(steps: Outcomes): Findings {
  const faults: string[] = [];
  const forms: string[] = [];
  const refused: string[] = [];
  for (const step of WRAPS) {
    const outcome = steps[step];
    if (!outcome.ok) refused.push(`${step}: ${outcome.reason}`);
    else if (!outcome.answer.wrap.works) refused.push(`${step}: ${outcome.answer.wrap.reason}`);
    else if (!outcome.answer.unwrap.works) refused.push(`${step} wraps, but back: ${outcome.answer.unwrap.reason}`);
    else forms.push(step.replace("wrap-", "").toUpperCase());
  }
  if (forms.length === 0) faults.push("no AES form wraps an EC private key and brings it back", ...refused);
  const attributes = require(steps, "backup-attributes", faults);
  for (const { attribute, result, reason } of attributes?.attributes ?? []) {
    // What the agent asks of a key that may leave; the others stand under the identity.
    if (!["EXTRACTABLE", "WRAP_WITH_TRUSTED", "ALWAYS_SENSITIVE"].includes(attribute) || result === "accepted")
      continue;
    faults.push(`CKA_${attribute} is ${result}${reason === null ? "" : `: ${reason}`}`);
  }
  const trusted = require(steps, "trusted", faults);
  if (forms.length > 0) note(faults, trusted?.guards, "CKA_WRAP_WITH_TRUSTED");
  if (trusted?.user.works === true) {
    faults.push("whoever has the user's PIN can make a trusted wrapping key, so CKA_WRAP_WITH_TRUSTED guards nothing");
  }
  const remark = `by ${forms.join(", ")}; the trusted wrapping key is the security officer's to make, and was not tried`;
  return { faults, remarks: [remark] };
}

function solana(steps: Outcomes): Findings {
  const faults: string[] = [];
  const asked = require(steps, "ed25519", faults);
  note(faults, asked?.generate, "a key on Ed25519");
  if (asked?.generate.works === true) {
    if (asked.point === "none") faults.push("CKA_EC_POINT is not shown");
    else note(faults, asked.eddsa, "CKM_EDDSA");
  }
  return { faults, remarks: ["the HSM can; this release of the agent has no Solana vaults"] };
}
