/** The badge and the notifications: one for each request and each alarm, never repeated. README.md, "The extension's records". */
import type { RequestPayload } from "../protocol/request.ts";
import { notify, setBadge } from "./browser.ts";
import { clock } from "./compose.ts";
import { transact } from "./database.ts";
import { type Alarm, alarmKey } from "./log-alarm.ts";
import { loadAlarms, loadPairing, loadRequests, type StoredRequest } from "./store.ts";
import { isWaiting } from "./waiting.ts";

/** Id of the notification of an alarm; no request has it. */
const ALARM = "alarm";
const ALARM_WORDS = [
  "Approve nothing",
  "The agent's record does not go on from what was seen. Call your operator.",
] as const;

/** Where a notification leads. */
export function pageOf(notification: string): string {
  return notification === ALARM ? "inbox.html" : `approval.html?request=${notification}`;
}

/** Brings both in line with the records. May run at any time and any number of times. */
export async function drawAttention(): Promise<void> {
  const name = (await loadPairing())?.name ?? null;
  const waiting = (await loadRequests()).filter((request) => isWaiting(request, name, clock()));
  const alarms = await loadAlarms();
  // Nothing is to be approved: what waits is not counted.
  if (alarms.length > 0) await setBadge("!");
  else await setBadge(waiting.length === 0 ? "" : String(waiting.length));
  for (const alarm of alarms) {
    if (!alarm.notified && (await markAlarmNotified(alarm))) await notify(ALARM, ...ALARM_WORDS);
  }
  for (const request of waiting) {
    if (!request.notified && (await markNotified(request.id))) await announce(request);
  }
}

/** True for the one caller that may announce it. Marked before it is shown: rather none than two. */
async function markNotified(id: string): Promise<boolean> {
  return await transact(async (records) => {
    const request = await records.get("requests", id);
    if (request === undefined || request.notified) return false;
    records.put("requests", id, { ...request, notified: true });
    return true;
  });
}

async function markAlarmNotified(alarm: Alarm): Promise<boolean> {
  return await transact(async (records) => {
    const current = await records.get("alarms", alarmKey(alarm));
    if (current === undefined || current.notified) return false;
    records.put("alarms", alarmKey(alarm), { ...current, notified: true });
    return true;
  });
}

async function announce({ id, payload, problem }: StoredRequest): Promise<void> {
  if (problem !== null)
    return await notify(id, "A request failed its checks", "Do not approve it. Open it to see why.");
  const by = payload.initiator === null ? "" : `, proposed by ${payload.initiator}`;
  await notify(id, "Your approval is asked for", `${describe(payload)}${by}.`);
}

function describe(payload: RequestPayload): string {
  switch (payload.verb) {
    case "SEND":
      return `Send ${payload.effect.amount} ${payload.effect.asset} from ${payload.vault.name}`;
    case "FOUND":
      return "Found: the first people and the first policy";
    case "ENROLL":
      return `Enrol for ${payload.change.name}`;
    case "REMOVE":
      return payload.change.removal.what === "person"
        ? `Remove ${payload.change.name}`
        : `Remove a ${payload.change.removal.what} of ${payload.change.name}`;
    case "POLICY":
      return `A new policy, number ${payload.policy.n + 1}`;
    case "ROTATE":
      return "Another HSM identity";
    case "UNFREEZE":
      return `Lift the freeze of ${payload.change.vault ?? "everything"}`;
    case "RESTORE":
      return "Go on from an older record of the agent";
    case "DRILL":
      return `A drill for ${payload.change.vault}: it moves nothing`;
  }
}
