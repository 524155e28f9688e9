/** How a proof that is refused comes of a good one: the file is changed, or another story is told and signed like a good one. */
import type { Proof } from "../proof-form.ts";
import type { ProofStep } from "../proof.ts";
import type { TransferRequest } from "../request.ts";
import { FOUNDED, STORIES } from "./stories.ts";
import { type Answer, proposalOf, signedForm, type Story, tell, transfer } from "./story.ts";
import { ada } from "./world.ts";

/** `of`: the good proof that it differs from. `fingerprint`: another than that proof's. */
export interface Fault {
  readonly what: string;
  readonly step: ProofStep;
  readonly of: string;
  readonly with?: object;
  readonly from?: string;
  readonly to?: string;
  readonly fingerprint?: string;
}

export const PAY = "a token, signed";
const told = new Map<string, Proof>();

/** A good proof, told once. */
export async function good(of: string): Promise<Proof> {
  const known = told.get(of);
  if (known !== undefined) return known;
  const proof = await tell(storyOf(of));
  told.set(of, proof);
  return proof;
}

export function storyOf(of: string): Story {
  const story = STORIES[of];
  if (story === undefined) throw new RangeError(`no story ${of}`);
  return story;
}

/** The file's text changed. */
export const text = (what: string, from: string, to: string, of = PAY): Fault => ({ what, step: "form", of, from, to });
/** Members changed in the file alone. */
export const changed = async (step: ProofStep, what: string, change: (proof: Proof) => Partial<Proof>, of = PAY): Promise<Fault> => ({
  what,
  step,
  of,
  with: change(await good(of)),
});
/** Another story is told: what differs is what changes. */
export async function otherwise(step: ProofStep, what: string, change: Partial<Story>, of = PAY): Promise<Fault> {
  const [before, after] = [await good(of), await tell({ ...storyOf(of), ...change })];
  const differs = Object.entries(after).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name as keyof Proof]));
  return { what, step, of, with: Object.fromEntries(differs) };
}
/** The HSM signs a transfer that says this, and all the rest is done for it. */
export async function asked(step: ProofStep, what: string, change: Partial<TransferRequest>, rest: Partial<Story> = {}, proposal: object = {}) {
  const request = transfer("pay", FOUNDED, change);
  const made = { request, proposal: await proposalOf(request, proposal), signed: rest.signed ?? signedForm(request), ...rest };
  return await otherwise(step, what, made);
}
export const answered = async (what: string, answers: Answer[], of = PAY) => await otherwise("answers", what, { answers }, of);
export const ended = async (what: string, change: Partial<Story>, of = PAY) => await otherwise("outcome", what, change, of);
export const proposed = async (what: string, proposal: string | null, proposer?: string) =>
  await otherwise("proposal", what, { proposal, ...(proposer === undefined ? {} : { proposer }) });
export const one = (kind: Answer["kind"], by = ada, message: object = {}, record: object = {}): Answer => ({ kind, by, message, record });
