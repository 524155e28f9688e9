/**
 * The messages between agent and members, each a closed payload schema and a `typ`. README.md, "Messages".
 * The request has a file of its own (request.ts).
 */
import * as v from "valibot";
import { DeviceSignatureSchema, EthereumAddressSchema } from "./device-signature.ts";
import { claimEntries } from "./envelope.ts";
import { ERROR_CODES } from "./error.ts";
import { NameSchema } from "./name.ts";
import {
  base64urlOf,
  hexOf,
  OrdinalSchema,
  PublicJwkSchema,
  RequestIdSchema,
  SecondsSchema,
  ThumbprintSchema,
} from "./primitive.ts";
import { DecimalSchema, NetworkIdSchema } from "./request.ts";
import { VendorSchema } from "./vendor.ts";

function messageType<E extends v.ObjectEntries>(name: string, entries: E) {
  const typ: `oc-${string}+jws` = `oc-${name}+jws`;
  return { typ, schema: v.strictObject({ ...claimEntries, ...entries }) };
}

const HashSchema = v.pipe(v.string(), v.regex(/^0x[0-9a-f]{64}$/));
const jtiSchema = base64urlOf(16);
const aboutRequest = { request: RequestIdSchema, digest: hexOf(32) };

export const RoleSchema = v.picklist(["initiator", "approver"]);
export type Role = v.InferOutput<typeof RoleSchema>;

// --- from an approver's extension to the agent ---

/** A device's signature over the statement, inside a message of that person's extension: neither suffices alone. */
export const APPROVAL = messageType("approval", {
  ...aboutRequest,
  address: EthereumAddressSchema,
  signature: DeviceSignatureSchema,
});
export type Approval = v.InferOutput<typeof APPROVAL.schema>;

export const RejectReasonSchema = v.picklist([
  "wrong-destination",
  "wrong-amount",
  "not-expected",
  "suspicious",
  "other",
]);
export type RejectReason = v.InferOutput<typeof RejectReasonSchema>;

/** Ends the request. Needs no device. */
export const REJECTION = messageType("rejection", { ...aboutRequest, reason: RejectReasonSchema });
export type Rejection = v.InferOutput<typeof REJECTION.schema>;

/** "I cancelled while my device was asking": this person cannot approve this request any more. */
export const WITHDRAWAL = messageType("withdrawal", aboutRequest);
export type Withdrawal = v.InferOutput<typeof WITHDRAWAL.schema>;

/** Signed by the invite's one-time key: the extension's own public key. */
export const PAIR = messageType("pair", { key: PublicJwkSchema });
export type Pair = v.InferOutput<typeof PAIR.schema>;

/** A device that this person wants to approve with; it counts once an operator has confirmed the address. */
export const ENROLMENT = messageType("enrolment", {
  address: EthereumAddressSchema,
  vendor: VendorSchema,
  model: NameSchema,
  path: v.pipe(v.string(), v.regex(/^m\/44'\/60'\/(0|[1-9][0-9]{0,8})'\/(0|[1-9][0-9]{0,8})\/(0|[1-9][0-9]{0,8})$/)),
});
export type Enrolment = v.InferOutput<typeof ENROLMENT.schema>;

/** Asks for a welcome, all open requests, and the receipts of those that the sender still believes open. */
export const SYNC = messageType("sync", { known: v.pipe(v.array(RequestIdSchema), v.maxLength(500)) });
export type Sync = v.InferOutput<typeof SYNC.schema>;

// --- from an initiator ---

const QuantitySchema = v.pipe(v.string(), v.regex(/^(0|[1-9][0-9]{0,77})$/, "must be a whole number"));

/** A transfer as a person proposes it. Gas in units, fees in wei. */
export const PROPOSAL = messageType("proposal", {
  vault: NameSchema,
  network: NetworkIdSchema,
  asset: v.pipe(v.string(), v.maxLength(42)),
  amount: DecimalSchema,
  to: EthereumAddressSchema,
  gas: v.strictObject({ limit: QuantitySchema, maxFeePerGas: QuantitySchema, maxPriorityFeePerGas: QuantitySchema }),
});
export type Proposal = v.InferOutput<typeof PROPOSAL.schema>;

/** By the initiator of the request only. */
export const CANCELLATION = messageType("cancellation", { request: RequestIdSchema });
export type Cancellation = v.InferOutput<typeof CANCELLATION.schema>;

// --- from the agent, signed by the HSM identity ---

export const DeviceRecordSchema = v.strictObject({
  address: EthereumAddressSchema,
  vendor: VendorSchema,
  model: NameSchema,
  state: v.picklist(["pending", "enrolled"]),
});
export type DeviceRecord = v.InferOutput<typeof DeviceRecordSchema>;

/** Who you are, to the key that asked. */
export const WELCOME = messageType("welcome", {
  hsm: PublicJwkSchema,
  name: NameSchema,
  roles: v.pipe(v.array(RoleSchema), v.minLength(1)),
  devices: v.array(DeviceRecordSchema),
});
export type Welcome = v.InferOutput<typeof WELCOME.schema>;

export const RequestStateSchema = v.picklist([
  "proposed",
  "pending",
  "approved",
  "signed",
  "rejected",
  "cancelled",
  "expired",
  "void",
  "failed",
]);
export type RequestState = v.InferOutput<typeof RequestStateSchema>;

const RecordSchema = v.strictObject({
  kind: v.picklist(["approval", "rejection", "withdrawal", "cancellation"]),
  person: NameSchema,
  /** The `jti` of the message that this record was made from: whoever sent it reads here that it was received. */
  of: jtiSchema,
  at: SecondsSchema,
  vendor: v.nullable(VendorSchema),
  reason: v.nullable(RejectReasonSchema),
});
export type RequestRecord = v.InferOutput<typeof RecordSchema>;

/** The agent's durable record of a request after a change. A higher `n` replaces a lower one. */
export const RECEIPT = messageType("receipt", {
  ...aboutRequest,
  n: OrdinalSchema,
  state: RequestStateSchema,
  records: v.array(RecordSchema),
  /** Hash of the signed transaction, once there is one. */
  hash: v.nullable(HashSchema),
});
export type Receipt = v.InferOutput<typeof RECEIPT.schema>;

/** "Your message `of` was not accepted", with the code and a sentence. */
export const REFUSAL = messageType("refusal", {
  of: jtiSchema,
  request: v.nullable(RequestIdSchema),
  code: v.picklist(ERROR_CODES),
  message: v.pipe(v.string(), v.maxLength(512)),
});
export type Refusal = v.InferOutput<typeof REFUSAL.schema>;

// --- to the bridge ---

/** Certifies the key with which the agent logs in. */
export const CARD = messageType("card", { n: OrdinalSchema, hsm: PublicJwkSchema, link: PublicJwkSchema });
export type Card = v.InferOutput<typeof CARD.schema>;

/** Who may use the bridge: keys only, no names. */
export const ROSTER = messageType("roster", {
  n: OrdinalSchema,
  members: v.pipe(v.array(PublicJwkSchema), v.maxLength(500)),
  invites: v.pipe(v.array(v.strictObject({ key: PublicJwkSchema, exp: SecondsSchema })), v.maxLength(50)),
});
export type Roster = v.InferOutput<typeof ROSTER.schema>;

/** Login to the bridge; `aud` is the bridge's configured URL. */
export const LOGIN = messageType("login", {
  agent: ThumbprintSchema,
  clientNonce: base64urlOf(32),
  bridgeNonce: base64urlOf(32),
});
export type Login = v.InferOutput<typeof LOGIN.schema>;
