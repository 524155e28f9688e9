/** What a proof's page says of each step, and of a result. Text only. */
import type { ProofStep, Verdict } from "../../protocol/proof.ts";

/** What each step asks. */
export const STEP_TITLES: Record<ProofStep, string> = {
  form: "It is a whole proof",
  charter: "Every change of people and policy was approved on devices",
  checkpoint: "The log is signed",
  identity: "It is the HSM that you compared",
  log: "The log holds this request",
  request: "The HSM asked for it, and its bytes do what it says",
  policy: "It is what the policy permits",
  proposal: "Its initiator proposed it",
  answers: "Every answer is that person's, with browser and device",
  outcome: "What became of it follows from the answers",
  transaction: "The transaction is what was approved",
};

/** The result in a few words, as a heading. */
export function resultHeading({ ok, proved, steps }: Verdict): string {
  const last = steps.at(-1);
  if (ok && proved !== null) return `Proved: the request is ${proved.receipt.state}`;
  return last?.name === "form" ? "This file is no proof" : "Not proved: do not rely on this file";
}
