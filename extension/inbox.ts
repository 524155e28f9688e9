/**
 * What happens to a message that the bridge delivered: unsealed, verified, then written down in one transaction; only after that is it
 * acknowledged (link.ts). README.md, "Receiving". Deliveries repeat and come in any order: every handler may run twice, and a worker
 * killed between two of its steps does them again. What fails verification is never used: it is counted, and the person is told.
 */
import { decodeJwt } from "jose";
import { ACT } from "../protocol/charter.ts";
import { peekEnvelope } from "../protocol/envelope.ts";
import { Fault, isFault } from "../protocol/error.ts";
import { FREEZES, REFUSAL, RESEAL, WELCOME } from "../protocol/message.ts";
import { REQUEST } from "../protocol/request.ts";
import { peekSeal, unseal } from "../protocol/seal.ts";
import { isView } from "../protocol/view.ts";
import { AGAIN, type Arrival, count, DONE, type Outcome, write } from "./arrival.ts";
import { receiveAct } from "./receive-act.ts";
import { receiveFreezes, receiveRefusal, receiveReseal } from "./receive-answer.ts";
import { receiveRequest } from "./receive-request.ts";
import { receiveView } from "./receive-view.ts";
import { receiveWelcome } from "./receive-welcome.ts";
import { isGivenUp, openingKeys } from "./seal-keys.ts";
import { loadPairing, type Problem } from "./store.ts";

/**
 * Takes one delivered body. When it resolves, whatever it meant is durable and it may be acknowledged; where it rejects (the store
 * failed), it must not be. `from` is the sender that the bridge names. `now` in seconds.
 */
export async function receive(body: string, from: string, now: number): Promise<Outcome> {
  const pairing = await loadPairing();
  if (pairing === null || pairing.state === "refused") return DONE;
  let message = "";
  let sealedTo: string | null = null;
  try {
    sealedTo = peekSeal(body).kid;
    message = await unseal(body, await openingKeys());
    return await handle({ message, from, pairing, sealedTo, now });
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    // From before a RESTORE, or of an agent that has not yet been told of the new key. A sync tells, and asks.
    if (isFault(error, "ERR_SEAL_KEY") && sealedTo !== null && (await isGivenUp(sealedTo))) return AGAIN;
    // An old message of the HSM's own. What it said is asked for at every login (SYNC), as it is now.
    if (isFault(error, "ERR_ENVELOPE_EXPIRED")) return DONE;
    await noteRefused({ message, pairing, now }, error);
    // Sealed to a key that is deleted by now: what it said is asked for, and comes sealed to the newest.
    return { again: isFault(error, "ERR_SEAL_KEY") };
  }
}

async function handle(arrival: Arrival): Promise<Outcome> {
  if (isView(arrival.message)) return await receiveView(arrival);
  const { typ } = peekEnvelope(arrival.message);
  switch (typ) {
    case REQUEST.typ:
      return await receiveRequest(arrival);
    case ACT.typ:
      return await receiveAct(arrival);
    case REFUSAL.typ:
      return await receiveRefusal(arrival);
    case WELCOME.typ:
      return await receiveWelcome(arrival);
    case FREEZES.typ:
      return await receiveFreezes(arrival);
    case RESEAL.typ:
      return await receiveReseal(arrival);
    default:
      throw new Fault("ERR_ENVELOPE_TYPE", `Its type ${typ} is not known here; this extension may need an update.`);
  }
}

/** Counts a refused message. Where it claims to be about a request that we have, that request's page says so as well. */
async function noteRefused(
  { message, pairing, now }: Pick<Arrival, "message" | "pairing" | "now">,
  fault: Fault,
): Promise<void> {
  const told = `A message that claims to come from your HSM failed verification and was not used. ${fault.message}`;
  const problem: Problem = { code: fault.code, message: told };
  const about = claimedRequest(message);
  await write({ pairing, sealedTo: null }, async (records) => {
    await count(records, problem, now);
    const request = await records.get("requests", about);
    if (request !== undefined) records.put("requests", request.id, { ...request, notice: problem });
  });
}

/** Unverified: only to choose where to tell of a refused message. A view is about the log, and told in the inbox. */
function claimedRequest(message: string): string {
  try {
    const { request } = decodeJwt(message);
    return typeof request === "string" ? request : "";
  } catch {
    return "";
  }
}
