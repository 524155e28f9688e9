/**
 * The charter: who may decide what, as the chain of acts from the founding on gives it. README.md, "Charter". An act is a governance
 * request with the approvals that carried it, signed by the HSM. Agent and extensions replay the same acts with this code, so that
 * neither a database, a configuration nor the HSM's word alone changes people or policy. Pure but for WebCrypto.
 */
import { base64url } from "jose";
import * as v from "valibot";
import { type Approver, checkApproval, missingOf } from "./approving.ts";
import { claimEntries, openEnvelope } from "./envelope.ts";
import { Fault } from "./error.ts";
import { applyMotion, type Documents, quorumFor, referencesOf } from "./governance.ts";
import { APPROVAL } from "./message.ts";
import { findOwner } from "./people.ts";
import { hexOf, OrdinalSchema, type PublicJwk, sha256Hex, thumbprint } from "./primitive.ts";
import { isTransfer, type MotionRequest, motionOf, motionStatementOf, REQUEST, requestDigest } from "./request.ts";
import { SEAL_SIZES } from "./seal.ts";

const ReferenceSchema = v.strictObject({ n: OrdinalSchema, digest: hexOf(32) });

const REQUEST_MAX = 65_536;
const APPROVALS_MAX = 64;

/** A motion that took effect. `aud` is the HSM identity itself; it is handed to whoever must know. */
export const ACT = {
  typ: "oc-act+jws",
  schema: v.strictObject({
    ...claimEntries,
    /** 1 is the founding. */
    n: OrdinalSchema,
    /** SHA-256 of the payload bytes of act n - 1, hex; null for the founding. */
    previous: v.nullable(hexOf(32)),
    /** The exact payload of the request, and the approvals that carried it, in full. */
    request: v.pipe(v.string(), v.maxLength(REQUEST_MAX)),
    approvals: v.pipe(v.array(v.pipe(v.string(), v.maxLength(4096))), v.minLength(1), v.maxLength(APPROVALS_MAX)),
    /** What is in force afterwards. */
    policy: ReferenceSchema,
    people: ReferenceSchema,
  }),
} as const;
export type Act = v.InferOutput<typeof ACT.schema>;

/** When an act's signature would expire: never. */
export const ACT_EXP = 9_999_999_999;

/** Characters of the longest approval: of its values only the size of the log has more than one length. */
const APPROVAL_LENGTH = 1004;

/**
 * Refuses a motion whose act would be longer than a sealed message can be, before anybody is asked. `text` is its request's payload,
 * `approvals` how many its act may come to carry.
 * @throws Fault ERR_POLICY_DOCUMENT
 */
export function requireRoom(text: string, approvals: number): void {
  const word = (length: number) => "x".repeat(length);
  const reference = { n: Number.MAX_SAFE_INTEGER, digest: word(64) };
  const payload = JSON.stringify({
    v: 1,
    iss: word(43),
    aud: [word(43)],
    jti: word(22),
    iat: ACT_EXP,
    exp: ACT_EXP,
    n: reference.n,
    previous: reference.digest,
    request: text,
    policy: reference,
    people: reference,
    approvals: Array.from({ length: approvals }, () => word(APPROVAL_LENGTH)),
  });
  const header = JSON.stringify({ alg: "ES256", typ: ACT.typ, kid: word(43) });
  const length = [header.length, payload.length, 64].reduce((sum, bytes) => sum + Math.ceil((bytes * 4) / 3), 2);
  if (text.length > REQUEST_MAX || approvals > APPROVALS_MAX || length > Math.max(...SEAL_SIZES))
    throw new Fault(
      "ERR_POLICY_DOCUMENT",
      `A change of ${text.length} characters with ${approvals} approvals is too long to be sent; make it shorter, or ask fewer people.`,
    );
}

/** What is in force after act `n`, whose payload has SHA-256 `head`. `hsm` is the HSM identity from then on. */
export interface Charter extends Documents {
  readonly n: number;
  readonly head: string;
  readonly hsm: PublicJwk;
  /** Ids of the requests carried out since the documents last changed: each is carried out once. */
  readonly spent: readonly string[];
}

/** An act with what it did. */
export interface Applied {
  readonly charter: Charter;
  readonly act: Act;
  readonly request: MotionRequest;
  readonly approvers: readonly Approver[];
}

/**
 * Verifies the next act and applies it. `charter` is null for the founding, whose identity key is then `pinned`. The numbers are those of
 * README.md, "Verifying an act".
 * @throws Fault ERR_CHARTER, ERR_ENVELOPE_*, ERR_APPROVAL_*, ERR_QUORUM, ERR_POLICY_*, ERR_MEMBER_*
 */
