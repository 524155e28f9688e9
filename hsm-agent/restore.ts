/**
 * `opencustody restore`: puts a backup in the place of a record that is lost, while no agent runs and no record is there. What it says is
 * checked against itself and against the token, and it comes back marked: an agent on it signs nothing until the admins have decided so
 * (RESTORE). README.md of protocol/, "Rollback". What a RESTORE names is restoring.ts.
 */
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, openSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import type { Logger } from "pino";
import * as v from "valibot";
import type { Applied } from "../protocol/charter.ts";
import { openCheckpoint, type TreeHead } from "../protocol/checkpoint.ts";
import { Fault, isFault } from "../protocol/error.ts";
import { parseEntry } from "../protocol/log-entry.ts";
import { type PublicJwk, PublicJwkSchema } from "../protocol/primitive.ts";
import { journalPath, openConfiguredHsm } from "./agent.ts";
import { type Anchor, isLogAhead, missingFreeze, parseAnchor, requireActs } from "./anchor.ts";
import { removeRecord, sync } from "./backup.ts";
import { timeOf } from "./clock.ts";
import { type Config, socketPath } from "./config.ts";
import { CharterBook } from "./desk.ts";
import { numberFreezes } from "./freeze.ts";
import type { Hsm } from "./hsm/owner.ts";
import { Journal } from "./journal.ts";
import { claimSocket } from "./lock.ts";
import { LogFreezes } from "./log-freezes.ts";
import { copyRecord } from "./record-copy.ts";
import { replay } from "./replay.ts";
import { openDesk } from "./session.ts";
import { lastCheckpoint } from "./showing.ts";
import { logOrigin, markRestored, startOf, Witnesses } from "./witnesses.ts";

/** Entries that are looked at together. */
const CHUNK = 500;

export interface Restored {
  /** The last act, and how many entries the log has. */
  readonly act: number;
  readonly entries: number;
  /** How many the token knows of, null where it knows of no more. */
  readonly known: number | null;
  /** Whether everything was frozen, because a freeze is missing. */
  readonly frozen: boolean;
  /** The token is another, empty one: a succession comes first. */
  readonly succeed: boolean;
}

/** @throws Fault ERR_AGENT_RUNNING, ERR_STATE, ERR_CHARTER, ERR_LOG, ERR_HSM_* */
export async function restore(config: Config, pin: string, log: Logger, file: string): Promise<Restored> {
  const path = journalPath(config);
  await claimSocket(socketPath(config));
  requireNone(path);
  if (!existsSync(file)) throw new Fault("ERR_USAGE", `${file} is not there; name a backup.`);
  const part = `${path}.part-${randomBytes(8).toString("hex")}`;
  try {
    closeSync(openSync(part, "wx", 0o600));
    copyRecord(file, part);
    const restored = await checked(config, pin, log, part);
    sync(part);
    requireNone(path);
    renameSync(part, path);
    sync(dirname(path));
    return restored;
  } finally {
    removeRecord(part);
  }
}

/** A log of SQLite's that stays behind would be written into the backup. */
function requireNone(path: string): void {
  for (const tail of ["", "-wal", "-shm", "-journal"])
    if (existsSync(`${path}${tail}`))
      throw new Fault(
        "ERR_STATE",
        `There is a record at ${path}${tail} already, and nothing is restored over one. Move all of ${path}* to another folder first, and keep it.`,
      );
}

async function checked(config: Config, pin: string, log: Logger, part: string): Promise<Restored> {
  const journal = new Journal(part);
  try {
    const hsm = await openConfiguredHsm(config, pin);
    try {
      return await restoreOn(config, log, journal, hsm);
    } finally {
      await hsm.close();
    }
  } finally {
    journal.close();
  }
}

/** Checks a copied record and marks it. `wall` in seconds. @throws Fault ERR_STATE, ERR_CHARTER, ERR_LOG, ERR_CONFIG, ERR_HSM_* */
export async function restoreOn(
  config: Pick<Config, "bridge">,
  log: Logger,
  journal: Journal,
  hsm: Hsm,
  wall: () => number = () => Math.floor(Date.now() / 1000),
): Promise<Restored> {
  try {
    return await examine(config, log, journal, hsm, wall);
  } catch (error) {
    // A value that does not parse: of a record that was written by somebody else.
    throw isFault(error) ? error : broken("a value in it cannot be read", error);
  }
}

