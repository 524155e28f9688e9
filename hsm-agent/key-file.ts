/**
 * A member's key in a file: a private P-256 JWK of mode 0600, with which its owner signs what is proposed, cancelled, invited and
 * vouched for. Nothing here prints a private half, or quotes from a file.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { exportJWK, generateKeyPair, importJWK } from "jose";
import * as v from "valibot";
import { type Claims, describeIssue, type MessageType, type Signer, signEnvelope } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { base64urlOf, type PublicJwk, PublicJwkSchema, thumbprint } from "../protocol/primitive.ts";

const PrivateJwkSchema = v.strictObject({ ...PublicJwkSchema.entries, d: base64urlOf(32) });

type PrivateJwk = v.InferOutput<typeof PrivateJwkSchema>;

/** A new P-256 key, with its private half `d`. */
export async function makePrivateJwk(): Promise<PrivateJwk> {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const { kty, crv, x, y, d } = await exportJWK(privateKey);
  return v.parse(PrivateJwkSchema, { kty, crv, x, y, d });
}

/** Makes a key file; an existing one is never overwritten. Returns the public half. @throws Fault ERR_SECRET */
export async function makeKeyFile(path: string): Promise<PublicJwk> {
  const jwk = await makePrivateJwk();
  try {
    writeFileSync(path, `${JSON.stringify(jwk)}\n`, { mode: 0o600, flag: "wx" });
  } catch {
    const why = existsSync(path)
      ? "exists already; name a new file"
      : "cannot be written; name a file in a folder of yours";
    throw new Fault("ERR_SECRET", `${path} ${why}.`);
  }
  return publicHalf(jwk);
}

/** Reads a key file. @throws Fault ERR_SECRET where it is missing, readable by others, or not a key */
export async function readKeyFile(path: string): Promise<Signer> {
  const value = readJwk(path, "name it with --key FILE");
  const parsed = v.safeParse(PrivateJwkSchema, value);
  if (!parsed.success)
    throw new Fault("ERR_SECRET", `${path} is not a key file; make one with "opencustody key new FILE".`);
  const key = await importP256(path, parsed.output);
  const sign = async (input: Uint8Array) =>
    new Uint8Array(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, new Uint8Array(input)));
  return { kid: thumbprint(publicHalf(parsed.output)), sign };
}

/**
 * The public half of a key, from a file with that half alone, or from a key file.
 * @throws Fault ERR_SECRET where it is missing, not a key, or a key file readable by others
 */
export async function readPublicKey(path: string): Promise<PublicJwk> {
  const parsed = v.safeParse(v.union([PublicJwkSchema, PrivateJwkSchema]), readJwk(path, "name it with --file FILE"));
  if (!parsed.success)
    throw new Fault(
      "ERR_SECRET",
      `${path} holds no key; "opencustody key new FILE" makes one and prints its public half.`,
    );
  await importP256(path, parsed.output);
  return publicHalf(parsed.output);
}

/** What the file holds as JSON. Whatever else is wrong with it, a private half that others can read is told first. */
function readJwk(path: string, advice: string): unknown {
  let text: string;
  let mode: number;
  try {
    ({ mode } = statSync(path));
    text = readFileSync(path, "utf8");
  } catch {
    throw new Fault("ERR_SECRET", `The key file ${path} cannot be read; ${advice}.`);
  }
  const value = parseJson(text);
  if ((mode & 0o077) !== 0 && !v.is(PublicJwkSchema, value))
    throw new Fault("ERR_SECRET", `${path} can be read by others; run chmod 600 on it.`);
  return value;
}

/** Node checks that the point is on the curve. */
async function importP256(path: string, jwk: PublicJwk | PrivateJwk): Promise<CryptoKey> {
  const key = await importJWK({ ...jwk }, "ES256").catch(() => undefined);
  if (key === undefined || key instanceof Uint8Array)
    throw new Fault("ERR_SECRET", `${path} holds no valid P-256 key; make one with "opencustody key new FILE".`);
  return key;
}

/** A member's message to the agent, valid for five minutes. @throws Fault ERR_USAGE where `body` does not fit the type */
export async function signAsMember<T extends Claims>(
  type: MessageType<T>,
  signer: Signer,
  agent: string,
  body: Omit<T, keyof Claims>,
): Promise<string> {
  const iat = Math.floor(Date.now() / 1000);
  const claims: Claims = {
    v: 1,
    iss: signer.kid,
    aud: [agent],
    jti: randomBytes(16).toString("base64url"),
    iat,
    exp: iat + 300,
  };
  const parsed = v.safeParse(type.schema, { ...claims, ...body });
  if (!parsed.success) throw new Fault("ERR_USAGE", `This does not fit: ${describeIssue(parsed.issues[0])}.`);
  return await signEnvelope(type, parsed.output, signer);
}

function publicHalf({ kty, crv, x, y }: PublicJwk): PublicJwk {
  return { kty, crv, x, y };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
