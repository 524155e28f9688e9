/**
 * Verifies a proof: one request with everything that it rests on, from nothing but the file and the HSM's fingerprint. README.md,
 * "Verifying a proof": the numbers are those of the specification. Pure but for WebCrypto: offline, no clock, nothing is remembered.
 * What a transaction's bytes do is told by `decode`, a chain library of whoever asks.
 */
import type { Approver } from "./approving.ts";
import type { Applied } from "./charter.ts";
import type { TreeHead } from "./checkpoint.ts";
import { isFault } from "./error.ts";
import type { Receipt } from "./log-entry.ts";
import { fingerprint as fingerprintOf } from "./primitive.ts";
import { checkAnswers, checkOutcome } from "./proof-answers.ts";
import {
  checkNote,
  checkTransaction,
  type Decode,
  findPinned,
  readEntries,
  readRequest,
  replay,
  requireProposal,
} from "./proof-evidence.ts";
import { parseProof } from "./proof-form.ts";
import { checkByPolicy } from "./proof-mandate.ts";
import type { RequestPayload } from "./request.ts";

/** The steps, in their order. */
export const PROOF_STEPS = [
  "form",
  "charter",
  "checkpoint",
  "identity",
  "log",
  "request",
  "policy",
  "proposal",
  "answers",
  "outcome",
  "transaction",
] as const;
export type ProofStep = (typeof PROOF_STEPS)[number];

export interface Expected {
  /** The HSM's, 64 hex digits, as people compare it. */
  readonly fingerprint: string;
  readonly decode: Decode;
}

export interface StepOutcome {
  readonly name: ProofStep;
  readonly ok: boolean;
  /** What was found, or what is wrong: one sentence. */
  readonly said: string;
}

/** What a proof that holds is about. */
export interface Proved {
  readonly payload: RequestPayload;
  readonly digest: string;
  readonly statement: string;
  readonly receipt: Receipt;
  readonly approvers: readonly Approver[];
  readonly head: TreeHead;
  /** Fingerprint of the identity that signed the log: after a rotation it need not be the one that was asked for. */
  readonly signer: string;
}

export interface Verdict {
  /** Up to the first that fails; all of them where none does. */
  readonly steps: readonly StepOutcome[];
  readonly ok: boolean;
  readonly code: "ERR_PROOF" | null;
  readonly said: string;
  readonly proved: Proved | null;
}

/** What a file does not say, whoever made it: told with every proof that holds. */
export const NOT_PROVED =
  "It does not prove that the log ends there, that nothing happened to the request afterwards, that a transfer's policy and people were still in force when it was signed, that the policy was a good one, or that a transaction was sent.";

/** Verifies `file`. Never throws for what is in it: the first step that fails is in the verdict. */
export async function verifyProof(file: Uint8Array, expected: Expected): Promise<Verdict> {
  const steps: StepOutcome[] = [];
  const step = async <T>(name: ProofStep, work: () => T | Promise<T>, say: (found: T) => string): Promise<T> => {
    try {
      const found = await work();
      steps.push({ name, ok: true, said: say(found) });
      return found;
    } catch (error) {
      // Whatever a decoder throws at what is in a file, the file is refused.
      const said = isFault(error) ? error.message.replace(/[.]$/, "") : "it cannot be read";
      steps.push({ name, ok: false, said: `${said.slice(0, 1).toUpperCase()}${said.slice(1)}.` });
      throw new Refused();
    }
  };
  try {
    const proved = await verify(file, expected, step);
    const { payload, receipt } = proved;
    const by = proved.signer === expected.fingerprint ? "" : ` The log that says so is signed by ${proved.signer}.`;
    const said = `Proved: request ${payload.request} is ${receipt.state}.${by} ${NOT_PROVED}`;
    return { steps, ok: true, code: null, said, proved };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const last = steps.at(-1);
    const said = `Not proved: step "${last?.name ?? "form"}" fails. Do not rely on this file.`;
    return { steps, ok: false, code: "ERR_PROOF", said, proved: null };
  }
}

class Refused extends Error {}

type Run = <T>(name: ProofStep, work: () => T | Promise<T>, say: (found: T) => string) => Promise<T>;

async function verify(file: Uint8Array, { fingerprint, decode }: Expected, step: Run): Promise<Proved> {
  const proof = await step(
    "form",
    () => parseProof(file),
    () => "The file is a proof in its one form.",
  );
  const acts = await step("charter", () => replay(proof), sayActs);
  const { head, by } = await step(
    "checkpoint",
    () => checkNote(proof, acts),
    (noted) => `HSM identity ${fingerprintOf(noted.by)} signed the log, of ${noted.head.size} entries.`,
  );
  await step(
    "identity",
    () => findPinned(proof, acts, fingerprint),
    (whose) => `The fingerprint is that of ${whose}.`,
  );
  const logged = await step(
    "log",
    () => readEntries(proof, head),
    ({ receipt }) => `The log has request ${receipt.request} and says that it is ${receipt.state}.`,
  );
  const asked = await step(
    "request",
    () => readRequest(proof, acts, logged, decode),
    ({ judged }) => `The HSM asked for: ${judged.statement}`,
  );
  const { judged, before, people, until } = asked;
  const { payload, digest, statement } = judged;
  const { threshold } = payload.quorum;
  await step(
    "policy",
    () => checkByPolicy(payload, before),
    () => `Policy ${payload.policy.n} asks for ${threshold} of ${payload.quorum.people.join(", ")}.`,
  );
  await step(
    "proposal",
    () => requireProposal(proof, logged, asked),
    () =>
      payload.initiator === null ? "It is a founding, which nobody proposes." : `${payload.initiator} proposed it.`,
  );
  const { receipt, act } = logged;
  const approvers = await step("answers", () => checkAnswers(proof.messages, receipt, judged, people), sayApprovers);
  await step(
    "outcome",
    () => checkOutcome({ judged, receipt, approvers, act, acts, until }),
    () => `So it is ${receipt.state}${act === null ? "" : `, by act ${act.n}`}.`,
  );
  await step(
    "transaction",
    () => checkTransaction(proof, payload, receipt),
    (hash) =>
      hash === null
        ? "It has no signed transaction, and needs none."
        : `The signed transaction is what was approved, by the vault's key: ${hash}.`,
  );
  return { payload, digest, statement, receipt, approvers, head, signer: fingerprintOf(by) };
}

function sayActs(acts: readonly Applied[]): string {
  const last = acts.at(-1)?.charter;
  if (last === undefined) return "Nothing was founded yet, so there are no acts.";
  const count = acts.length === 1 ? "The founding leads" : `${acts.length} acts from the founding on lead`;
  return `${count} to policy ${last.policy.n} and people ${last.people.n}.`;
}

function sayApprovers(approvers: readonly Approver[]): string {
  if (approvers.length === 0) return "No approval counts.";
  const each = approvers.map(({ name, vendor, address }) => `${name} on a ${vendor} (${address})`);
  return `Approved by ${each.join(", ")}.`;
}
