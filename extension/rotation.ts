/**
 * From one HSM identity to the next, once an act that the devices' quorum carried says so: the pin, the cards and what waits to be sent.
 * README.md, "Charter". Whether it may happen is receive-act.ts.
 */
import { decodeJwt } from "jose";
import * as v from "valibot";
import { type Claims, type MessageType, type Signer, signEnvelope } from "../protocol/envelope.ts";
import { ENROLMENT, FREEZE, REJECTION, WITHDRAWAL } from "../protocol/message.ts";
import { type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import type { Records } from "./database.ts";
import { signerOf } from "./keys.ts";
import { takeBack } from "./outbox.ts";
import { loadKey, loadOutbox, loadPairing, type OutboxItem, type Pairing, type Problem, SELF } from "./store.ts";

/** Only that no receipt came is known here: a bridge may keep one back. */
const REPLACED: Problem = {
  code: "ERR_REQUEST_STATE",
  message:
    "The HSM's identity was replaced before a receipt of this approval came: whether it counted is not known here. Ask your operator before the request is made anew.",
};

/** Stops and enrolments that wait for the pinned identity, signed anew for the next one under their own ids. An approval is of its request. */
export async function readdress(next: string): Promise<OutboxItem[]> {
  const key = await loadKey();
  const pairing = await loadPairing();
  if (key === null || pairing === null) return [];
  const signer = await signerOf(key);
  const waiting = (await loadOutbox()).filter((item) => item.to === pairing.hsm && !isBound(item));
  return await Promise.all(
    waiting.map(async (item) => ({ ...item, to: next, jws: await signAgain(item, next, signer) })),
  );
}

/**
 * Pins `next` and forgets the identity before it. False, and nothing is written, where something else than `messages` has come into the
 * outbox since they were made.
 */
export async function adopt(
  records: Records,
  pairing: Pairing,
  next: PublicJwk,
  messages: readonly OutboxItem[],
): Promise<boolean> {
  const hsm = thumbprint(next);
  const old = (await records.all("outbox")).filter((item) => item.to === pairing.hsm);
  const isMade = (item: OutboxItem) => messages.some(({ jti }) => jti === item.jti);
  if (!old.every((item) => isBound(item) || isMade(item))) return false;
  for (const item of old) {
    const made = messages.find(({ jti }) => jti === item.jti);
    if (made !== undefined) records.put("outbox", item.jti, made);
    else await takeBack(records, item, REPLACED);
  }
  for (const card of await records.all("card")) if (card.hsm !== hsm) records.remove("card", card.hsm);
  const former = pairing.hsmJwk === null ? pairing.former : [...pairing.former, pairing.hsmJwk];
  records.put("pairing", SELF, { ...pairing, hsm, hsmJwk: next, former, welcomedAt: 0 });
  return true;
}

/** Of no use to another identity than the one it is for. */
function isBound({ kind }: OutboxItem): boolean {
  return kind === "approval" || kind === "pair";
}

async function signAgain({ kind, jws }: OutboxItem, next: string, signer: Signer): Promise<string> {
  const sign = async <T extends Claims>(type: MessageType<T>): Promise<string> =>
    await signEnvelope(type, { ...v.parse(type.schema, decodeJwt(jws)), aud: [next] }, signer);
  switch (kind) {
    case "enrolment":
      return await sign(ENROLMENT);
    case "rejection":
      return await sign(REJECTION);
    case "withdrawal":
      return await sign(WITHDRAWAL);
    case "freeze":
      return await sign(FREEZE);
    case "approval":
    case "pair":
      throw new TypeError(`a message of kind ${kind} is bound to its identity`);
  }
}
