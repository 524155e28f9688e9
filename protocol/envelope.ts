/**
 * Signed envelopes: compact JWS (RFC 7515), ES256 only, in one canonical spelling. README.md, "Envelopes".
 * What hides them from the bridge is seal.ts.
 * Nothing here holds a private key: signing is a callback, to the HSM, to WebCrypto or to a key file.
 */
import { base64url, compactVerify, decodeProtectedHeader, importJWK } from "jose";
import * as v from "valibot";
import { Fault } from "./error.ts";
import { base64urlOf, type PublicJwk, SecondsSchema, ThumbprintSchema } from "./primitive.ts";

/** Clocks may differ by this much. Seconds. */
export const CLOCK_SKEW = 120;

/** What signs: a key's thumbprint and a callback that returns r || s (64 bytes) of ES256 over the bytes. */
export interface Signer {
  readonly kid: string;
  sign(signingInput: Uint8Array): Promise<Uint8Array>;
}

/** Claims that every envelope carries. `aud` are thumbprints of the receivers (the bridge's URL in a login). */
export interface Claims {
  readonly v: 1;
  readonly iss: string;
  readonly aud: readonly string[];
  /** 16 random bytes; also the frame's id. */
  readonly jti: string;
  readonly iat: number;
  readonly exp: number;
}

/** The entries of the claims, to be spread into a payload's closed schema. */
export const claimEntries = {
  v: v.literal(1),
  iss: ThumbprintSchema,
  aud: v.pipe(v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(512))), v.minLength(1), v.maxLength(256)),
  jti: base64urlOf(16),
  iat: SecondsSchema,
  exp: SecondsSchema,
};

const HeaderSchema = v.strictObject({
  alg: v.literal("ES256"),
  typ: v.pipe(v.string(), v.regex(/^oc-[a-z]+\+jws$/)),
  kid: ThumbprintSchema,
});

/** A message type: its `typ` and the closed schema of its payload. */
export interface MessageType<T extends Claims = Claims> {
  readonly typ: `oc-${string}+jws`;
  readonly schema: v.GenericSchema<unknown, T>;
}

export interface Opened<T> {
  readonly payload: T;
  /** The exact payload bytes: what a digest is taken of. */
  readonly bytes: Uint8Array;
}

/** Signs `payload` and returns the compact JWS. The payload's `iss` must be the signer's thumbprint. */
export async function signEnvelope<T extends Claims>(
  type: MessageType<T>,
  payload: T,
  signer: Signer,
): Promise<string> {
  if (payload.iss !== signer.kid) throw new TypeError("the issuer of an envelope is the key that signs it");
  return await signPayload(type, payloadText(type, payload), signer);
}

/** Signs a payload that `payloadText` made earlier, byte for byte: its digest is in a statement already. */
export async function signPayload(type: MessageType, text: string, signer: Signer): Promise<string> {
  const header = { alg: "ES256", typ: type.typ, kid: signer.kid };
  const input = `${encode(JSON.stringify(header))}.${encode(text)}`;
  return `${input}.${base64url.encode(await signer.sign(new TextEncoder().encode(input)))}`;
}

/** The exact bytes that `signEnvelope` will sign as payload, for the digest of a request not yet signed. */
export function payloadText<T extends Claims>(type: MessageType<T>, payload: T): string {
  const parsed = v.safeParse(type.schema, payload);
  if (!parsed.success) throw new TypeError(`payload of ${type.typ}: ${describeIssue(parsed.issues[0])}`);
  // The schema's output, so that the members stand in its order whoever composed them.
  return JSON.stringify(parsed.output);
}

export interface Expectation<T extends Claims> {
  readonly type: MessageType<T>;
  /** The pinned keys; `kid` only selects among them. */
  readonly keyOf: (kid: string) => PublicJwk | undefined;
  /** Our own thumbprint, or the bridge's URL. */
  readonly audience: string;
  /** Seconds since 1970. */
  readonly now: number;
}

/**
 * Verifies a compact JWS. The numbers are those of README.md, "Verifying an envelope".
 * @throws Fault ERR_ENVELOPE_*
 */
