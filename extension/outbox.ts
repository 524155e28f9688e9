/** Messages of ours that are not sent any more, or not now. README.md, "The extension's records". What is sent when is station.ts. */
import type { Records } from "./database.ts";
import { RESTORE, standingAlarm } from "./log-alarm.ts";
import type { OutboxItem, Problem } from "./store.ts";

/** Takes a decision back out of the outbox, unsent or unanswered, and says why at its request: the person decides again. */
export async function takeBack(records: Records, { jti, about }: OutboxItem, refusal: Problem): Promise<void> {
  records.remove("outbox", jti);
  const request = await records.get("requests", about);
  if (request === undefined) return;
  const mine = request.mine.map((one) => (one.jti === jti && !one.received ? { ...one, refusal } : one));
  records.put("requests", about, { ...request, mine });
}

/** What may be sent: while an alarm about the log stands no approval leaves, except of what ends it. */
export async function sendable(records: Records): Promise<OutboxItem[]> {
  const items = await records.all("outbox");
  if ((await standingAlarm(records)) === undefined) return items;
  const kept: OutboxItem[] = [];
  for (const item of items) {
    const isHeld = item.kind === "approval" && (await records.get("requests", item.about))?.payload.verb !== RESTORE;
    if (!isHeld) kept.push(item);
  }
  return kept;
}
