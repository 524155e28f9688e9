/**
 * Do open requests stand in the record as the log last told of them? Whoever takes a rejection or a withdrawal out of the record, and
 * leaves the log that people's browsers know, would have approvals count again. Asked once, at the start: nobody else writes while an
 * agent runs. protocol/README.md, "Rollback". What an untold request may not become is recheck.ts.
 */
import { isDeepStrictEqual } from "node:util";
import { isFault } from "../protocol/error.ts";
import { type Entry, parseEntry, type Receipt } from "../protocol/log-entry.ts";
import type { RequestRecord } from "../protocol/message.ts";
import type { Journal } from "./journal.ts";
import { isOpen, OPEN_STATES } from "./requests.ts";
import type { RequestRow } from "./rows.ts";

/** Entries that are read at a time. */
const CHUNK = 1_024;
const REQUEST = /"request":"([^"]+)"/;

/** What the log says of one request. */
interface Told {
  proposed: boolean;
  /** Index of the entry about its issue. */
  issued: number | null;
  newest: { readonly index: number; readonly receipt: Receipt } | null;
  /** The state before which nothing was read yet. */
  oldest: Receipt | null;
  /** One state does not go on from the one before. */
  broken: boolean;
}

const NOTHING: Told = { proposed: false, issued: null, newest: null, oldest: null, broken: false };

/**
 * Ids of open requests of which the log tells otherwise, or nothing. All of them where an entry since the oldest was proposed is not the
 * one that was logged. Reads the log from its end to there.
 */
export function findUntold(journal: Journal): ReadonlySet<string> {
  const rows = journal.requests(OPEN_STATES);
  const told = new Map(rows.map(({ id }): [string, Told] => [id, { ...NOTHING }]));
  for (let end = journal.logSize(); end > 0 && [...told.values()].some(({ proposed }) => !proposed); ) {
    const begin = Math.max(0, end - CHUNK);
    const lines = journal.logLines(begin, end - begin);
    for (let index = end - 1; index >= begin; index -= 1) {
      const line = lines[index - begin] ?? "";
      if (!isLogged(journal, index, line)) return new Set(told.keys());
      const about = told.get(REQUEST.exec(line)?.[1] ?? "");
      const entry = about === undefined ? undefined : parseEntry(line);
      if (about !== undefined && entry !== undefined) note(about, index, entry);
    }
    end = begin;
  }
  const isUntold = (row: RequestRow) => !isAsTold(row, journal, told.get(row.id));
  return new Set(rows.filter(isUntold).map(({ id }) => id));
}

function isLogged(journal: Journal, index: number, line: string): boolean {
  try {
    return journal.holds(index, line);
  } catch (error) {
    // A hash that is missing, or is none.
    if (isFault(error, "ERR_STATE")) return false;
    throw error;
  }
}

/** The newest come first. */
function note(about: Told, index: number, entry: Entry): void {
  if (entry.kind === "proposal") about.proposed = true;
  if (entry.kind === "request") {
    about.broken ||= about.issued !== null;
    about.issued = index;
  }
  if (entry.kind !== "state") return;
  about.newest ??= { index, receipt: entry };
  about.broken ||= about.oldest !== null && !goesOn(entry, about.oldest);
  about.oldest = entry;
}

/** What ended does not go on, and nothing is forgotten of what was answered: also where the log was made to tell of it since. */
function goesOn(before: Receipt, after: Receipt): boolean {
  return isOpen(before.state) && isDeepStrictEqual(after.records.slice(0, before.records.length), before.records);
}

function isAsTold(row: RequestRow, journal: Journal, told: Told | undefined): boolean {
  if (told === undefined || told.broken || !told.proposed || told.issued !== row.issued || row.logged !== row.revision)
    return false;
  const records = journal.records(row.id).map(({ jws: _jws, ...record }): RequestRecord => record);
  if (told.newest === null)
    return row.entry === null && records.length === 0 && row.state === (row.issued === null ? "proposed" : "pending");
  const { index, receipt } = told.newest;
  const { digest, n, state, hash } = receipt;
  return (
    index === row.entry &&
    isDeepStrictEqual([digest, n, state, hash], [row.digest, row.revision, row.state, row.hash]) &&
    isDeepStrictEqual(records, receipt.records)
  );
}
