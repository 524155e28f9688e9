/** A member's key in a file: a private P-256 JWK of mode 0600, with which an initiator signs proposals. */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { exportJWK, generateKeyPair, importJWK } from "jose";
import * as v from "valibot";
import { type Claims, type MessageType, type Signer, signEnvelope } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { base64urlOf, type PublicJwk, PublicJwkSchema, thumbprint } from "../protocol/primitive.ts";

const PrivateJwkSchema = v.strictObject({ ...PublicJwkSchema.entries, d: base64urlOf(32) });

/** Makes a key file; an existing one is never overwritten. Returns the public half. @throws Fault ERR_SECRET */
export async function makeKeyFile(path: string): Promise<PublicJwk> {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const { kty, crv, x, y, d } = await exportJWK(privateKey);
  const jwk = v.parse(PrivateJwkSchema, { kty, crv, x, y, d });
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
  let text: string;
  try {
    if ((statSync(path).mode & 0o077) !== 0)
      throw new Fault("ERR_SECRET", `${path} can be read by others; run chmod 600 on it.`);
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault("ERR_SECRET", `The key file ${path} cannot be read; name it with --key FILE.`);
  }
  const parsed = v.safeParse(PrivateJwkSchema, parseJson(text));
  if (!parsed.success)
    throw new Fault("ERR_SECRET", `${path} is not a key file; make one with "opencustody members add".`);
  const key = await importJWK({ ...parsed.output }, "ES256").catch(() => undefined);
  if (key === undefined || key instanceof Uint8Array)
    throw new Fault("ERR_SECRET", `${path} holds no valid P-256 key; make one with "opencustody members add".`);
  const sign = async (input: Uint8Array) =>
    new Uint8Array(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, new Uint8Array(input)));
  return { kid: thumbprint(publicHalf(parsed.output)), sign };
}

/** A member's message to the agent, valid for five minutes. */
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
  return await signEnvelope(type, { ...claims, ...body } as unknown as T, signer);
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
