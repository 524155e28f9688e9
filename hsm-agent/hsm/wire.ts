/**
 * What the agent and its HSM child process say to each other over the fork's channel, as schemas for both edges, and what a
 * key is on both sides. A message is a list: all commands, or all answers, of one turn of the sender's event loop.
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

const HEX_ID = /^[0-9a-f]{32}$/;
/** CKA_ID: 16 bytes from the HSM's generator, as lower-case hex. */
export const KEY_ID = v.pipe(v.string(), v.regex(HEX_ID));
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
    /** Of the child: native calls that can run at a time. */
    threads: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1024)),
    files: v.optional(text),
  }),
  v.strictObject({ call: v.literal("reopen") }),
  v.strictObject({ call: v.literal("ping") }),
  v.strictObject({ call: v.literal("generate"), curve: CURVE, label: KEY_LABEL, backup: BACKUP }),
  v.strictObject({ call: v.literal("find"), key: KEY_ID }),
  v.strictObject({ call: v.literal("keys") }),
  v.strictObject({ call: v.literal("sign"), key: KEY_ID, digest: bytes(32) }),
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
  sign: bytes(64),
  random: v.custom<Uint8Array>((value) => value instanceof Uint8Array, "not bytes"),
  "read-anchor": v.nullable(ANCHOR_TEXT),
  "write-anchor": v.null(),
  close: v.null(),
} as const;
export type Answer<Call extends Command["call"]> = v.InferOutput<(typeof ANSWER)[Call]>;

/** A message of the parent; undefined where any part of it does not fit. */
export function parseCommands(message: unknown): readonly Envelope[] | undefined {
  return isList(message, (item) => isSignEnvelope(item) || v.is(ENVELOPE, item)) ? message : undefined;
}

/** A message of the child; undefined where any part of it does not fit. */
export function parseReplies(message: unknown): readonly Reply[] | undefined {
  return isList(message, (item) => isOkReply(item) || v.is(REPLY, item)) ? message : undefined;
}

/** Whether `value` is the answer that `call` has. */
export function isAnswer<Call extends Command["call"]>(call: Call, value: unknown): value is Answer<Call> {
  // The same as its schema, which a test compares; signatures are most of what is ever answered.
  if (call === "sign") return value instanceof Uint8Array && value.length === 64;
  return v.is(ANSWER[call], value);
}

function isList<T>(message: unknown, fits: (item: unknown) => item is T): message is readonly T[] {
  return Array.isArray(message) && message.length > 0 && message.every(fits);
}

/** ENVELOPE with a `sign` command, without the schema's cost. Says no to what it does not know; the schema then has the word. */
export function isSignEnvelope(item: unknown): item is Envelope {
  if (!hasKeys(item, "id", "command") || !Number.isInteger(item["id"])) return false;
  const { command } = item;
  return (
    hasKeys(command, "call", "key", "digest") &&
    command["call"] === "sign" &&
    typeof command["key"] === "string" &&
    HEX_ID.test(command["key"]) &&
    command["digest"] instanceof Uint8Array &&
    command["digest"].length === 32
  );
}

/** REPLY of a call that succeeded, likewise. */
export function isOkReply(item: unknown): item is Reply {
  return hasKeys(item, "id", "ok", "value") && item["ok"] === true && Number.isFinite(item["id"]);
}

/** A plain object with these keys and no other. */
function hasKeys(value: unknown, ...keys: readonly string[]): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return false;
  return Object.keys(value).length === keys.length && keys.every((key) => Object.hasOwn(value, key));
}
