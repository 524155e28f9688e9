/** What the steps of `opencustody hsm check` work on, and how they try what may be refused. Decides nothing. */

import { Fault } from "../../protocol/error.ts";
import { type KeyPair, type Probe, reasonOf } from "./check-module.ts";
import type { Tried } from "./check-wire.ts";
import type { Session, Template, Token } from "./pkcs11.ts";
import { isLost } from "./rv.ts";
import type { Curve } from "./wire.ts";

/** A token that is logged in. All that a check puts into it carries `label`, and its key pairs carry `ids`. */
export interface Subject {
  readonly probe: Probe;
  readonly token: Token;
  readonly label: string;
  readonly ids: Readonly<Record<"token-p256" | "token-secp256k1", string>>;
}

/** CKA_EC_PARAMS: the curves' object identifiers in DER. */
export const EC_PARAMS: Readonly<Record<Curve, Buffer>> = {
  "P-256": Buffer.from("06082a8648ce3d030107", "hex"),
  secp256k1: Buffer.from("06052b8104000a", "hex"),
};

/** Gives `work` a session of its own. Objects of the session go with it. */
export async function inSession<T>(
  { probe, token }: Pick<Subject, "probe" | "token">,
  mode: "read-only" | "read-write",
  work: (session: Session) => Promise<T> | T,
): Promise<T> {
  const session = probe.openSession(token, mode);
  try {
    return await work(session);
  } finally {
    try {
      probe.closeSession(session);
    } catch {
      // It was dead already.
    }
  }
}

export const WORKS: Tried = { works: true };

/** Why something does not work that was not tried. */
export function no(reason: string): Tried {
  return { works: false, reason };
}

/** Tries; a refusal is an answer. A lost session, login or token is not: it says nothing of what was tried. @throws Fault */
export async function attempt(work: () => unknown): Promise<Tried> {
  try {
    await work();
    return WORKS;
  } catch (error) {
    return refusal(error);
  }
}

/** What a fault says as an answer. @throws the fault itself, where session, login or token is lost, and what is no fault */
export function refusal(error: unknown): Tried {
  if (!(error instanceof Fault) || isLost(error)) throw error;
  return no(reasonOf(error));
}

/** A key pair that goes with its session. `privateKey` is the whole template of the private half besides CKA_TOKEN. */
export async function makePair(
  { probe }: Pick<Subject, "probe">,
  session: Session,
  curve: Curve,
  privateKey: Template,
): Promise<KeyPair> {
  const publicKey: Template = { TOKEN: false, PRIVATE: false, VERIFY: true, EC_PARAMS: EC_PARAMS[curve] };
  return await probe.generateEcKeyPair(session, publicKey, { TOKEN: false, ...privateKey });
}

/** The least that a private key of ours is told. */
export const SIGNING_KEY: Template = { PRIVATE: true, SENSITIVE: true, EXTRACTABLE: false, SIGN: true };

/** As makePair on secp256k1, and on P-256 where the token does not know that. */
export async function makeAnyPair(
  subject: Pick<Subject, "probe">,
  session: Session,
  privateKey: Template,
): Promise<KeyPair & { readonly curve: Curve }> {
  try {
    return { ...(await makePair(subject, session, "secp256k1", privateKey)), curve: "secp256k1" };
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== "ERR_HSM_UNSUPPORTED") throw error;
    return { ...(await makePair(subject, session, "P-256", privateKey)), curve: "P-256" };
  }
}
