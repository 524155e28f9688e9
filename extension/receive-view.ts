/**
 * A view of the agent's log: what it proves of the log itself is compared with what this browser and others have seen, and its entries
 * are the receipts of requests. README.md, "Verifying a view", "Receiving". Of a view that raises an alarm nothing else is used.
 */
import { checkpointText, openCheckpoint, originOf, readCheckpoint } from "../protocol/checkpoint.ts";
import { Fault } from "../protocol/error.ts";
import type { PublicJwk } from "../protocol/primitive.ts";
import { openView } from "../protocol/view.ts";
import { AGAIN, type Arrival, count, DONE, nextIdentity, type Outcome, PROVED, write } from "./arrival.ts";
import type { Records } from "./database.ts";
import { raise } from "./log-alarm.ts";
import { isRemembered, judge } from "./log-memory.ts";
import { takeReceipt } from "./receive-receipt.ts";
import { loadCharter, SELF } from "./store.ts";
import { judgeWitnesses, type StoredWitness } from "./witnesses.ts";

export async function receiveView(arrival: Arrival): Promise<Outcome> {
  const { message, from, pairing, now } = arrival;
  const { state, founder, hsm, hsmJwk, former, kid } = pairing;
  // Not paired yet, or not told whose log it is: the login after the welcome asks for everything again.
  if (state !== "paired" || founder === null || hsmJwk === null) return DONE;
  const origin = originOf(founder);
  if (from !== hsm) return await receiveOfNext(arrival, origin);
  const opened = await openView(message, { origin, keys: [hsmJwk] });
  const { view, head, by, entries } = opened;
  const note = await plainNote(view.checkpoint, origin, hsmJwk);
  const people = (await loadCharter())?.people ?? null;
  const witnesses = await judgeWitnesses(opened, { origin, hsm: hsmJwk, former, kid, people, now });
  let outcome = DONE;
  await write(arrival, async (records, current) => {
    // The identity was replaced meanwhile: the next one shows the log as well.
    if (current.hsm !== by) return;
    const known = await records.get("log", SELF);
    const verdict = judge(known, { ...view, head, note }, now);
    if (verdict.is === "split") {
      const text = verdict.known === known?.head ? known.note : null;
      const evidence = { known: text ?? checkpointText(origin, verdict.known), shown: note };
      await raise(records, { kind: "split", person: null, ...evidence, at: now });
    }
    for (const { person, note: theirs } of witnesses.contrary) {
      await raise(records, { kind: "witness", person, known: theirs, shown: note, at: now });
    }
    for (const { code, message: why } of witnesses.refused) {
      const told = `What another browser is said to have seen of the agent's record was not used. ${why}`;
      await count(records, { code, message: told }, now);
    }
    if (verdict.is === "split" || witnesses.contrary.length > 0) return;
    if (verdict.is !== "older") records.put("log", SELF, verdict.log);
    if (verdict.is === "unproven") outcome = AGAIN;
    if (verdict.is === "accepted" && head.size > (known?.head.size ?? 0)) outcome = PROVED;
    const isKnown = verdict.is === "accepted" || isRemembered(known, head);
    // They were compared with this view alone: of the log that is known here they say something only where the view is one of it.
    if (isKnown) for (const witness of witnesses.good) await keepWitness(records, witness);
    const signed = { by, hsm: by, isKnown, now };
    for (const entry of entries) if (entry.kind === "state") await takeReceipt(records, entry, signed);
  });
  return outcome;
}

/** From the agent of a next identity whose rotation is stored here: its receipts of that request, and no word about the log. */
async function receiveOfNext(arrival: Arrival, origin: string): Promise<Outcome> {
  const { message, from, now } = arrival;
  const { by, entries } = await openView(message, { origin, keys: [await nextIdentity(from)] });
  await write(arrival, async (records, { hsm }) => {
    const signed = { by, hsm, isKnown: false, now };
    for (const entry of entries) if (entry.kind === "state") await takeReceipt(records, entry, signed);
  });
  return DONE;
}

/** What a person said last; their older words come again with delayed views. */
async function keepWitness(records: Records, witness: StoredWitness): Promise<void> {
  const before = await records.get("witnesses", witness.kid);
  if (before === undefined || before.at < witness.at) records.put("witnesses", witness.kid, witness);
}

/** A verified checkpoint with the one signature that was verified: a WITNESS has no room for others'. @throws Fault ERR_LOG */
async function plainNote(note: string, origin: string, key: PublicJwk): Promise<string> {
  const { text } = readCheckpoint(note, origin);
  const lines = note.slice(text.length + 1).split("\n");
  for (const line of lines) {
    const plain = `${text}\n${line}\n`;
    if (await isOpened(plain, origin, key)) return plain;
  }
  throw new Fault("ERR_LOG", "A checkpoint of the agent's log was refused: none of its signatures verifies.");
}

async function isOpened(note: string, origin: string, key: PublicJwk): Promise<boolean> {
  try {
    await openCheckpoint(note, { origin, keys: [key] });
    return true;
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}
