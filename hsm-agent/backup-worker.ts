/** What a backup takes long for, in a thread of its own, so that no stop waits for it: see backup.ts. */
import { parentPort, workerData } from "node:worker_threads";
import * as v from "valibot";
import { Journal } from "./journal.ts";
import { copyRecord } from "./record-copy.ts";
import { markRestored } from "./witnesses.ts";

const { from, to, at } = v.parse(v.strictObject({ from: v.string(), to: v.string(), at: v.number() }), workerData);
copyRecord(from, to);
const journal = new Journal(to);
// However it comes back: a backup that is put in place by hand signs nothing either.
journal.transaction(() => markRestored(journal, at));
const entries = journal.logSize();
journal.close();
parentPort?.postMessage({ entries });
