/**
 * What the handlers of a delivered message share: the message and whose it claims to be, how it is opened, and the one transaction in
 * which it is written down. README.md, "Receiving". Which message does what is in inbox.ts and the receive-*.ts beside it.
 */
import { type Claims, type MessageType, type Opened, openEnvelope } from "../protocol/envelope.ts";
import { Fault, isFault } from "../protocol/error.ts";
import { type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import { type Records, transact } from "./database.ts";
import { signingKeyOf } from "./hsm-key.ts";
import { isKept } from "./seal-keys.ts";
import { loadRequests, type Pairing, type Problem, SELF } from "./store.ts";

/** An unsealed message, nothing of it verified. */
export interface Arrival {
  /** A compact JWS, or a view of the log. */
  readonly message: string;
  /** Thumbprint of the sender, by the bridge's word. */
  readonly from: string;
  /** As it was when the message came. */
  readonly pairing: Pairing;
  /** Thumbprint of the receiving key that opened it; null of what did not open. */
  readonly sealedTo: string | null;
  /** Seconds. */
  readonly now: number;
}

export interface Outcome {
  /** A sync is to ask for something that is missing. */
  readonly again: boolean;
  /** It cannot wait: until then nothing that comes can be opened. */
  readonly atOnce?: true;
  /** The log was proved to go on from what was known. */
  readonly proved?: true;
}
export const DONE: Outcome = { again: false };
export const AGAIN: Outcome = { again: true };
export const AT_ONCE: Outcome = { again: true, atOnce: true };
export const PROVED: Outcome = { again: false, proved: true };

/** Opens a message of the pinned HSM identity to us; while pairing, also one to the invite's key. @throws Fault ERR_ENVELOPE_* */
export async function openPinned<T extends Claims>(arrival: Arrival, type: MessageType<T>): Promise<Opened<T>> {
  const { message, from, pairing, now } = arrival;
  if (from !== pairing.hsm) throw strange();
  const jwk = pairing.hsmJwk ?? signingKeyOf(message, pairing.hsm);
  const keyOf = (kid: string): PublicJwk | undefined => (kid === pairing.hsm ? jwk : undefined);
  try {
    return await openEnvelope(message, { type, keyOf, audience: pairing.kid, now });
  } catch (error) {
    if (pairing.invite === null || !isFault(error, "ERR_ENVELOPE_AUDIENCE")) throw error;
    return await openEnvelope(message, { type, keyOf, audience: thumbprint(pairing.invite.key), now });
  }
}

/** The same, or one of the next identity whose rotation is stored here: it may answer what was sent to it. @throws Fault ERR_ENVELOPE_* */
export async function openAnswer<T extends Claims>(arrival: Arrival, type: MessageType<T>): Promise<Opened<T>> {
  const { message, from, pairing, now } = arrival;
  if (from === pairing.hsm) return await openPinned(arrival, type);
  const to = await nextIdentity(from);
  const keyOf = (kid: string): PublicJwk | undefined => (kid === from ? to : undefined);
  return await openEnvelope(message, { type, keyOf, audience: pairing.kid, now });
}

/** The next identity with thumbprint `kid`, whose own rotation is stored here. @throws Fault ERR_ENVELOPE_KEY */
export async function nextIdentity(kid: string): Promise<PublicJwk> {
  const next = (await loadRequests()).find(({ byNextIdentity, payload }) => byNextIdentity && payload.iss === kid);
  if (next?.payload.verb !== "ROTATE") throw strange();
  return next.payload.change.to;
}

/**
 * One transaction, and nothing where this browser was unpaired or paired anew, or the key that opened the message was given up, while the
 * message was being verified.
 */
export async function write(
  { pairing, sealedTo }: Pick<Arrival, "pairing" | "sealedTo">,
  work: (records: Records, current: Pairing) => Promise<void>,
): Promise<void> {
  await transact(async (records) => {
    const current = await records.get("pairing", SELF);
    if (current?.kid !== pairing.kid) return;
    if (sealedTo === null || (await isKept(records, sealedTo))) await work(records, current);
  });
}

/** Counts something that was refused and not used. `now` in seconds. */
export async function count(records: Records, problem: Problem, now: number): Promise<void> {
  const before = await records.get("notices", problem.code);
  records.put("notices", problem.code, { ...problem, count: (before?.count ?? 0) + 1, at: now });
}

export function strange(): Fault {
  return new Fault("ERR_ENVELOPE_KEY", "It comes from somebody else than the agent that this browser is paired with.");
}
