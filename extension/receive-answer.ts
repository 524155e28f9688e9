/** Refusals, the list of freezes and "seal it again": what the agent answers. README.md, "Receiving". Receipts come in views of the log. */
import { isFault } from "../protocol/error.ts";
import { FREEZES, REFUSAL, RESEAL, type Refusal } from "../protocol/message.ts";
import { AGAIN, type Arrival, DONE, type Outcome, openAnswer, openPinned, strange, write } from "./arrival.ts";
import { keepCard, openCard } from "./card.ts";
import type { Records } from "./database.ts";
import { raise } from "./log-alarm.ts";
import { type OutboxItem, type Problem, SELF } from "./store.ts";

export async function receiveRefusal(arrival: Arrival): Promise<Outcome> {
  const { payload: refusal } = await openAnswer(arrival, REFUSAL);
  const problem: Problem = { code: refusal.code, message: refusal.message };
  await write(arrival, async (records, current) => {
    const item = await records.get("outbox", refusal.of);
    if (item !== undefined && item.to !== refusal.iss) throw strange();
    records.remove("outbox", refusal.of);
    if (refusal.code === "ERR_LOG" && refusal.iss === current.hsm) await tellBehind(records, refusal, item, arrival);
    // Also after its welcome: too many wrong words end a pairing that nobody has vouched for.
    if (refusal.of === current.pair.jti) {
      if (current.standing === "member" || refusal.iss !== current.hsm) return;
      for (const { jti } of await records.all("outbox")) records.remove("outbox", jti);
      records.put("pairing", SELF, { ...current, state: "refused", invite: null, problem });
      return;
    }
    await tellOf(records, { refusal: refusal.of, by: refusal.iss, about: refusal.request }, item, problem);
  });
  return DONE;
}

/** The agent's own word that its log does not hold what an approval or a sync of ours told it. An answer to nothing of ours says nothing. */
async function tellBehind(
  records: Records,
  { of }: Refusal,
  item: OutboxItem | undefined,
  { message, now }: Arrival,
): Promise<void> {
  const log = await records.get("log", SELF);
  if (log === undefined || (item?.kind !== "approval" && !log.syncs.includes(of))) return;
  const known = log.note ?? `${log.head.size} ${log.head.root}`;
  await raise(records, { kind: "behind", person: null, known, shown: message, at: now });
}

async function tellOf(
  records: Records,
  { refusal, by, about }: { refusal: string; by: string; about: string | null },
  item: OutboxItem | undefined,
  problem: Problem,
): Promise<void> {
  if (item?.kind === "enrolment") {
    const device = await records.get("devices", item.about);
    if (device?.state === "sent") records.put("devices", item.about, { ...device, state: "refused", problem });
    return;
  }
  const stop = await records.get("stops", refusal);
  if (stop !== undefined) {
    if (!stop.received) records.put("stops", refusal, { ...stop, refusal: problem });
    return;
  }
  // Where it names nothing that still waits, it answers a repetition of what was answered before.
  const request = await records.get("requests", item?.about ?? about ?? "");
  if (request === undefined || (request.byNextIdentity && request.payload.iss !== by)) return;
  if (!request.mine.some((one) => one.jti === refusal && !one.received)) return;
  const mine = request.mine.map((one) => (one.jti === refusal ? { ...one, refusal: problem } : one));
  records.put("requests", request.id, { ...request, mine });
}

/** A newer list replaces an older one. A freeze of ours that it names was received. */
export async function receiveFreezes(arrival: Arrival): Promise<Outcome> {
  const { payload: list } = await openPinned(arrival, FREEZES);
  await write(arrival, async (records) => {
    if (list.n <= ((await records.get("freezes", SELF))?.n ?? 0)) return;
    records.put("freezes", SELF, list);
    for (const { of } of list.freezes) {
      const stop = of === null ? undefined : await records.get("stops", of);
      if (stop === undefined) continue;
      records.put("stops", stop.jti, { ...stop, received: true, refusal: null });
      records.remove("outbox", stop.jti);
    }
  });
  return DONE;
}

/** The agent cannot open what we sent: it is sealed to this card and sent again, and what is not in the outbox is asked for anew. */
export async function receiveReseal(arrival: Arrival): Promise<Outcome> {
  const { payload } = await openPinned(arrival, RESEAL);
  const { pairing, now } = arrival;
  try {
    const card = await openCard(payload.card, pairing.hsm, pairing.bridge, now);
    await write(arrival, async (records) => void (await keepCard(records, card)));
  } catch (error) {
    // It waited in the mailbox, and a newer card has come since.
    if (!isFault(error, "ERR_CARD_OLD") && !isFault(error, "ERR_ENVELOPE_EXPIRED")) throw error;
  }
  return AGAIN;
}
