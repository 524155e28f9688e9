/**
 * The approval request: what the HSM signs, what the digest is taken of. README.md, "Request".
 * It holds all that gives the statement's words their meaning. Schemas and pure derivations only.
 */
import * as v from "valibot";
import { EthereumAddressSchema } from "./device-signature.ts";
import { claimEntries, type MessageType } from "./envelope.ts";
import { Fault } from "./error.ts";
import { CHANGES, canRecover, type GovernanceVerb, type Motion } from "./governance.ts";
import { motionParts } from "./motion-statement.ts";
import { NameSchema, SymbolSchema } from "./name.ts";
import { DecimalSchema, NetworkSchema, TokenSchema } from "./network.ts";
import { fingerprint, hexOf, hexUpTo, OrdinalSchema, RequestIdSchema, sha256Hex } from "./primitive.ts";
import {
  findDifference,
  type MotionWords,
  renderStatement,
  renderTemplate,
  type SendWords,
  type Words,
} from "./statement.ts";
import { sumOfDemands, VendorDemandsSchema } from "./vendor.ts";

/** What the agent says that the bytes do. The extension derives the same from the bytes with other code. */
export const EffectSchema = v.strictObject({
  amount: DecimalSchema,
  asset: SymbolSchema,
  to: EthereumAddressSchema,
  maxFee: v.pipe(v.string(), v.maxLength(102), v.regex(/^(0|[1-9][0-9]*)(\.[0-9]+)? [A-Za-z][A-Za-z0-9]{0,10}$/)),
  nonce: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});
export type Effect = v.InferOutput<typeof EffectSchema>;

const DocumentReferenceSchema = v.strictObject({ n: OrdinalSchema, digest: hexOf(32) });

const WholeMinuteSchema = v.pipe(claimEntries.exp, v.multipleOf(60));

const QuorumSchema = v.strictObject({
  threshold: OrdinalSchema,
  /** Who may approve, in the policy's order; never the initiator. */
  people: v.pipe(v.array(NameSchema), v.minLength(1), v.maxLength(64)),
  /** Empty where any device will do. */
  vendors: VendorDemandsSchema,
});

const tailEntries = {
  policy: DocumentReferenceSchema,
  people: DocumentReferenceSchema,
  /** The statement with `{digest}` in the digest's place. */
  statement: v.pipe(v.string(), v.maxLength(1024)),
};

const TransferSchema = v.strictObject({
  ...claimEntries,
  exp: WholeMinuteSchema,
  request: RequestIdSchema,
  verb: v.literal("SEND"),
  vault: v.strictObject({ id: hexOf(16), name: NameSchema, publicKey: hexOf(65) }),
  network: NetworkSchema,
  /** null for the network's own coin. */
  token: v.nullable(TokenSchema),
  /** The destination's name in the address book, or null. */
  payee: v.nullable(NameSchema),
  /** Every byte string that the vault key will sign: for Ethereum one unsigned EIP-1559 transaction (EIP-2718). */
  sign: v.pipe(v.array(hexUpTo(16_384)), v.length(1)),
  effect: EffectSchema,
  initiator: NameSchema,
  quorum: QuorumSchema,
  ...tailEntries,
});
/** A request for a vault key's signature. */
export type TransferRequest = v.InferOutput<typeof TransferSchema>;

function motionRequest<Verb extends GovernanceVerb, Change extends v.GenericSchema>(verb: Verb, change: Change) {
  return v.strictObject({
    ...claimEntries,
    exp: WholeMinuteSchema,
    request: RequestIdSchema,
    verb: v.literal(verb),
    change,
    /** null only where the founding has none. */
    initiator: v.nullable(NameSchema),
    quorum: QuorumSchema,
    /** Of a recovery: when it takes effect at the earliest. */
    notBefore: v.nullable(WholeMinuteSchema),
    ...tailEntries,
  });
}

