/**
 * Login: who a connection belongs to. An agent shows a card of its HSM identity, everybody else a key on that agent's
 * roster. Decides only; nothing is stored or sent here. protocol/README.md, "Login to the bridge".
 */
import { decodeJwt } from "jose";
import * as v from "valibot";
import { openEnvelope, peekEnvelope } from "../protocol/envelope.ts";
import { Fault, isFault } from "../protocol/error.ts";
import type { ClientFrame } from "../protocol/frame.ts";
import { CARD, LOGIN, type Login } from "../protocol/message.ts";
import { type PublicJwk, PublicJwkSchema, thumbprint } from "../protocol/primitive.ts";
import type { Rosters } from "./roster.ts";

export type LoginFrame = Extract<ClientFrame, { t: "login" }>;

/** What a login is judged by. */
export interface Gate {
  readonly url: string;
  /** The nonce of this very connection's hello. */
  readonly nonce: string;
  /** Seconds since 1970. */
  readonly now: number;
  /** Thumbprints of the agents served here. */
  readonly agents: readonly string[];
  readonly rosters: Rosters;
  /** Highest card number seen of an agent; 0 for none. */
  readonly cardOf: (agent: string) => number;
}

/** A card that was verified. */
export interface Certificate {
  /** Thumbprint of the HSM identity that signed it. */
  readonly agent: string;
  readonly n: number;
  readonly jws: string;
  readonly hsm: PublicJwk;
  /** The key that it certifies for logins. */
  readonly link: PublicJwk;
}

/**
 * Whom a connection was authenticated as. `agent` is the one that its login named, `key` its routing address: for an
 * agent its HSM identity.
 */
export interface Party {
  readonly agent: string;
  readonly key: string;
  /** That of the login. Set for an agent only. */
  readonly card: Certificate | null;
}

/**
 * Verifies a login. The numbers are those of protocol/README.md, "Verifying a login".
 * @throws Fault ERR_LOGIN_UNKNOWN, ERR_LOGIN_NONCE, ERR_CARD_OLD, ERR_ENVELOPE_*
 */
export async function admit(frame: LoginFrame, gate: Gate): Promise<Party> {
  return frame.card === null ? await admitClient(frame.jws, gate) : await admitAgent(frame.jws, frame.card, gate);
}

async function admitAgent(jws: string, cardJws: string, gate: Gate): Promise<Party> {
  // 1. The card is signed by an HSM identity that this bridge serves.
  const card = await unlessUnknown(openCard(cardJws, gate));
  // 2. It is not older than one that was seen.
  if (card.n < gate.cardOf(card.agent)) throw oldCard();
  // 3. The login is signed by the key that the card certifies, for that agent, over our nonce.
  const login = await openLogin(jws, gate, (kid) => (thumbprint(card.link) === kid ? card.link : undefined));
  if (login.agent !== card.agent) throw unknown();
  checkNonce(login, gate);
  return { agent: card.agent, key: card.agent, card };
}

async function admitClient(jws: string, gate: Gate): Promise<Party> {
  // 1. The key is on the roster of one of our agents, and its invite, if it is one, has not expired.
  const { rosters, now } = gate;
  const login = await openLogin(jws, gate, (kid) => {
    const [agent] = rosters.agentsOf(kid, now);
    return agent === undefined ? undefined : rosters.find(agent, kid, now)?.jwk;
  });
  // 2. It is on the roster of the agent that the login names.
  if (rosters.find(login.agent, login.iss, now) === undefined) throw unknown();
  // 3. The nonce is ours.
  checkNonce(login, gate);
  return { agent: login.agent, key: login.iss, card: null };
}

async function openLogin(jws: string, gate: Gate, keyOf: (kid: string) => PublicJwk | undefined): Promise<Login> {
  return (await unlessUnknown(openEnvelope(jws, { type: LOGIN, keyOf, audience: gate.url, now: gate.now }))).payload;
}

/** One answer for "not on the roster" and "on it, but not yours": a stranger learns nothing about who is. */
async function unlessUnknown<T>(opening: Promise<T>): Promise<T> {
  try {
    return await opening;
  } catch (error) {
    if (isFault(error, "ERR_ENVELOPE_KEY") || isFault(error, "ERR_ENVELOPE_SIGNATURE")) throw unknown(error);
    throw error;
  }
}

/**
 * Verifies a card of one of the agents that `gate` names.
 * @throws Fault ERR_ENVELOPE_*
 */
export async function openCard(jws: string, gate: Pick<Gate, "agents" | "url" | "now">): Promise<Certificate> {
  const { kid } = peekEnvelope(jws);
  const hsm = claimedIdentity(jws);
  // The key comes out of the message itself; it is used only because its thumbprint is one that is configured.
  const keyOf = () => (gate.agents.includes(kid) && thumbprint(hsm) === kid ? hsm : undefined);
  const { payload } = await openEnvelope(jws, { type: CARD, keyOf, audience: gate.url, now: gate.now });
  return { agent: payload.iss, n: payload.n, jws, hsm: payload.hsm, link: payload.link };
}

function claimedIdentity(jws: string): PublicJwk {
  try {
    return v.parse(PublicJwkSchema, decodeJwt(jws)["hsm"]);
  } catch (cause) {
    throw new Fault("ERR_ENVELOPE_PAYLOAD", "A card has no HSM identity key; it was not used.", { cause });
  }
}

function checkNonce(login: Login, gate: Gate): void {
  // A nonce lives as long as its connection, which takes one login: a login can be neither replayed nor carried over.
  if (login.bridgeNonce !== gate.nonce) {
    throw new Fault("ERR_LOGIN_NONCE", "The login answers another connection's nonce; connect again.");
  }
}

/** The refusal of a card that does not follow the newest one that was seen. */
export function oldCard(): Fault {
  return new Fault("ERR_CARD_OLD", "A newer card of this agent, or another of its number, was seen; use the newest.");
}

function unknown(cause?: unknown): Fault {
  return new Fault("ERR_LOGIN_UNKNOWN", "This key may not use this bridge; ask the operator.", { cause });
}
