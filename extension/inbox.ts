/**
 * What happens to a message that the bridge delivered: verified, then written down in one transaction; only after that is it
 * acknowledged (link.ts). README.md, "Receiving". Deliveries repeat and come in any order: every handler may run twice, and a worker
 * killed between two of its steps does them again. What fails verification is never used: it is counted, and the person is told.
 */
import { decodeJwt } from "jose";
import {
  type Claims,
  type MessageType,
  type Opened,
  openEnvelope,
  peekEnvelope,
  unseal,
} from "../protocol/envelope.ts";
import { Fault, isFault } from "../protocol/error.ts";
import { RECEIPT, REFUSAL, type Receipt, type Refusal, WELCOME } from "../protocol/message.ts";
import { type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import { REQUEST, requestDigest } from "../protocol/request.ts";
import { checkRequest, openRequest, trustOf } from "./check.ts";
import { mergeDevices } from "./enrolled.ts";
import { signingKeyOf } from "./hsm-key.ts";
import { loadPairing, type Pairing, type Problem, type Records, SELF, type StoredRequest, transact } from "./store.ts";

/**
 * Takes one delivered body. When it resolves, whatever it meant is durable and it may be acknowledged; where it rejects (the store
 * failed), it must not be. `now` in seconds.
 */
export async function receive(body: string, now: number): Promise<void> {
  const pairing = await loadPairing();
  if (pairing === null || pairing.state === "refused") return;
  const jws = unseal(body);
  try {
    await handle(jws, pairing, now);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    // An old message of the HSM's own. What it said is asked for at every login (SYNC), as it is now.
    if (isFault(error, "ERR_ENVELOPE_EXPIRED")) return;
    await noteRefused(jws, error, pairing, now);
  }
}

async function handle(jws: string, pairing: Pairing, now: number): Promise<void> {
  const { typ } = peekEnvelope(jws);
  switch (typ) {
    case REQUEST.typ:
      return await receiveRequest(jws, pairing, now);
    case RECEIPT.typ:
      return await receiveReceipt((await open(jws, RECEIPT, pairing, now)).payload, pairing);
    case REFUSAL.typ:
      return await receiveRefusal((await open(jws, REFUSAL, pairing, now)).payload, pairing);
    case WELCOME.typ:
      return await receiveWelcome(jws, pairing, now);
    default:
      throw new Fault("ERR_ENVELOPE_TYPE", `Its type ${typ} is not known here; this extension may need an update.`);
  }
}

/** Opens a message of the pinned HSM identity to us; while pairing, also one to the invite's key. */
async function open<T extends Claims>(
  jws: string,
  type: MessageType<T>,
  pairing: Pairing,
  now: number,
): Promise<Opened<T>> {
  const jwk = pairing.hsmJwk ?? signingKeyOf(jws, pairing.hsm);
  const keyOf = (kid: string): PublicJwk | undefined => (kid === pairing.hsm ? jwk : undefined);
  try {
    return await openEnvelope(jws, { type, keyOf, audience: pairing.kid, now });
  } catch (error) {
    if (pairing.invite === null || !isFault(error, "ERR_ENVELOPE_AUDIENCE")) throw error;
    return await openEnvelope(jws, { type, keyOf, audience: thumbprint(pairing.invite.key), now });
  }
}

async function receiveRequest(jws: string, pairing: Pairing, now: number): Promise<void> {
  // Not paired yet: nobody here can judge it. The login after the welcome asks for all open requests again.
  if (pairing.state === "pairing") return;
  const trust = trustOf(pairing, now);
  const { payload, bytes } = await openRequest(jws, trust);
  const digest = requestDigest(bytes);
  const problem = await findProblem(jws, { ...trust, now: Math.min(now, payload.exp - 1) });
  await write(pairing, async (records) => {
    const known = await records.get("requests", payload.request);
    if (known !== undefined) {
      if (known.digest === digest) return;
      const twice = "Another request came under the id of this one. Do not approve it; tell your operator.";
      const changed = { code: "ERR_REQUEST_DIFFERS", message: twice };
      records.put("requests", known.id, { ...known, problem: known.problem ?? changed });
      return;
    }
    const early = await records.get("early", payload.request);
    const receipt = early?.digest === digest ? early : null;
    records.remove("early", payload.request);
    const row = { id: payload.request, jws, payload, digest, arrivedAt: now, receipt, mine: [], problem };
    records.put("requests", row.id, { ...row, notice: null, notified: false });
  });
}

/** What is wrong with what a request says. Whether it is still valid is asked again when it is approved. */
async function findProblem(jws: string, trust: Parameters<typeof checkRequest>[1]): Promise<Problem | null> {
  try {
    await checkRequest({ jws }, trust);
    return null;
  } catch (error) {
    if (error instanceof Fault) return { code: error.code, message: error.message };
    throw error;
  }
}

async function receiveReceipt(receipt: Receipt, pairing: Pairing): Promise<void> {
  await write(pairing, async (records) => {
    const request = await records.get("requests", receipt.request);
    if (request === undefined) {
      const early = await records.get("early", receipt.request);
      if (early === undefined || early.n < receipt.n) records.put("early", receipt.request, receipt);
      return;
    }
    if (receipt.digest !== request.digest) {
      const message = "A receipt for another request under the same id was ignored; tell your operator.";
      records.put("requests", request.id, { ...request, notice: { code: "ERR_REQUEST_DIFFERS", message } });
      return;
    }
    if (receipt.n <= (request.receipt?.n ?? 0)) return;
    const named = new Set(receipt.records.map((record) => record.of));
    const mine = request.mine.map((one) => (named.has(one.jti) ? { ...one, received: true } : one));
    for (const { jti } of mine.filter((one) => one.received)) records.remove("outbox", jti);
    records.put("requests", request.id, { ...request, receipt, mine });
  });
}

async function receiveRefusal(refusal: Refusal, pairing: Pairing): Promise<void> {
  const problem: Problem = { code: refusal.code, message: refusal.message };
  await write(pairing, async (records, current) => {
    const item = await records.get("outbox", refusal.of);
    records.remove("outbox", refusal.of);
    if (item?.kind === "pair") {
      if (current.state === "pairing") {
        records.put("pairing", SELF, { ...current, state: "refused", invite: null, problem });
      }
    } else if (item?.kind === "enrolment") {
      const device = await records.get("devices", item.about);
      if (device?.state === "sent") records.put("devices", item.about, { ...device, state: "refused", problem });
    } else {
      // Where it names nothing that still waits, it answers a repetition of what was answered before.
      const request = await records.get("requests", item?.about ?? refusal.request ?? "");
      if (request?.mine.some((one) => one.jti === refusal.of && !one.received)) {
        const mine = request.mine.map((one) => (one.jti === refusal.of ? { ...one, refusal: problem } : one));
        records.put("requests", request.id, { ...request, mine });
      }
    }
  });
}

async function receiveWelcome(jws: string, pairing: Pairing, now: number): Promise<void> {
  const welcome = (await open(jws, WELCOME, pairing, now)).payload;
  if (thumbprint(welcome.hsm) !== pairing.hsm) {
    throw new Fault("ERR_ENVELOPE_KEY", "It names another HSM identity than the one that was pinned at pairing.");
  }
  if (!welcome.aud.includes(pairing.kid)) {
    throw new Fault("ERR_ENVELOPE_AUDIENCE", "It welcomes another browser than this one.");
  }
  await write(pairing, async (records, current) => {
    // One that comes late.
    if (welcome.iat < current.welcomedAt) return;
    const { hsm: hsmJwk, name, roles, iat: welcomedAt } = welcome;
    records.put("pairing", SELF, {
      ...current,
      state: "paired",
      invite: null,
      problem: null,
      hsmJwk,
      name,
      roles,
      welcomedAt,
    });
    for (const item of await records.all("outbox")) {
      const arrived = welcome.devices.some((device) => device.address === item.about);
      if (item.kind === "pair" || (item.kind === "enrolment" && arrived)) records.remove("outbox", item.jti);
    }
    await mergeDevices(records, welcome.devices);
  });
}

/** Counts a refused message. Where it claims to be about a request that we have, that request's page says so as well. */
async function noteRefused(jws: string, fault: Fault, pairing: Pairing, now: number): Promise<void> {
  const message = `A message that claims to come from your HSM failed verification and was not used. ${fault.message}`;
  const problem: Problem = { code: fault.code, message };
  const about = claimedRequest(jws);
  await write(pairing, async (records) => {
    await count(records, problem, now);
    const request: StoredRequest | undefined = await records.get("requests", about);
    if (request !== undefined) records.put("requests", request.id, { ...request, notice: problem });
  });
}

/** One transaction, and nothing where this browser was unpaired or paired anew while the message was being verified. */
async function write(pairing: Pairing, work: (records: Records, current: Pairing) => Promise<void>): Promise<void> {
  await transact(async (records) => {
    const current = await records.get("pairing", SELF);
    if (current?.kid === pairing.kid) await work(records, current);
  });
}

async function count(records: Records, problem: Problem, now: number): Promise<void> {
  const before = await records.get("notices", problem.code);
  records.put("notices", problem.code, { ...problem, count: (before?.count ?? 0) + 1, at: now });
}

/** Unverified: only to choose where to tell of a refused message. */
function claimedRequest(jws: string): string {
  try {
    const { request } = decodeJwt(jws);
    return typeof request === "string" ? request : "";
  } catch {
    return "";
  }
}
