/**
 * The messages between agent and members, each a closed payload schema and a `typ`. README.md, "Messages".
 * The request has a file of its own (request.ts).
 */
import * as v from "valibot";
import { TreeHeadSchema } from "./checkpoint.ts";
import { DeviceSignatureSchema, EthereumAddressSchema } from "./device-signature.ts";
import { claimEntries } from "./envelope.ts";
import { ERROR_CODES } from "./error.ts";
import { CHANGES } from "./governance.ts";
import { NameSchema } from "./name.ts";
import { DecimalSchema, NetworkIdSchema } from "./network.ts";
import { DeviceSchema, RolesSchema } from "./people.ts";
import {
  base64urlOf,
  hexOf,
  OrdinalSchema,
  PublicJwkSchema,
  RequestIdSchema,
  SecondsSchema,
  ThumbprintSchema,
} from "./primitive.ts";
import { VendorSchema } from "./vendor.ts";
import { WordsSchema } from "./words.ts";

function messageType<E extends v.ObjectEntries>(name: string, entries: E) {
  const typ: `oc-${string}+jws` = `oc-${name}+jws`;
  return { typ, schema: v.strictObject({ ...claimEntries, ...entries }) };
}

/** Characters of a checkpoint with the agent's signature alone, and of a WITNESS as JWS: others' signatures are not handed on. */
const CHECKPOINT_LENGTH = 512;
export const WITNESS_MAX = 2048;

const jtiSchema = base64urlOf(16);
const aboutRequest = { request: RequestIdSchema, digest: hexOf(32) };

// --- from an approver's extension to the agent ---

