/**
 * The admins have decided from which state the agent's log goes on (RESTORE): what this browser knew beyond it is history, and the alarm
 * ends. README.md, "Alarm". Whether they have is receive-act.ts.
 */
import type { TreeHead } from "../protocol/checkpoint.ts";
import type { Records } from "./database.ts";
import { standingAlarm } from "./log-alarm.ts";
import { restored } from "./log-memory.ts";
import { takeBack } from "./outbox.ts";
import { type Problem, SELF } from "./store.ts";

/** Approvals that were not received carry what was known before: the agent would have to refuse them, and that would be an alarm again. */
const BEFORE: Problem = {
  code: "ERR_LOG",
  message: "The agent's record was restored before this approval arrived; approve it again if it is still asked for.",
};

/** Goes on from `decided`. `now` in seconds. */
export async function goOnFrom(records: Records, decided: TreeHead, now: number): Promise<void> {
  const log = await records.get("log", SELF);
  const alarmed = (await standingAlarm(records)) !== undefined;
  if (log !== undefined) records.put("log", SELF, restored(log, decided, alarmed, now));
  records.clear("alarms");
  for (const item of await records.all("outbox")) if (item.kind === "approval") await takeBack(records, item, BEFORE);
}
