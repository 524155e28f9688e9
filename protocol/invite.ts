/**
 * An invite: a one-time P-256 key pair, the bridge to use it at and the HSM identity to pin. README.md, "Invite".
 * Whoever holds the code may send one pairing message before it expires: hand it over as you would a key.
 */
import { base64url } from "jose";
import * as v from "valibot";
import { Fault } from "./error.ts";
import { base64urlOf, PublicJwkSchema, ThumbprintSchema } from "./primitive.ts";

/** `wss:`, or `ws:` to this machine only. */
export const BridgeUrlSchema = v.pipe(
  v.string(),
  v.maxLength(256),
  v.check((text) => isBridgeUrl(text), "a bridge is wss://host/, or ws://127.0.0.1:8787/ for development, ending in /"),
);

/** The one loopback port that the shipped extension's content security policy lets it reach without TLS. */
export const DEVELOPMENT_BRIDGE = "ws://127.0.0.1:8787/";

function isBridgeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  if (url.href !== text || url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "")
    return false;
  return url.protocol === "wss:" || (url.protocol === "ws:" && url.hostname === "127.0.0.1");
}

const InviteSchema = v.strictObject({
  v: v.literal(1),
  bridge: BridgeUrlSchema,
  /** Thumbprint of the HSM identity key. */
  hsm: ThumbprintSchema,
  key: PublicJwkSchema,
  /** Private half of `key`. */
  d: base64urlOf(32),
});
export type Invite = v.InferOutput<typeof InviteSchema>;

const PREFIX = "opencustody-invite-";

/** The code as people paste it: one word. */
export function encodeInvite(invite: Invite): string {
  return PREFIX + base64url.encode(new TextEncoder().encode(JSON.stringify(invite)));
}

/** @throws Fault ERR_INVITE */
export function parseInvite(code: string): Invite {
  const text = code.trim();
  if (text.startsWith(PREFIX) && text.length < 2048) {
    try {
      const parsed = v.safeParse(
        InviteSchema,
        JSON.parse(new TextDecoder().decode(base64url.decode(text.slice(PREFIX.length)))),
      );
      if (parsed.success && encodeInvite(parsed.output) === text) return parsed.output;
    } catch {
      // Falls through to the one refusal below: what is wrong with it does not matter to the person.
    }
  }
  throw new Fault(
    "ERR_INVITE",
    "This is not a whole invite code; copy all of it, from opencustody-invite- to its end.",
  );
}