/** A device's signature over the statement, inside a message of that person's extension: neither suffices alone. */
export const APPROVAL = messageType("approval", {
  /** One HSM: so all approvals are of one length, and an act can be measured before anybody is asked. */
  aud: v.pipe(v.array(ThumbprintSchema), v.length(1)),
  ...aboutRequest,
  address: EthereumAddressSchema,
  signature: DeviceSignatureSchema,
  /** The last state of the agent's log that this extension accepted; null before it saw one. */
  log: v.nullable(TreeHeadSchema),
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

/** Stops a vault, or everything where `vault` is null, at once. Needs no device; lifting it needs the admins (UNFREEZE). */
export const FREEZE = messageType("freeze", { vault: v.nullable(NameSchema) });
export type Freeze = v.InferOutput<typeof FREEZE.schema>;

/** Signed by the invite's one-time key: the extension's own signing key, and the first key that it receives with. */
export const PAIR = messageType("pair", { key: PublicJwkSchema, seal: PublicJwkSchema });
export type Pair = v.InferOutput<typeof PAIR.schema>;

/** A device that this person wants to approve with; it counts once an ENROLL names it. */
export const ENROLMENT = messageType("enrolment", {
  address: EthereumAddressSchema,
  vendor: VendorSchema,
  model: NameSchema,
  path: v.pipe(v.string(), v.regex(/^m\/44'\/60'\/(0|[1-9][0-9]{0,8})'\/(0|[1-9][0-9]{0,8})\/(0|[1-9][0-9]{0,8})$/)),
});
export type Enrolment = v.InferOutput<typeof ENROLMENT.schema>;

/** "This is the last checkpoint of your log that I accepted." The agent hands it on to the others, who compare it with theirs. */
export const WITNESS = messageType("witness", { checkpoint: v.pipe(v.string(), v.maxLength(CHECKPOINT_LENGTH)) });
export type Witness = v.InferOutput<typeof WITNESS.schema>;
/**
 * At every login: asks for a welcome, the acts after number `charter`, all open requests, and the receipts of those that the sender
 * still believes open. `seal` is the key that it receives with from now on; the agent takes a higher number only.
 */
export const SYNC = messageType("sync", {
  known: v.pipe(v.array(RequestIdSchema), v.maxLength(500)),
  charter: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  seal: v.strictObject({ n: OrdinalSchema, key: PublicJwkSchema }),
  /** Thumbprint of the agent's receiving key that this is said to: whoever else seals it anew, to a later one, makes it no younger. */
  card: ThumbprintSchema,
  /** The last state of the agent's log that the sender accepted. */
  log: v.nullable(TreeHeadSchema),
  /** A WITNESS of it, made for this sync; null where no checkpoint of it is kept. */
  witness: v.nullable(v.pipe(v.string(), v.maxLength(WITNESS_MAX))),
});
export type Sync = v.InferOutput<typeof SYNC.schema>;

// --- from whoever proposes, by a key file ---

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

/** A change that admins (or with `recovery` the recovery people) are asked to approve. */
export const MOTION = {
  typ: "oc-motion+jws",
  schema: v.strictObject({
    ...claimEntries,
    motion: v.variant("verb", [
      v.strictObject({ verb: v.literal("ENROLL"), change: CHANGES.ENROLL }),
      v.strictObject({ verb: v.literal("REMOVE"), change: CHANGES.REMOVE }),
      v.strictObject({ verb: v.literal("POLICY"), change: CHANGES.POLICY }),
      v.strictObject({ verb: v.literal("ROTATE"), change: CHANGES.ROTATE }),
      v.strictObject({ verb: v.literal("UNFREEZE"), change: CHANGES.UNFREEZE }),
      v.strictObject({ verb: v.literal("RESTORE"), change: CHANGES.RESTORE }),
      v.strictObject({ verb: v.literal("DRILL"), change: CHANGES.DRILL }),
    ]),
    recovery: v.boolean(),
  }),
} as const;
export type MotionMessage = v.InferOutput<typeof MOTION.schema>;

/** An invite for somebody: its one-time key, and until when it may pair. The private half never comes here. */
export const INVITATION = messageType("invitation", {
  name: NameSchema,
  roles: RolesSchema,
  key: PublicJwkSchema,
  until: SecondsSchema,
});
export type Invitation = v.InferOutput<typeof INVITATION.schema>;

/** "The agent's clock is right": lets what waits for time go on after a jump. By whoever may propose. */
export const CLOCK = messageType("clock", {});
export type Clock = v.InferOutput<typeof CLOCK.schema>;

/** "These six words were read aloud to me": by whoever made the invite. With `recovery` the recovery people decide, after their delay. */
export const VOUCH = messageType("vouch", { name: NameSchema, words: WordsSchema, recovery: v.boolean() });
export type Vouch = v.InferOutput<typeof VOUCH.schema>;

// --- from the agent, signed by the HSM identity ---

/** A device, and whether it counts already. */
export const DeviceRecordSchema = v.strictObject({
  ...DeviceSchema.entries,
  state: v.picklist(["pending", "enrolled"]),
});
export type DeviceRecord = v.InferOutput<typeof DeviceRecordSchema>;

/** Who you are, to the key that asked. `pending`: paired, and not yet approved by an ENROLL or the founding. */
export const WELCOME = messageType("welcome", {
  hsm: PublicJwkSchema,
  /** Thumbprint of the identity that signed the founding, or will: the first act is taken from no other. */
  founder: ThumbprintSchema,
  /** SHA-256 of the first act's payload, or null before the founding: an identity that was replaced founds nothing any more. */
  founding: v.nullable(hexOf(32)),
  name: NameSchema,
  roles: RolesSchema,
  devices: v.array(DeviceRecordSchema),
  standing: v.picklist(["pending", "member"]),
});
export type Welcome = v.InferOutput<typeof WELCOME.schema>;

export const RequestStateSchema = v.picklist([
  "proposed",
  "pending",
  "approved",
  "signed",
  "enacted",
  "rejected",
  "cancelled",
  "expired",
  "void",
  "failed",
]);
export type RequestState = v.InferOutput<typeof RequestStateSchema>;

export const RequestRecordSchema = v.strictObject({
  kind: v.picklist(["approval", "rejection", "withdrawal", "cancellation"]),
  person: NameSchema,
  /** The `jti` of the message that this record was made from: whoever sent it reads here that it was received. */
  of: jtiSchema,
  at: SecondsSchema,
  vendor: v.nullable(VendorSchema),
  /** Of an approval: the device that signed. */
  address: v.nullable(EthereumAddressSchema),
  reason: v.nullable(RejectReasonSchema),
});
export type RequestRecord = v.InferOutput<typeof RequestRecordSchema>;

/** "Your message `of` was not accepted", with the code and a sentence. */
export const REFUSAL = messageType("refusal", {
  of: jtiSchema,
  request: v.nullable(RequestIdSchema),
  code: v.picklist(ERROR_CODES),
  message: v.pipe(v.string(), v.maxLength(512)),
});
export type Refusal = v.InferOutput<typeof REFUSAL.schema>;

/** Everything that is frozen now. A higher `n` replaces a lower. `by` is null where the operator did it on the agent's host. */
export const FREEZES = messageType("freezes", {
  n: OrdinalSchema,
  freezes: v.pipe(
    v.array(
      v.strictObject({
        vault: v.nullable(NameSchema),
        by: v.nullable(NameSchema),
        at: SecondsSchema,
        of: v.nullable(jtiSchema),
      }),
    ),
    v.maxLength(200),
  ),
});
export type Freezes = v.InferOutput<typeof FREEZES.schema>;

/** "I cannot open the frame `of` any more: seal what it held to this card, and send it again." */
export const RESEAL = messageType("reseal", { of: jtiSchema, card: v.pipe(v.string(), v.maxLength(4096)) });
export type Reseal = v.InferOutput<typeof RESEAL.schema>;

// --- to the bridge, which hands the card on ---

/** Certifies the key with which the agent logs in, and the key that it receives with. */
export const CARD = messageType("card", {
  n: OrdinalSchema,
  hsm: PublicJwkSchema,
  link: PublicJwkSchema,
  seal: PublicJwkSchema,
});
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
