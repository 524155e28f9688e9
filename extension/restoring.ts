/**
 * The admins have decided from which state the agent's log goes on (RESTORE): what this browser knew beyond it is history, and the alarm
 * ends. README.md, "Alarm". All of it in the transaction of the act; whether they have decided is receive-act.ts. It asks nobody: what
 * became of a request that ended here is told by the agent's next receipt (waiting.ts).
 */
import type { Charter } from "../protocol/charter.ts";
import type { TreeHead } from "../protocol/checkpoint.ts";
import { isTransfer, type RequestPayload } from "../protocol/request.ts";
import type { Records } from "./database.ts";
import { standingAlarm } from "./log-alarm.ts";
import { restored } from "./log-memory.ts";
import { takeBack } from "./outbox.ts";
import { giveUpSealKeys } from "./seal-keys.ts";
import { type Problem, SELF, type SealKey, type StoredRequest } from "./store.ts";
import { isOpen, isUntold, stateOf } from "./waiting.ts";

/** Approvals that were not received carry what was known before: the agent would have to refuse them, and that would be an alarm again. */
const BEFORE: Problem = {
  code: "ERR_LOG",
  message:
    "The agent's record was restored, and no receipt of this approval had come; approve it again if it is still asked for.",
};
const OVER: Problem = {
  code: "ERR_LOG",
  message:
    "The agent went back to an older record, and no receipt of this approval had come. It does not count any more, and may have counted before: ask your operator.",
};

export interface Decided {
  /** From where the log goes on. */
  readonly log: TreeHead;
  /** When the act took effect, by the agent's clock. Seconds. */
  readonly at: number;
  /** What is in force: acts are not given up. */
  readonly charter: Charter;
  /** What is received with from now on. */
  readonly key: SealKey;
}

/** Goes on from what was decided. `now` in seconds. */
export async function goOnFrom(records: Records, { log: head, at, charter, key }: Decided, now: number): Promise<void> {
  const log = await records.get("log", SELF);
  const alarmed = (await standingAlarm(records)) !== undefined;
  if (log !== undefined) records.put("log", SELF, restored(log, head, alarmed, now));
  // A bridge may have kept back, or may play again, what belongs to the log that was given up.
  await giveUpSealKeys(records, key, now);
  for (const table of ["alarms", "early", "witnesses"] as const) records.clear(table);
  const freezes = await records.get("freezes", SELF);
  if (freezes !== undefined) records.put("freezes", SELF, { ...freezes, n: 0 });
  const hsm = (await records.get("pairing", SELF))?.hsm;
  for (const request of await records.all("requests")) {
    // Another identity's own rotation is not in this record.
    if (request.byNextIdentity && request.payload.iss !== hsm) continue;
    const ends = request.payload.iat <= at && !isSettled(request.payload, charter);
    records.put("requests", request.id, ends ? ended(request, at) : anew(request));
  }
  for (const item of await records.all("outbox")) {
    if (item.kind !== "approval") continue;
    const request = await records.get("requests", item.about);
    await takeBack(records, item, request !== undefined && isUntold(request) ? OVER : BEFORE);
  }
}

/**
 * Every request that is open ends with the act, and so does what is signed and was not handed out, which only the agent can tell. One that
 * was asked for after the act may have come before it: that goes on.
 */
function ended(request: StoredRequest, at: number): StoredRequest {
  const was = stateOf(request);
  // Its receipt may have come before the act.
  const isTold = was === "void" && (request.receipt?.at ?? 0) >= at;
  return isOpen(request) || was === "signed" || isTold ? { ...anew(request), restored: { was } } : anew(request);
}

/** An act has carried it out, or another has overtaken it, whether or not its receipt is here. */
function isSettled(payload: RequestPayload, { policy, people, spent }: Charter): boolean {
  if (isTransfer(payload)) return false;
  const isEarlier = payload.policy.n < policy.n || payload.people.n < people.n;
  return payload.verb === "FOUND" || isEarlier || spent.includes(payload.request);
}

/** The numbers of its receipts begin anew, from what the older record holds. */
function anew({ receipt, ...request }: StoredRequest): StoredRequest {
  return { ...request, receipt: receipt === null ? null : { ...receipt, n: 0 } };
}