async function examine(
  config: Pick<Config, "bridge">,
  log: Logger,
  journal: Journal,
  hsm: Hsm,
  wall: () => number,
): Promise<Restored> {
  const founder = v.parse(PublicJwkSchema, JSON.parse(journal.requireMeta("founder")));
  const text = await hsm.readAnchor();
  // A token that holds nothing is the next one, where the old one is lost as well.
  const succeed = text === undefined && (await hsm.keys()).length === 0;
  const anchor = succeed ? null : parseAnchor(text);
  const { applied, identities } = await replay(journal, null, founder, null);
  if (applied.length === 0)
    throw new Fault("ERR_STATE", "Nothing is founded in this backup yet; begin anew with an empty folder.");
  if (anchor !== null) requireActs(anchor, applied);
  verifyTree(journal);
  requireActEntries(journal, applied);
  await requireCheckpoint(journal, identities);
  const now = timeOf(journal, wall);
  journal.now = () => now;
  const ahead = anchor !== null && isLogAhead(anchor, applied, journal) ? anchor.log : null;
  const frozen = isFreezeMissing(anchor, applied, journal);
  journal.transaction(() => mark(journal, now, ahead, frozen));
  // All that a start asks, as a whole: this token, this identity, this bridge.
  if (!succeed) await openDesk({ config, log, journal, hsm, start: startOf(journal), wall }, () => {});
  const act = applied.length;
  return { act, entries: journal.logSize(), known: ahead?.size ?? null, frozen, succeed };
}

function mark(journal: Journal, now: number, ahead: TreeHead | null, frozen: boolean): void {
  markRestored(journal, now);
  if (ahead !== null) new Witnesses(journal, new CharterBook(), startOf(journal)).setBehind(null, ahead);
  const isFrozen = journal.freezes().some(({ vault, by }) => vault === null && by === null);
  if (frozen && !isFrozen) journal.addFreeze({ vault: null, by: null, at: now, of: null });
  // What browsers know of it may be newer, and count for more.
  numberFreezes(journal, now);
}

/** By the token, or by the log and the acts of the backup itself. */
function isFreezeMissing(anchor: Anchor | null, applied: readonly Applied[], journal: Journal): boolean {
  if (anchor !== null && missingFreeze(anchor, applied, journal) !== undefined) return true;
  const told = new LogFreezes(applied);
  for (const entry of entriesOf(journal)) told.take(entry);
  return told.missing(journal.freezes()) !== undefined;
}

/** @throws Fault ERR_LOG where a line is no entry, or a stored node is not the hash of what is below it */
function verifyTree(journal: Journal): void {
  const size = journal.logSize();
  for (let index = 0; index < size; index += CHUNK) {
    journal.logLines(index, CHUNK).forEach((line, place) => {
      const at = index + place;
      if (!journal.holds(at, line) || parseEntry(line) === undefined)
        throw broken(`entry ${at} is not the one that was logged`);
    });
  }
}

function* entriesOf(journal: Journal) {
  const size = journal.logSize();
  for (let index = 0; index < size; index += CHUNK)
    for (const line of journal.logLines(index, CHUNK)) {
      const entry = parseEntry(line);
      if (entry !== undefined) yield entry;
    }
}

/** The log tells of the acts that are there, in their order, and of no others. @throws Fault ERR_LOG */
function requireActEntries(journal: Journal, applied: readonly Applied[]): void {
  const told = [...entriesOf(journal)].filter((entry) => entry.kind === "act");
  const isSame = applied.every(
    ({ charter }, place) => told[place]?.n === charter.n && told[place].head === charter.head,
  );
  if (!isSame || told.length !== applied.length) throw broken("its acts are not those that were logged");
}

/** @throws Fault ERR_LOG */
async function requireCheckpoint(journal: Journal, keys: readonly PublicJwk[]): Promise<void> {
  const last = lastCheckpoint(journal);
  if (last === undefined) throw broken("it has no checkpoint");
  const { head } = await openCheckpoint(last.note, { origin: logOrigin(journal), keys });
  if (!journal.hasBeen(head) || head.size !== last.size || head.root !== last.root)
    throw broken("its last checkpoint is of another log");
}

function broken(why: string, cause?: unknown): Fault {
  return new Fault("ERR_LOG", `The backup does not hold: ${why}. Nothing was restored.`, { cause });
}
