/** What every part of the agent works with: the record, the HSM, the identity, the time. No rules here. */
import { base64url } from "jose";
import type { Logger } from "pino";
import * as v from "valibot";
import type { Claims, MessageType, Signer } from "../protocol/envelope.ts";
import { signEnvelope } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { jwkOfPoint, type PublicJwk, sha256Hex, thumbprint } from "../protocol/primitive.ts";
import type { Hsm } from "./hsm/owner.ts";
import { signEs256 } from "./hsm/signer.ts";
import type { HsmKey } from "./hsm/wire.ts";
import type { Journal } from "./journal.ts";
import { PendingSchema, type People, PeopleSchema, withPending } from "./people.ts";
import { type Policy, PolicyTextSchema } from "./policy.ts";
import type { DocumentKind, DocumentRow, VaultRow } from "./rows.ts";

/** The HSM identity key: what signs everything that the agent decides. */
export interface Identity {
  readonly jwk: PublicJwk;
  readonly signer: Signer;
}

export interface Desk {
  readonly journal: Journal;
  readonly hsm: Hsm;
  readonly identity: Identity;
  readonly bridgeUrl: string;
  readonly log: Logger;
  /** Seconds since 1970; never below what the record already holds. */
  readonly now: () => number;
  /** Tells the link that something waits to be sent. */
  readonly wake: () => void;
}

/** How long a message of the agent may lie in a mailbox. Seconds. */
const MESSAGE_LIFE = 30 * 86_400;

export function identityOf(hsm: Hsm, key: HsmKey): Identity {
  const jwk = jwkOfPoint(key.publicKey);
  return { jwk, signer: { kid: thumbprint(jwk), sign: (input) => signEs256(hsm, key, input) } };
}

/** Sixteen random bytes from the HSM: a `jti`. */
export async function newJti(hsm: Hsm): Promise<string> {
  return base64url.encode(await hsm.random(16));
}

/** A message of the agent, signed by the HSM identity. */
export async function issue<T extends Claims>(
  desk: Desk,
  type: MessageType<T>,
  audience: readonly string[],
  body: Omit<T, keyof Claims>,
): Promise<{ jti: string; jws: string }> {
  const jti = await newJti(desk.hsm);
  const iat = desk.now();
  const claims: Claims = { v: 1, iss: desk.identity.signer.kid, aud: [...audience], jti, iat, exp: iat + MESSAGE_LIFE };
  // The schema of `type` checks the whole in signEnvelope; TypeScript cannot add the two halves of a generic.
  return { jti, jws: await signEnvelope(type, { ...claims, ...body } as unknown as T, desk.identity.signer) };
}

/** The people in force, with the devices that wait for confirmation. */
export function currentPeople(journal: Journal): People {
  const people = v.parse(PeopleSchema, JSON.parse(readDocument(journal, "people").text));
  return withPending(people, v.parse(PendingSchema, JSON.parse(readDocument(journal, "pending").text)));
}

export function currentPolicy(journal: Journal): Policy {
  const { n, text } = readDocument(journal, "policy");
  const { n: stored, ...rest } = JSON.parse(text) as { n: number };
  if (stored !== n)
    throw new Fault("ERR_STATE", "The stored policy has another number than its row; the agent's record was changed.");
  return { n, ...v.parse(PolicyTextSchema, rest) };
}

/** The document in force, only where it is what was stored. @throws Fault ERR_STATE */
function readDocument(journal: Journal, kind: DocumentKind): DocumentRow {
  const row = journal.document(kind);
  if (sha256Hex(new TextEncoder().encode(row.text)) !== row.digest)
    throw new Fault("ERR_STATE", `The stored ${kind} document was changed; restore the agent's record from a backup.`);
  return row;
}

/** @throws Fault ERR_VAULT_UNKNOWN */
export function findVault(journal: Journal, name: string): VaultRow {
  const vault = journal.vaults().find((row) => row.name === name);
  if (vault === undefined)
    throw new Fault("ERR_VAULT_UNKNOWN", `There is no vault ${name}; see "opencustody vault list".`);
  return vault;
}
