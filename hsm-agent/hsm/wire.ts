/**
 * What the agent and its HSM child process say to each other over the fork's channel, as schemas for both edges, and what a
 * key is on both sides. Signatures go another way: lane-wire.ts.
 *
 * A closed world: an unknown command, key or type is refused. Not a network format, and not versioned: both ends are one release.
 */

import * as v from "valibot";
import { ERROR_CODES } from "../../protocol/error.ts";

/** P-256 for the HSM identity, secp256k1 for vaults. */
export type Curve = v.InferOutput<typeof CURVE>;
const CURVE = v.picklist(["P-256", "secp256k1"]);

/** `none`: the key can never leave the HSM. `wrap`: only wrapped by a key that the security officer marked as trusted. */
export type BackupMode = v.InferOutput<typeof BACKUP>;
const BACKUP = v.picklist(["none", "wrap"]);

/** CKA_ID: 16 bytes from the HSM's generator, as lower-case hex. */
export const KEY_ID = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/));
/** CKA_LABEL: for people only; nothing is ever chosen by it. */
export const KEY_LABEL = v.pipe(v.string(), v.regex(/^[\x20-\x7e]{1,64}$/));
/** The anchor's text, without its number. The token keeps it in one line (anchor.ts). */
export const ANCHOR_TEXT = v.pipe(v.string(), v.regex(/^[\x20-\x7e]{1,2048}$/));

const bytes = (length: number) =>
  v.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === length, "wrong length");

/** A key pair in the HSM, its attributes checked and a signature of it verified. */
export const KEY = v.strictObject({
  id: KEY_ID,
  curve: CURVE,
  publicKey: bytes(65),
  label: v.string(),
  backup: BACKUP,
});

/** A key pair as the rest of the agent sees it; `publicKey` is the uncompressed point, 65 bytes. */
export interface HsmKey {
  readonly id: string;
  readonly curve: Curve;
  readonly publicKey: Uint8Array;
  readonly label: string;
  readonly backup: BackupMode;
}

/** What is asked of a new key. */
export interface KeyRequest {
  readonly curve: Curve;
  readonly label: string;
  readonly backup: BackupMode;
}

export const TOKEN = v.strictObject({
  label: v.string(),
  serial: v.string(),
  manufacturer: v.string(),
  model: v.string(),
});

const text = v.pipe(v.string(), v.minLength(1), v.maxLength(4096));

/** Parent to child. `open` is the first and comes once; it carries the PIN, so a refused one is never quoted. */
export const COMMAND = v.variant("call", [
  v.strictObject({
    call: v.literal("open"),
    module: text,
    token: v.pipe(
      v.strictObject({ label: v.optional(text), serial: v.optional(text) }),
      v.check(({ label, serial }) => (label ?? serial) !== undefined, "no token is named"),
    ),
    pin: text,
    sessions: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(64)),
    files: v.optional(text),
  }),
  v.strictObject({ call: v.literal("reopen") }),
  v.strictObject({ call: v.literal("ping") }),
  v.strictObject({ call: v.literal("generate"), curve: CURVE, label: KEY_LABEL, backup: BACKUP }),
  v.strictObject({ call: v.literal("find"), key: KEY_ID }),
  v.strictObject({ call: v.literal("keys") }),
  v.strictObject({ call: v.literal("lane"), lane: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(63)) }),
  v.strictObject({
    call: v.literal("random"),
    bytes: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1024)),
  }),
  v.strictObject({ call: v.literal("read-anchor") }),
  v.strictObject({ call: v.literal("write-anchor"), text: ANCHOR_TEXT }),
  v.strictObject({ call: v.literal("close") }),
]);
export type Command = v.InferOutput<typeof COMMAND>;

/** A command under the number that its answer will carry. */
export const ENVELOPE = v.strictObject({ id: v.pipe(v.number(), v.integer()), command: COMMAND });
export type Envelope = v.InferOutput<typeof ENVELOPE>;

/** Child to parent; `value` is checked against the schema of the call that it answers. */
export const REPLY = v.variant("ok", [
  v.strictObject({ id: v.number(), ok: v.literal(true), value: v.unknown() }),
  v.strictObject({ id: v.number(), ok: v.literal(false), code: v.picklist(ERROR_CODES), message: v.string() }),
]);
export type Reply = v.InferOutput<typeof REPLY>;

/** The shape of each call's answer. */
export const ANSWER = {
  open: TOKEN,
  reopen: v.null(),
  ping: v.null(),
  generate: KEY,
  find: KEY,
  keys: v.array(KEY),
  lane: v.null(),
  random: v.custom<Uint8Array>((value) => value instanceof Uint8Array, "not bytes"),
  "read-anchor": v.nullable(ANCHOR_TEXT),
  "write-anchor": v.null(),
  close: v.null(),
} as const;
export type Answer<Call extends Command["call"]> = v.InferOutput<(typeof ANSWER)[Call]>;
