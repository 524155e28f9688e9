/** What every part of the agent works with: the record, the HSM, the identity, the charter, the time. No rules here. */
import { base64url } from "jose";
import type { Logger } from "pino";
import type { Applied, Charter } from "../protocol/charter.ts";
import type { Claims, MessageType, Signer } from "../protocol/envelope.ts";
import { signEnvelope } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { type DocumentReference, referencesOf } from "../protocol/governance.ts";
import { jwkOfPoint, type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import type { Hsm } from "./hsm/owner.ts";
import { signEs256 } from "./hsm/signer.ts";
import type { HsmKey } from "./hsm/wire.ts";
import type { Journal } from "./journal.ts";
import type { VaultRow } from "./rows.ts";
import type { Witnesses } from "./witnesses.ts";

/** The HSM identity key: what signs everything that the agent decides. */
export interface Identity {
  readonly jwk: PublicJwk;
  readonly signer: Signer;
}

/** A RESTORE: the number of its act, and how far it said that somebody's browser had seen the log (0 where it named nobody's). */
export interface GivenUp {
  readonly act: number;
  readonly size: number;
}

/** What an act gave up of the log; nothing where it is no RESTORE. */
export function givenUpBy({ charter, request }: Applied): GivenUp[] {
  return request.verb === "RESTORE" ? [{ act: charter.n, size: request.change.seen?.size ?? 0 }] : [];
}

/** Who may decide what, as the acts give it: in memory only, replayed at every start. */
export class CharterBook {
  #current: Charter | null = null;
  #references: { policy: DocumentReference; people: DocumentReference } | null = null;

  /** Keys of all HSM identities that the acts lead through, the one in force included. */
  identities: readonly PublicJwk[] = [];
  /** What the admins gave up. */
  givenUp: readonly GivenUp[] = [];

  /** null before the founding. */
  get current(): Charter | null {
    return this.#current;
  }

  set current(charter: Charter | null) {
    this.#current = charter;
    this.#references = charter === null ? null : referencesOf(charter);
  }

  /** @throws Fault ERR_FOUNDING */
  require(): Charter {
    if (this.#current === null) throw notFounded();
    return this.#current;
  }

  /** Numbers and digests of the documents in force. @throws Fault ERR_FOUNDING */
  references(): { policy: DocumentReference; people: DocumentReference } {
    if (this.#references === null) throw notFounded();
    return this.#references;
  }
}

function notFounded(): Fault {
  return new Fault("ERR_FOUNDING", "Not everybody has signed the founding yet; until then nothing else works.");
}

/** Who counts what the HSM does (metrics.ts). */
export interface Observer {
  /** The HSM made a signature; `seconds` from asking on. */
  signed(key: "identity" | "vault", seconds: number): void;
  checkpointSigned(): void;
}

export interface Desk {
  readonly journal: Journal;
  readonly hsm: Hsm;
  readonly identity: Identity;
  readonly charter: CharterBook;
  /** Whether this is the newest record. */
  readonly witnesses: Witnesses;
  /** Open requests that stand otherwise in this record than the log tells of them (untold.ts): none is signed or carried out. */
  readonly untold: ReadonlySet<string>;
  readonly bridgeUrl: string;
  readonly log: Logger;
  readonly observer: Observer;
  /** Seconds since 1970; never below what the record already holds. */
  readonly now: () => number;
  /** Since when the time is in doubt (clock.ts), in seconds, or null. */
  readonly clockInDoubt: () => number | null;
  /** Somebody who may propose looked at it. */
  readonly confirmClock: () => void;
  /** Tells whoever signs and sends that something waits. */
  readonly wake: () => void;
}

/** What is to be done after a change: requests to be driven further, and a new roster where people changed. */
export interface Consequence {
  readonly requests: readonly string[];
  readonly roster: boolean;
  /** The next HSM identity is in force: this agent has to begin anew with it. */
  readonly rotated?: boolean;
}
export const NOTHING: Consequence = { requests: [], roster: false };

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

/** A message of the agent, signed by the HSM identity. `exp` where it is not 30 days from now. */
export async function issue<T extends Claims>(
  desk: Desk,
  type: MessageType<T>,
  audience: readonly string[],
  body: Omit<T, keyof Claims>,
  exp?: number,
): Promise<{ jti: string; jws: string }> {
  const jti = await newJti(desk.hsm);
  const iat = desk.now();
  const claims: Claims = {
    v: 1,
    iss: desk.identity.signer.kid,
    aud: [...audience],
    jti,
    iat,
    exp: exp ?? iat + MESSAGE_LIFE,
  };
  // The schema of `type` checks the whole in signEnvelope; TypeScript cannot add the two halves of a generic.
  return { jti, jws: await signEnvelope(type, { ...claims, ...body } as unknown as T, desk.identity.signer) };
}

/** Thumbprints of every paired extension of every member. */
export function allExtensions(charter: Pick<Charter, "people">): string[] {
  return charter.people.members.flatMap((member) => member.extensions.map(thumbprint));
}

/** @throws Fault ERR_STATE while the identity of this token is not yet the one in force: until its ROTATE nothing else is asked */
export function requireOwnIdentity({ charter, identity }: Desk): void {
  const { current } = charter;
  if (current !== null && thumbprint(current.hsm) !== identity.signer.kid)
    throw new Fault(
      "ERR_STATE",
      'This token\'s identity is not in force yet; run "opencustody rotate" and have the admins approve it.',
    );
}

/** A vault's key in the HSM. @throws Fault ERR_VAULT_UNKNOWN */
export function findVault(journal: Journal, name: string): VaultRow {
  const vault = journal.vaults().find((row) => row.name === name);
  if (vault === undefined)
    throw new Fault("ERR_VAULT_UNKNOWN", `There is no vault ${name}; see "opencustody vault list".`);
  return vault;
}