export async function applyAct(charter: Charter | null, jws: string, pinned: PublicJwk): Promise<Applied> {
  const current = charter?.hsm ?? pinned;
  const opened = await openAct(jws, current);
  const { act } = opened;
  // 2. It is the next, and follows the one before.
  if (act.n !== (charter?.n ?? 0) + 1 || act.previous !== (charter?.head ?? null))
    throw broken(`act ${act.n} does not follow act ${charter?.n ?? 0}`);
  // 3. Its request is a motion in canonical form, under the documents in force, of the identity in force.
  const request = parseMotionRequest(act.request);
  const motion = motionOf(request);
  const identity = motion.verb === "ROTATE" && opened.by !== thumbprint(current) ? motion.change.to : current;
  if (opened.by !== thumbprint(identity) || request.iss !== opened.by)
    throw broken(`act ${act.n} is signed by another identity than the one in force`);
  if (motion.verb === "DRILL") throw broken("a drill is no act");
  if ((motion.verb === "FOUND") !== (charter === null))
    throw broken(`act ${act.n} is a founding where none belongs, or none where one does`);
  if (motion.verb === "ROTATE" && thumbprint(motion.change.to) === thumbprint(current))
    throw broken(`act ${act.n} rotates to the same identity`);
  if (charter?.spent.includes(request.request) === true)
    throw broken(`the request of act ${act.n} was carried out before`);
  const inForce = charter ?? applyMotion(motion, null);
  if (!isSame(request, referencesOf(inForce))) throw broken(`act ${act.n} was decided under other documents`);
  // 4. Its quorum is the one that those documents give.
  const quorum = quorumFor(motion, charter, request.initiator, request.notBefore !== null);
  if (
    JSON.stringify([quorum.threshold, quorum.people, quorum.vendors]) !== JSON.stringify(Object.values(request.quorum))
  )
    throw broken(`act ${act.n} names another quorum than the policy`);
  // 5. It took effect in its time, and a recovery was seen for as long as the policy says.
  if (quorum.delay !== null && (request.notBefore ?? 0) < request.iat + quorum.delay)
    throw broken(`act ${act.n} is a recovery without its delay`);
  if (act.iat >= request.exp || act.iat < Math.max(request.iat, request.notBefore ?? 0))
    throw broken(`act ${act.n} took effect at another time`);
  // 6. Enough different people approved, each with extension and device.
  const digest = requestDigest(new TextEncoder().encode(act.request));
  const judged = { payload: request, digest, statement: motionStatementOf(request, digest) };
  const approvers: Approver[] = [];
  for (const approval of act.approvals) {
    const keyOf = (kid: string) => findOwner(inForce.people, kid)?.key;
    const expected = { type: APPROVAL, keyOf, audience: request.iss, now: act.iat };
    const approver = checkApproval((await openEnvelope(approval, expected)).payload, judged, inForce.people);
    if (approvers.some(({ name }) => name === approver.name))
      throw new Fault("ERR_APPROVAL_DUPLICATE", `Act ${act.n} counts ${approver.name} twice; one person counts once.`);
    approvers.push(approver);
  }
  const missing = missingOf(request, approvers);
  if (missing !== undefined) throw new Fault("ERR_QUORUM", `Act ${act.n} has no quorum: ${missing}.`);
  // 7. What it makes is what it says that it makes.
  const after = applyMotion(motion, charter);
  if (!isSame(act, referencesOf(after))) throw broken(`act ${act.n} says that it makes other documents than it does`);
  const hsm = motion.verb === "ROTATE" ? motion.change.to : current;
  // Where documents change, earlier requests name others: none of them passes step 3 any more.
  const isChanged = charter === null || !isSame(act, referencesOf(charter));
  const spent = isChanged ? [] : [...charter.spent, request.request];
  return { charter: { ...after, n: act.n, head: opened.head, hsm, spent }, act, request, approvers };
}

/** 1. It is signed by the identity in force, or, of a rotation, by the next one alone. */
async function openAct(jws: string, current: PublicJwk): Promise<{ act: Act; head: string; by: string }> {
  const claimed = claimedRotation(jws);
  const keyOf = (kid: string) =>
    [current, ...(claimed === undefined ? [] : [claimed])].find((key) => thumbprint(key) === kid);
  const audience = claimedIssuer(jws);
  const { payload, bytes } = await openEnvelope(jws, { type: ACT, keyOf, audience, now: ACT_EXP - 1 });
  return { act: payload, head: sha256Hex(bytes), by: payload.iss };
}

/** The request's payload under its closed schema, in its one spelling. @throws Fault ERR_CHARTER */
function parseMotionRequest(text: string): MotionRequest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw broken("an act's request is not JSON");
  }
  const parsed = v.safeParse(REQUEST.schema, value);
  if (!parsed.success || JSON.stringify(parsed.output) !== text || isTransfer(parsed.output))
    throw broken("an act's request is not a governance request in canonical form");
  return parsed.output;
}

/** Unverified: the identity that an act claims to make the next, to be used only where the devices' signatures carry it. */
function claimedRotation(jws: string): PublicJwk | undefined {
  try {
    const request = parseMotionRequest(claimsOf(jws).request);
    return request.verb === "ROTATE" ? request.change.to : undefined;
  } catch {
    return undefined;
  }
}

function claimedIssuer(jws: string): string {
  try {
    return claimsOf(jws).iss;
  } catch {
    return "";
  }
}

function claimsOf(jws: string): Act {
  return v.parse(ACT.schema, JSON.parse(new TextDecoder().decode(base64url.decode(jws.split(".")[1] ?? ""))));
}

function isSame(one: Pick<Act, "policy" | "people">, other: Pick<Act, "policy" | "people">): boolean {
  return (["policy", "people"] as const).every(
    (kind) => one[kind].n === other[kind].n && one[kind].digest === other[kind].digest,
  );
}

function broken(what: string): Fault {
  return new Fault("ERR_CHARTER", `The record of who may decide what does not hold: ${what}. Tell your operator.`);
}
