/**
 * The link's work on the store: who logs in, what is sent, what is done with what comes. README.md, "The extension's records". A message
 * waits in the outbox as it was signed, and is sealed when it is sent, to the newest card.
 */
import { type Signer, signEnvelope } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { SYNC, type Sync, WITNESS } from "../protocol/message.ts";
import { type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import { seal } from "../protocol/seal.ts";
import { count } from "./arrival.ts";
import { frameIdOf, keepCard, openCard, sealOf } from "./card.ts";
import { claimsFor, clock } from "./compose.ts";
import { look, transact } from "./database.ts";
import { receive } from "./inbox.ts";
import { inviteSigner, signerOf } from "./keys.ts";
import type { Credentials, Moment, Outgoing, Station } from "./link.ts";
import { withSync } from "./log-memory.ts";
import { sendable } from "./outbox.ts";
import { currentSealKey } from "./seal-keys.ts";
import { loadKey, loadOutbox, loadPairing, loadRequests, type OutboxItem, type Problem, SELF } from "./store.ts";
import { isOpen, isUntold } from "./waiting.ts";

/** A sync that waits longer than this in the agent's mailbox is of no use: the next login sends another. Seconds. */
const SYNC_SECONDS = 3600;
/** The agent hands a witness on for so long. Seconds. */
const WITNESS_SECONDS = 30 * 24 * 3600;
/** The most that one sync may ask about; the newest are asked first. */
const SYNC_MOST = 500;

const NO_CARD: Problem = {
  code: "ERR_AGENT_UNREACHABLE",
  message:
    "The bridge has no valid card of your agent, so nothing can be sealed to it. What you sent is kept here, and goes out as soon as one comes. If this lasts, check this computer's clock, then call your operator.",
};

/**
 * `pinned`: speaks with the agent of the pinned identity. `next`: only while something waits for the next identity of a rotation, whose
 * card a bridge hands out to whoever logs in naming it; it says nothing else, and its state is nobody's concern.
 * `changed` is called after everything that was written down.
 */
export function makeStation(whom: "pinned" | "next", changed: () => Promise<void>): Station {
  return {
    credentials: whom === "pinned" ? credentials : nextCredentials,
    outgoing: async (moment) => await outgoing(moment, whom === "pinned"),
    card: async (jws, hsm) => {
      const outcome = { again: await takeCard(jws, hsm) };
      await changed();
      return outcome;
    },
    receive: async (body, from) => {
      const outcome = await receive(body, from, clock());
      await changed();
      return outcome;
    },
    status: async (state, problem) => {
      if (whom === "next") return;
      await transact(async (records) => {
        const now = await records.get("link", SELF);
        if (now?.state === state && now.problem?.message === problem?.message) return;
        records.put("link", SELF, { state, since: clock(), problem });
      });
    },
  };
}

async function credentials(): Promise<Credentials | null> {
  const pairing = await loadPairing();
  const key = await loadKey();
  if (pairing === null || key === null || pairing.state === "refused") return null;
  const { bridge, hsm, invite } = pairing;
  return { bridge, hsm, own: await signerOf(key), invite: invite === null ? null : await inviteSigner(invite) };
}

async function nextCredentials(): Promise<Credentials | null> {
  const pinned = await credentials();
  if (pinned === null || pinned.invite !== null) return null;
  const next = (await loadOutbox()).find((item) => item.to !== pinned.hsm && item.exp > clock());
  return next === undefined ? null : { ...pinned, hsm: next.to };
}

async function outgoing(
  { as, hsm, fresh, sent }: Moment,
  syncs: boolean,
): Promise<{ frames: Outgoing[]; problem: Problem | null }> {
  await forgetExpired();
  const pairing = await loadPairing();
  if (pairing === null) return { frames: [], problem: null };
  const key = sealOf(await look((records) => records.get("card", hsm)), pairing.bridge, clock());
  if (key === null) return { frames: [], problem: NO_CARD };
  const items = (await look(sendable)).filter(
    (item) => item.to === hsm && (item.kind === "pair") === (as === "invite"),
  );
  const due = syncs && fresh && as === "own" ? [await sync(hsm, key), ...items] : items;
  const frames = due.map((item) => ({ ...item, id: frameIdOf(item.jti, thumbprint(key)) }));
  const unsent = frames.filter(({ id }) => !sent.has(id));
  return { frames: await Promise.all(unsent.map(async (item) => await sealed(item, key))), problem: null };
}

async function sealed({ id, to, jws }: Sendable & { id: string }, key: PublicJwk): Promise<Outgoing> {
  return { id, to, body: await seal(jws, key) };
}

type Sendable = Pick<OutboxItem, "jti" | "to" | "jws">;

/** Asks for a welcome, the acts that are not known here, all open requests, and the receipts of those that look open here or ended with a RESTORE; says what is known of the log. */
async function sync(hsm: string, to: PublicJwk): Promise<Sendable> {
  const signer = await ourSigner();
  // A rotation that only the next identity asked for is not known to this agent.
  const ofTheirs = (await loadRequests()).filter((one) => !one.byNextIdentity || one.payload.iss === hsm);
  const known = [...ofTheirs.filter(isOpen), ...ofTheirs.filter(isUntold)].slice(0, SYNC_MOST);
  const charter = (await look((records) => records.get("charter", SELF)))?.n ?? 0;
  const { n, jwk: key } = await currentSealKey(clock());
  const claims = claimsFor(signer, hsm, clock(), SYNC_SECONDS);
  const log = await knownLog(claims.jti, signer, hsm);
  const payload = {
    ...claims,
    known: known.map((request) => request.id),
    charter,
    seal: { n, key },
    card: thumbprint(to),
    ...log,
  };
  return { jti: claims.jti, to: hsm, jws: await signEnvelope(SYNC, payload, signer) };
}

/** What is known here of the log, for the agent to compare and to hand on; its answer to this sync may say that it went back. */
async function knownLog(sync: string, signer: Signer, hsm: string): Promise<Pick<Sync, "log" | "witness">> {
  const known = await transact(async (records) => {
    const log = await records.get("log", SELF);
    if (log !== undefined) records.put("log", SELF, withSync(log, sync));
    return log ?? null;
  });
  const log = known?.head ?? null;
  if (known === null || known.note === null) return { log, witness: null };
  const claims = claimsFor(signer, hsm, clock(), WITNESS_SECONDS);
  return { log, witness: await signEnvelope(WITNESS, { ...claims, checkpoint: known.note }, signer) };
}

async function ourSigner(): Promise<Signer> {
  const key = await loadKey();
  if (key === null) throw new Fault("ERR_INVITE", "This browser has lost its key; unpair it and ask for a new invite.");
  return await signerOf(key);
}

/** True where it is a newer one. One that is refused is counted, and the one that is kept is used as long as it is valid. */
async function takeCard(jws: string, hsm: string): Promise<boolean> {
  const pairing = await loadPairing();
  if (pairing === null) return false;
  try {
    const card = await openCard(jws, hsm, pairing.bridge, clock());
    return await transact(async (records) => await keepCard(records, card));
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    // The agent was not there to renew it: the link says that nothing can be sent.
    if (error.code === "ERR_ENVELOPE_EXPIRED") return false;
    const message = `A card that claims to be your agent's was refused. ${error.message}`;
    await transact(async (records) => await count(records, { code: error.code, message }, clock()));
    return false;
  }
}

/** Nothing is sent after its expiry. */
async function forgetExpired(): Promise<void> {
  const expired = (await loadOutbox()).filter((item) => item.exp <= clock());
  if (expired.length === 0) return;
  await transact(async (records) => {
    for (const item of expired) records.remove("outbox", item.jti);
  });
}
