/**
 * An act: a change of people, policy or HSM identity, with the approvals that carried it. README.md, "Charter". Each is replayed here by
 * protocol/charter.ts before anything follows from it, in order from the founding on; who delivers it and who signed it proves nothing
 * by itself. What a browser that was paired after a rotation has read so far counts once it leads to the identity that it pinned.
 */
import { base64url, decodeJwt } from "jose";
import { type Applied, applyAct, type Charter } from "../protocol/charter.ts";
import { CLOCK_SKEW } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { sha256Hex, thumbprint } from "../protocol/primitive.ts";
import { AGAIN, type Arrival, AT_ONCE, DONE, type Outcome, strange, write } from "./arrival.ts";
import { look, type Records } from "./database.ts";
import { signingKeyOf } from "./hsm-key.ts";
import { goOnFrom } from "./restoring.ts";
import { adopt, readdress } from "./rotation.ts";
import { newSealKey } from "./seal-keys.ts";
import { SELF } from "./store.ts";

export async function receiveAct(arrival: Arrival): Promise<Outcome> {
  const { message: jws, from, pairing, now } = arrival;
  // Not paired yet, or not told who founded: what follows the welcome asks for all acts.
  if (pairing.state === "pairing" || pairing.founder === null) return DONE;
  const claimed = claimsOf(jws);
  const stored = (await look((records) => records.get("charter", SELF))) ?? null;
  const inForce = stored !== null && thumbprint(stored.hsm) === pairing.hsm;
  // From another than our agent only what our own charter can judge: a rotation by the next identity alone, and what led to it.
  if (from !== pairing.hsm && !inForce) throw strange();
  // The charter begins with the identity that our welcome named, and with no other that anybody delivers.
  const isOurs = claimed.iss === pairing.founder && (pairing.founding === null || claimed.head === pairing.founding);
  if (stored === null && claimed.n === 1 && !isOurs) throw broken("It founds another custody.");
  const base = stored;
  const last = base?.n ?? 0;
  if (claimed.n > last + 1) return AGAIN;
  try {
    if (base !== null && claimed.n <= last) {
      if (claimed.n === last && claimed.head !== base.head) throw broken(`There are two different acts ${last}.`);
      return DONE;
    }
    return await keep(await apply(base, jws, claimed.iss, now), { arrival, stored, inForce });
  } catch (error) {
    if (inForce || stored === null || !(error instanceof Fault)) throw error;
    // What was read so far leads nowhere: it is asked for from the beginning.
    await write(arrival, async (records) => records.remove("charter", SELF));
    return AGAIN;
  }
}

/** @throws Fault ERR_CHARTER, ERR_ENVELOPE_TIME */
async function apply(base: Charter | null, jws: string, iss: string, now: number): Promise<Applied> {
  const first = base?.hsm ?? signingKeyOf(jws, iss);
  if (first === undefined) throw broken("An act's signature does not verify.");
  try {
    const applied = await applyAct(base, jws, first);
    // Nobody can date an act later to shorten the delay of a recovery.
    if (applied.act.iat > now + CLOCK_SKEW) {
      throw new Fault("ERR_ENVELOPE_TIME", "It takes effect in the future; set this computer's clock.");
    }
    return applied;
  } catch (error) {
    if (!(error instanceof Fault) || error.code === "ERR_ENVELOPE_TIME") throw error;
    throw broken(error.message, error);
  }
}

interface Before {
  readonly arrival: Arrival;
  readonly stored: Charter | null;
  readonly inForce: boolean;
}

async function keep(applied: Applied, { arrival, stored, inForce }: Before): Promise<Outcome> {
  const { charter, act, request } = applied;
  const { pairing, now } = arrival;
  const rotates = inForce && thumbprint(charter.hsm) !== pairing.hsm;
  // The bridge is followed when the policy moves there, the log where the admins restored it; what was before the pairing is history.
  const isNews = inForce && act.iat >= pairing.joinedAt;
  const moves = isNews && request.verb === "POLICY";
  // The key is made before the transaction: within one nothing else can be waited for.
  const decided =
    isNews && request.verb === "RESTORE"
      ? { log: request.change.log, at: act.iat, charter, key: await newSealKey(1, now) }
      : null;
  for (let isKept = false; !isKept; ) {
    const messages = rotates ? await readdress(thumbprint(charter.hsm)) : [];
    isKept = true;
    await write(arrival, async (records, current) => {
      const there = await records.get("charter", SELF);
      // Another connection was given the same act.
      if (there?.head !== stored?.head || current.hsm !== pairing.hsm) return;
      if (rotates && !(await adopt(records, current, charter.hsm, messages))) {
        // Something was put into the outbox meanwhile.
        isKept = false;
        return;
      }
      records.put("charter", SELF, charter);
      if (moves && current.bridge !== charter.policy.bridge) {
        records.put("pairing", SELF, { ...current, bridge: charter.policy.bridge });
      }
      await tellReceived(records, applied);
      if (decided !== null) await goOnFrom(records, decided, now);
    });
  }
  return decided === null ? DONE : AT_ONCE;
}

/** An approval that an act carries was received. */
async function tellReceived(records: Records, { act, request: { request: id } }: Applied): Promise<void> {
  const carried = new Set(act.approvals.map((approval) => decodeJwt(approval).jti));
  const request = await records.get("requests", id);
  if (request === undefined) return;
  const mine = request.mine.map((one) => (carried.has(one.jti) ? { ...one, received: true, refusal: null } : one));
  for (const { jti } of mine.filter((one) => one.received)) records.remove("outbox", jti);
  records.put("requests", id, { ...request, mine });
}

/** Unverified: which act it claims to be. @throws Fault ERR_CHARTER */
function claimsOf(jws: string): { n: number; iss: string; head: string } {
  try {
    const { n, iss = "" } = decodeJwt(jws);
    if (typeof n === "number") return { n, iss, head: sha256Hex(base64url.decode(jws.split(".")[1] ?? "")) };
  } catch {
    // The one refusal below.
  }
  throw broken("An act cannot be read.");
}

function broken(what: string, cause?: Fault): Fault {
  return new Fault("ERR_CHARTER", `A change of people or policy was not followed. ${what}`, { cause });
}