const RequestSchema = v.pipe(
  v.variant("verb", [
    TransferSchema,
    motionRequest("FOUND", CHANGES.FOUND),
    motionRequest("ENROLL", CHANGES.ENROLL),
    motionRequest("REMOVE", CHANGES.REMOVE),
    motionRequest("POLICY", CHANGES.POLICY),
    motionRequest("ROTATE", CHANGES.ROTATE),
    motionRequest("UNFREEZE", CHANGES.UNFREEZE),
    motionRequest("RESTORE", CHANGES.RESTORE),
    motionRequest("DRILL", CHANGES.DRILL),
  ]),
  v.check((r) => new Set(r.quorum.people).size === r.quorum.people.length, "quorum.people has somebody twice"),
  v.check((r) => r.initiator === null || !r.quorum.people.includes(r.initiator), "the initiator is in the quorum"),
  v.check((r) => r.quorum.threshold <= r.quorum.people.length, "the quorum cannot be reached"),
  v.check((r) => sumOfDemands(r.quorum.vendors) <= r.quorum.threshold, "the vendors ask for more than the quorum"),
  v.check((r) => (r.initiator === null) === (r.verb === "FOUND"), "only a founding has no initiator"),
  v.check((r) => r.verb === "SEND" || r.notBefore === null || canRecover(r.verb), "no recovery quorum decides this"),
  v.check(
    (r) => r.verb === "SEND" || r.notBefore === null || r.notBefore < r.exp,
    "it would expire before it takes effect",
  ),
);
export type RequestPayload = v.InferOutput<typeof RequestSchema>;
/** A request for a change of people, policy, identity or freeze, or for a drill. */
export type MotionRequest = Exclude<RequestPayload, { verb: "SEND" }>;

export function isTransfer(payload: RequestPayload): payload is TransferRequest {
  return payload.verb === "SEND";
}

/** The verb and change of a governance request. */
export function motionOf(payload: MotionRequest): Motion {
  // Both halves come from one variant of the schema; TypeScript does not follow a pair of members through a union.
  return { verb: payload.verb, change: payload.change } as Motion;
}

export const REQUEST: MessageType<RequestPayload> = { typ: "oc-request+jws", schema: RequestSchema };

/** SHA-256 of the exact payload bytes, hex: what the statement carries and the device signs. */
export function requestDigest(payloadBytes: Uint8Array): string {
  return sha256Hex(payloadBytes);
}

/** The words of a transfer: what the bytes do, by whoever decoded them, and what the request says of itself. */
export function wordsOf(request: Omit<TransferRequest, "statement">, effect: Omit<Effect, "nonce">): SendWords {
  return {
    verb: request.verb,
    amount: effect.amount,
    asset: effect.asset,
    to: effect.to,
    network: request.network.name,
    vault: request.vault.name,
    maxFee: effect.maxFee,
    ...tailOf(request),
  };
}

/** The words of a governance request. They come from `change` alone; both sides derive them with this code. */
export function motionWordsOf(request: Omit<MotionRequest, "statement">): MotionWords {
  const { verb, notBefore, policy } = request;
  const motion = { verb, change: request.change } as Motion;
  return { verb, parts: motionParts(motion, policy.n), notBefore, ...tailOf(request) };
}

function tailOf(request: Pick<RequestPayload, "quorum" | "policy" | "request" | "exp" | "iss">) {
  return {
    threshold: request.quorum.threshold,
    eligible: request.quorum.people.length,
    policy: request.policy.n,
    request: request.request,
    expires: request.exp,
    hsm: fingerprint(request.iss).slice(0, 8),
  };
}

/** A transfer's payload completed with its statement's template. @throws Fault ERR_STATEMENT_* */
export function withStatement(request: Omit<TransferRequest, "statement">): TransferRequest {
  return { ...request, statement: renderTemplate(wordsOf(request, request.effect)) };
}

/** A governance request's payload completed with its statement's template. @throws Fault ERR_STATEMENT_* */
export function withMotionStatement(request: Omit<MotionRequest, "statement">): MotionRequest {
  return { ...request, statement: renderTemplate(motionWordsOf(request)) } as MotionRequest;
}

/**
 * A transfer's statement for a device, rendered from `effect`, and only if the request's own template says the same.
 * @throws Fault ERR_STATEMENT_DIFFERS naming the first part that differs
 */
export function statementOf(request: TransferRequest, effect: Omit<Effect, "nonce">, digest: string): string {
  return agreed(wordsOf(request, effect), request.statement, digest);
}

/** A governance request's statement for a device. @throws Fault ERR_STATEMENT_DIFFERS */
export function motionStatementOf(request: MotionRequest, digest: string): string {
  return agreed(motionWordsOf(request), request.statement, digest);
}

function agreed(words: Words, template: string, digest: string): string {
  const difference = findDifference(words, template);
  if (difference !== undefined) {
    throw new Fault(
      "ERR_STATEMENT_DIFFERS",
      `The request's statement and what it does disagree on the ${difference}. Do not sign; tell your operator.`,
    );
  }
  return renderStatement(words, digest);
}