export async function openEnvelope<T extends Claims>(jws: string, expected: Expectation<T>): Promise<Opened<T>> {
  // 1. Three parts, each canonical base64url.
  const parts = jws.split(".");
  if (parts.length !== 3 || !parts.every((part) => part !== "" && isCanonical(part))) {
    throw new Fault("ERR_ENVELOPE_MALFORMED", "A message is not a compact JWS in canonical form; it was not used.");
  }
  const [, payloadPart = ""] = parts;
  // 2. The header has exactly alg, typ and kid; alg is ES256.
  const header = parseHeader(jws);
  // 3. The type is the one expected here.
  if (header.typ !== expected.type.typ) {
    throw new Fault(
      "ERR_ENVELOPE_TYPE",
      `A message of type ${header.typ} came where ${expected.type.typ} belongs; it was not used.`,
    );
  }
  // 4. The key is pinned, and its signature verifies.
  const jwk = expected.keyOf(header.kid);
  if (jwk === undefined) {
    throw new Fault("ERR_ENVELOPE_KEY", "A message is signed by a key that is not known here; it was not used.");
  }
  try {
    await compactVerify(jws, await importJWK({ ...jwk }, "ES256"), { algorithms: ["ES256"] });
  } catch (cause) {
    throw new Fault("ERR_ENVELOPE_SIGNATURE", "A message's signature does not verify; it was not used.", { cause });
  }
  // 5. The payload is canonical JSON that fits the closed schema of its type.
  const bytes = base64url.decode(payloadPart);
  const payload = parsePayload(bytes, expected.type);
  // 6. The issuer is the key; the audience names us.
  if (payload.iss !== header.kid) {
    throw new Fault("ERR_ENVELOPE_KEY", "A message names another issuer than the key that signed it; it was not used.");
  }
  if (!payload.aud.includes(expected.audience)) {
    throw new Fault("ERR_ENVELOPE_AUDIENCE", "A message is meant for somebody else; it was not used.");
  }
  // 7. The time is right.
  if (payload.iat > expected.now + CLOCK_SKEW) {
    throw new Fault("ERR_ENVELOPE_TIME", "A message comes from the future; set this computer's clock.");
  }
  if (payload.exp <= expected.now || payload.exp <= payload.iat)
    throw new Fault("ERR_ENVELOPE_EXPIRED", "A message has expired; it was not used.");
  return { payload, bytes };
}

/** The type and key that a JWS claims, unverified: only to choose what to verify it as. */
export function peekEnvelope(jws: string): { typ: string; kid: string } {
  return parseHeader(jws);
}

function parseHeader(jws: string): v.InferOutput<typeof HeaderSchema> {
  let header: unknown;
  try {
    header = decodeProtectedHeader(jws);
  } catch (cause) {
    throw new Fault("ERR_ENVELOPE_MALFORMED", "A message is not a compact JWS; it was not used.", { cause });
  }
  if (typeof header === "object" && header !== null && "alg" in header && header.alg !== "ES256") {
    throw new Fault("ERR_ENVELOPE_ALG", "A message is not signed with ES256; it was not used.");
  }
  const parsed = v.safeParse(HeaderSchema, header);
  const canonical = parsed.success && encode(JSON.stringify(parsed.output)) === jws.split(".", 1)[0];
  if (!canonical) {
    throw new Fault("ERR_ENVELOPE_HEADER", "A message's header is not exactly alg, typ and kid; it was not used.");
  }
  return parsed.output;
}

function parsePayload<T extends Claims>(bytes: Uint8Array, type: MessageType<T>): T {
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch (cause) {
    throw new Fault("ERR_ENVELOPE_PAYLOAD", "A message's payload is not JSON; it was not used.", { cause });
  }
  const parsed = v.safeParse(type.schema, value);
  if (!parsed.success) {
    throw new Fault(
      "ERR_ENVELOPE_PAYLOAD",
      `A message's payload does not fit ${type.typ} (${describeIssue(parsed.issues[0])}); both sides need the same version.`,
    );
  }
  // One spelling only: no white space, no member twice, members in the schema's order, one form of a number or a string.
  if (JSON.stringify(parsed.output) !== text) {
    throw new Fault("ERR_ENVELOPE_PAYLOAD", "A message's payload is not in canonical form; it was not used.");
  }
  return parsed.output;
}

/** Where and what of a schema's first complaint, e.g. `quorum.threshold: Invalid type`. Holds no values. */
export function describeIssue(issue: v.BaseIssue<unknown>): string {
  // A stranger chose the names of unknown members.
  const path =
    v
      .getDotPath(issue)
      ?.replaceAll(/[^\x20-\x7e]/g, "?")
      .slice(0, 120) ?? null;
  const message =
    issue.type === "check" || issue.type === "regex" ? issue.message : `expected ${issue.expected ?? "another form"}`;
  return path === null ? message : `${path}: ${message}`;
}

function isCanonical(part: string): boolean {
  if (!/^[A-Za-z0-9_-]+$/.test(part)) return false;
  try {
    return base64url.encode(base64url.decode(part)) === part;
  } catch {
    return false;
  }
}

function encode(text: string): string {
  return base64url.encode(new TextEncoder().encode(text));
}
