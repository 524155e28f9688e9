/** The link's work on the store: who logs in, what is sent, what is done with what comes. README.md, "The extension's records". */
import { seal, signEnvelope } from "../protocol/envelope.ts";
import { SYNC } from "../protocol/message.ts";
import { claimsFor, clock } from "./compose.ts";
import { receive } from "./inbox.ts";
import { inviteSigner, signerOf } from "./keys.ts";
import type { Credentials, Outgoing, Station } from "./link.ts";
import { loadKey, loadOutbox, loadPairing, loadRequests, SELF, transact } from "./store.ts";
import { isOpen } from "./waiting.ts";

/** A sync that waits longer than this in the agent's mailbox is of no use: the next login sends another. Seconds. */
const SYNC_SECONDS = 3600;
/** The most that one sync may ask about; the newest are asked first. */
const SYNC_MOST = 500;

/** `changed` is called after every message that was written down. */
export function makeStation(changed: () => Promise<void>): Station {
  return {
    credentials,
    outgoing: async (as, fresh) => {
      const items = (await loadOutbox()).filter((item) => (item.kind === "pair") === (as === "invite"));
      const pairing = await loadPairing();
      if (pairing === null) return [];
      await forgetExpired();
      const messages = items
        .filter((item) => item.exp > clock())
        .map((item) => ({ id: item.jti, to: pairing.hsm, body: seal(item.jws) }));
      return fresh && as === "own" ? [await sync(pairing.hsm), ...messages] : messages;
    },
    receive: async (body) => {
      await receive(body, clock());
      await changed();
    },
    status: async (state, problem) => {
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

/** Asks for a welcome, all open requests, and the receipts of those that look open here. */
async function sync(hsm: string): Promise<Outgoing> {
  const key = await loadKey();
  if (key === null) throw new Error("logged in without a key");
  const signer = await signerOf(key);
  const known = (await loadRequests()).filter(isOpen).slice(0, SYNC_MOST);
  const claims = claimsFor(signer, hsm, clock(), SYNC_SECONDS);
  const jws = await signEnvelope(SYNC, { ...claims, known: known.map((request) => request.id) }, signer);
  return { id: claims.jti, to: hsm, body: seal(jws) };
}

/** Nothing is sent after its expiry. */
async function forgetExpired(): Promise<void> {
  const expired = (await loadOutbox()).filter((item) => item.exp <= clock());
  if (expired.length === 0) return;
  await transact(async (records) => {
    for (const item of expired) records.remove("outbox", item.jti);
  });
}
