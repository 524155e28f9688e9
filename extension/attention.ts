/** The badge and the notifications: one for each request, never repeated. README.md, "The extension's records". */
import { notify, setBadge } from "./browser.ts";
import { clock } from "./compose.ts";
import { loadPairing, loadRequests, type StoredRequest, transact } from "./store.ts";
import { isWaiting } from "./waiting.ts";

/** Brings both in line with the records. May run at any time and any number of times. */
export async function drawAttention(): Promise<void> {
  const name = (await loadPairing())?.name ?? null;
  const waiting = (await loadRequests()).filter((request) => isWaiting(request, name, clock()));
  await setBadge(waiting.length);
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

async function announce({ id, payload, problem }: StoredRequest): Promise<void> {
  const { effect, vault, initiator } = payload;
  if (problem !== null)
    return await notify(id, "A request failed its checks", "Do not approve it. Open it to see why.");
  const what = `Send ${effect.amount} ${effect.asset} from ${vault.name}, proposed by ${initiator}.`;
  await notify(id, "Your approval is asked for", what);
}
