/**
 * The approval request: what the HSM signs, what the digest is taken of. README.md, "Request".
 * It holds all that gives the statement's words their meaning. Schemas and pure derivations only.
 */
import * as v from "valibot";
import { EthereumAddressSchema } from "./device-signature.ts";
import { claimEntries, type MessageType } from "./envelope.ts";
import { Fault } from "./error.ts";
import { NameSchema, SymbolSchema } from "./name.ts";
import { fingerprint, hexOf, hexUpTo, OrdinalSchema, RequestIdSchema, sha256Hex } from "./primitive.ts";
import { findDifference, renderStatement, renderTemplate, type SendWords } from "./statement.ts";
import { sumOfDemands, VendorDemandsSchema } from "./vendor.ts";

/** CAIP-2 id of an EVM network, e.g. `eip155:1`. */
export const NetworkIdSchema = v.pipe(
  v.string(),
  v.regex(/^eip155:[1-9][0-9]{0,15}$/, "a network is eip155: and its chain id"),
);

const DecimalsSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(36));

export const NetworkSchema = v.strictObject({
  id: NetworkIdSchema,
  name: NameSchema,
  symbol: SymbolSchema,
  decimals: DecimalsSchema,
});
export type Network = v.InferOutput<typeof NetworkSchema>;

export const TokenSchema = v.strictObject({
  contract: EthereumAddressSchema,
  symbol: SymbolSchema,
  decimals: DecimalsSchema,
});
export type Token = v.InferOutput<typeof TokenSchema>;

/** An exact decimal: no sign, no leading zeros, no exponent. */
export const DecimalSchema = v.pipe(
  v.string(),
  v.maxLength(90),
  v.regex(/^(0|[1-9][0-9]*)(\.[0-9]+)?$/, "an amount is an exact decimal number"),
);

/** What the agent says that the bytes do. The extension derives the same from the bytes with other code. */
export const EffectSchema = v.strictObject({
  amount: DecimalSchema,
  asset: SymbolSchema,
  to: EthereumAddressSchema,
  maxFee: v.pipe(v.string(), v.maxLength(102), v.regex(/^(0|[1-9][0-9]*)(\.[0-9]+)? [A-Za-z][A-Za-z0-9]{0,10}$/)),
  nonce: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});
export type Effect = v.InferOutput<typeof EffectSchema>;

export const DocumentReferenceSchema = v.strictObject({ n: OrdinalSchema, digest: hexOf(32) });

const WholeMinuteSchema = v.pipe(claimEntries.exp, v.multipleOf(60));

const RequestSchema = v.pipe(
  v.strictObject({
    ...claimEntries,
    exp: WholeMinuteSchema,
    request: RequestIdSchema,
    verb: v.literal("SEND"),
    vault: v.strictObject({ id: hexOf(16), name: NameSchema, publicKey: hexOf(65) }),
    network: NetworkSchema,
    /** null for the network's own coin. */
    token: v.nullable(TokenSchema),
    /** Every byte string that the vault key will sign: for Ethereum one unsigned EIP-1559 transaction (EIP-2718). */
    sign: v.pipe(v.array(hexUpTo(32_768)), v.length(1)),
    effect: EffectSchema,
    initiator: NameSchema,
    quorum: v.strictObject({
      threshold: OrdinalSchema,
      /** Who may approve, in the policy's order; never the initiator. */
      people: v.pipe(v.array(NameSchema), v.minLength(1), v.maxLength(64)),
      /** Empty where any device will do. */
      vendors: VendorDemandsSchema,
    }),
    policy: DocumentReferenceSchema,
    people: DocumentReferenceSchema,
    /** The statement with `{digest}` in the digest's place. */
    statement: v.pipe(v.string(), v.maxLength(1024)),
  }),
  v.check((r) => new Set(r.quorum.people).size === r.quorum.people.length, "quorum.people has somebody twice"),
  v.check((r) => !r.quorum.people.includes(r.initiator), "the initiator is in the quorum"),
  v.check((r) => r.quorum.threshold <= r.quorum.people.length, "the quorum cannot be reached"),
  v.check((r) => sumOfDemands(r.quorum.vendors) <= r.quorum.threshold, "the vendors ask for more than the quorum"),
);
export type RequestPayload = v.InferOutput<typeof RequestSchema>;

export const REQUEST: MessageType<RequestPayload> = { typ: "oc-request+jws", schema: RequestSchema };

/** SHA-256 of the exact payload bytes, hex: what the statement carries and the device signs. */
export function requestDigest(payloadBytes: Uint8Array): string {
  return sha256Hex(payloadBytes);
}

/** The words of the statement: what the bytes do, by whoever decoded them, and what the request says of itself. */
export function wordsOf(request: Omit<RequestPayload, "statement">, effect: Omit<Effect, "nonce">): SendWords {
  return {
    verb: request.verb,
    amount: effect.amount,
    asset: effect.asset,
    to: effect.to,
    network: request.network.name,
    vault: request.vault.name,
    maxFee: effect.maxFee,
    threshold: request.quorum.threshold,
    eligible: request.quorum.people.length,
    policy: request.policy.n,
    request: request.request,
    expires: request.exp,
    hsm: fingerprint(request.iss).slice(0, 8),
  };
}

/** A request's payload completed with its statement's template. @throws Fault ERR_STATEMENT_* */
export function withStatement(request: Omit<RequestPayload, "statement">): RequestPayload {
  return { ...request, statement: renderTemplate(wordsOf(request, request.effect)) };
}

/**
 * The statement for a device, rendered from `effect`, and only if the request's own template says the same.
 * @throws Fault ERR_STATEMENT_DIFFERS naming the first part that differs
 */
export function statementOf(request: RequestPayload, effect: Omit<Effect, "nonce">, digest: string): string {
  const words = wordsOf(request, effect);
  const difference = findDifference(words, request.statement);
  if (difference !== undefined) {
    throw new Fault(
      "ERR_STATEMENT_DIFFERS",
      `The request's statement and its transaction disagree on the ${difference}. Do not sign; tell your operator.`,
    );
  }
  return renderStatement(words, digest);
}
