/**
 * Does the log tell of the acts that the record holds? A log that was emptied or cut knows nothing that a browser could miss in it, so a
 * record whose acts are not in its log does not run. protocol/README.md, "Rollback". restore.ts asks the same of a backup, of every entry.
 */
import type { Applied } from "../protocol/charter.ts";
import { Fault } from "../protocol/error.ts";
import { parseEntry } from "../protocol/log-entry.ts";
import type { Journal } from "./journal.ts";

/** Each act has its entry where the record says. `applied`: the acts in order. @throws Fault ERR_STATE */
export function requireTold(journal: Journal, applied: readonly Applied[]): void {
  let last = -1;
  for (const { charter, request } of applied) {
    const index = journal.entryOfAct(charter.n);
    const entry = parseEntry(journal.logLines(index, 1)[0] ?? "");
    const isTold =
      index > last &&
      entry?.kind === "act" &&
      entry.n === charter.n &&
      entry.head === charter.head &&
      entry.request === request.request;
    if (!isTold)
      throw new Fault(
        "ERR_STATE",
        `The log does not tell of act ${charter.n}: entries are missing. Nothing runs; put the newest record in place, or a backup with "opencustody restore".`,
      );
    last = index;
  }
}
