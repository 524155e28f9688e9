/** A request that was delivered: opened, inspected, and kept with its problem if it has one. README.md, "Receiving". */
import { Fault } from "../protocol/error.ts";
import { requestDigest } from "../protocol/request.ts";
import { type Arrival, DONE, type Outcome, strange, write } from "./arrival.ts";
import { inspectRequest, openRequest, readRequest } from "./check.ts";
import type { Records } from "./database.ts";
import type { Problem } from "./store.ts";
import { loadTrust, type Trust } from "./trust.ts";
import { isOpen } from "./waiting.ts";

/** As many open rotations of identities that are not pinned are kept. */
const ROTATIONS_MOST = 4;

export async function receiveRequest(arrival: Arrival): Promise<Outcome> {
  const { message: jws, from, pairing, now } = arrival;
  // Not paired yet: nobody here can judge it. The login after the welcome asks for all open requests again.
  if (pairing.state === "pairing") return DONE;
  const trust = await loadTrust(now);
  const { payload, bytes } = await openRequest(jws, trust);
  if (payload.iss !== from) throw strange();
  const digest = requestDigest(bytes);
  const byNextIdentity = payload.iss !== trust.hsm;
  const problem = await findProblem(jws, trust);
  // Nobody here asked for anything of that identity: it is kept only if the charter carries it in everything.
  if (byNextIdentity) await readRequest({ jws }, trust);
  await write(arrival, async (records, current) => {
    const known = await records.get("requests", payload.request);
    if (known !== undefined) {
      if (known.digest === digest) return;
      // One that the pinned identity did not sign cannot spoil another's.
      if (byNextIdentity) throw strange();
      const twice = "Another request came under the id of this one. Do not approve it; tell your operator.";
      const changed = { code: "ERR_REQUEST_DIFFERS", message: twice };
      records.put("requests", known.id, { ...known, problem: known.problem ?? changed });
      return;
    }
    if (byNextIdentity) await requireRoom(records, current.hsm, now);
    const early = await records.get("early", payload.request);
    const isOurs = early?.receipt.digest === digest && early.by === payload.iss;
    const receipt = isOurs ? early.receipt : null;
    const held = isOurs && early.inLog === true ? { inLog: true as const } : {};
    records.remove("early", payload.request);
    const row = { id: payload.request, jws, payload, digest, arrivedAt: now, receipt, mine: [], problem };
    records.put("requests", row.id, { ...row, ...held, byNextIdentity, notice: null, notified: false });
  });
  return DONE;
}

/** What is wrong with a request in itself. Who may approve it, and when, is asked again when it is opened. */
async function findProblem(jws: string, trust: Trust): Promise<Problem | null> {
  try {
    await inspectRequest({ jws }, trust);
    return null;
  } catch (error) {
    if (error instanceof Fault) return { code: error.code, message: error.message };
    throw error;
  }
}

async function requireRoom(records: Records, pinned: string, now: number): Promise<void> {
  const open = (await records.all("requests")).filter((one) => isOpen(one) && one.payload.exp > now);
  const rotations = open.filter((one) => one.byNextIdentity && one.payload.iss !== pinned);
  if (rotations.length >= ROTATIONS_MOST) {
    throw new Fault("ERR_REQUEST_STATE", "Too many rotations to identities that are not pinned here wait already.");
  }
}
