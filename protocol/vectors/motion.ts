/** Makes the requests of governance, their approvals and the acts that come of them: as an agent would, unless told otherwise. */
import { ACT, ACT_EXP, type Act, type Charter } from "../charter.ts";
import { payloadText, signPayload } from "../envelope.ts";
import { applyMotion, type Documents, type Motion, quorumFor, referencesOf } from "../governance.ts";
import { APPROVAL } from "../message.ts";
import { extensionsOf, type People } from "../people.ts";
import { requestIdOf } from "../primitive.ts";
import {
  isTransfer,
  type MotionRequest,
  motionOf,
  motionWordsOf,
  REQUEST,
  type RequestPayload,
  requestDigest,
  withMotionStatement,
  wordsOf,
} from "../request.ts";
import { renderStatement } from "../statement.ts";
import { bytesOf, HSM, type VectorKey } from "./keys.ts";
import { claims, NOW } from "./sample.ts";
import type { Person } from "./world.ts";

const DAY = 86_400;

/** What is proposed. `name` gives the ids, `by` the identity that asks; `at` in seconds. */
export interface Plan {
  readonly name: string;
  readonly motion: Motion;
  readonly initiator?: string | null;
  readonly recovery?: boolean;
  readonly by?: VectorKey;
  readonly at?: number;
}

function everybody(people: People): string[] {
  return extensionsOf(
    people,
    people.members.map(({ name }) => name),
  );
}

/** The request of a plan under the documents in force; null before the founding. */
export function motionRequest(plan: Plan, documents: Documents | null): MotionRequest {
  const { name, motion, recovery = false, by = HSM, at = NOW } = plan;
  const initiator = plan.initiator === undefined ? "Olga" : plan.initiator;
  const inForce = documents ?? applyMotion(motion, null);
  const { delay, ...quorum } = quorumFor(motion, documents, initiator, recovery);
  return withMotionStatement({
    ...claims(`request to ${name}`, by, everybody(inForce.people)),
    iat: at,
    exp: at + (delay ?? 0) + DAY,
    request: requestIdOf(bytesOf(`request id to ${name}`, 10)),
    ...motion,
    initiator,
    quorum: { threshold: quorum.threshold, people: [...quorum.people], vendors: [...quorum.vendors] },
    notBefore: delay === null ? null : at + delay,
    ...referencesOf(inForce),
  });
}

/** The request's exact payload, its digest and its statement. */
export function written(request: RequestPayload): { payload: string; digest: string; statement: string } {
  const payload = payloadText(REQUEST, request);
  const digest = requestDigest(new TextEncoder().encode(payload));
  // Whether the request's own template says the same is for its reader to find out.
  const words = isTransfer(request) ? wordsOf(request, request.effect) : motionWordsOf(request);
  return { payload, digest, statement: renderStatement(words, digest) };
}

/** An approval by this person's browser and device. `change` replaces members of the payload before it is signed. */
export async function approve(
  request: RequestPayload,
  { name, key, device }: Person,
  change: object = {},
): Promise<string> {
  const { digest, statement } = written(request);
  const payload = {
    ...claims(`approval by ${name} of ${request.request}`, key, [request.iss]),
    iat: request.iat,
    exp: request.exp,
    request: request.request,
    digest,
    address: device.address,
    signature: device.sign(statement),
    log: null,
  };
  return await signPayload(APPROVAL, JSON.stringify({ ...payload, ...change }), key.signer);
}

/** The act's payload: the request took effect under these approvals, as soon as it might. */
export function actOf(
  request: MotionRequest,
  approvals: readonly string[],
  charter: Charter | null,
  after: Documents = applyMotion(motionOf(request), charter),
): Act {
  return {
    ...claims(`act ${(charter?.n ?? 0) + 1} of ${request.request}`, HSM, [request.iss]),
    iss: request.iss,
    iat: (request.notBefore ?? request.iat) + 60,
    exp: ACT_EXP,
    n: (charter?.n ?? 0) + 1,
    previous: charter?.head ?? null,
    request: payloadText(REQUEST, request),
    approvals: [...approvals],
    ...referencesOf(after),
  };
}

/** Signed whether it fits or not, as a broken or taken agent might. */
export async function signAct(act: object, by: VectorKey): Promise<string> {
  return await signPayload(ACT, JSON.stringify(act), by.signer);
}
