/**
 * Shows the log to the extensions: signs a checkpoint where there is something new, and puts views into the outbox, with the receipts
 * that are owed and with what others said that they know. One signature of the HSM covers all of them. README.md of protocol/, "View".
 */
import * as v from "valibot";
import { signCheckpoint, type TreeHead, TreeHeadSchema } from "../protocol/checkpoint.ts";
import { findOwner } from "../protocol/people.ts";
import { ThumbprintSchema } from "../protocol/primitive.ts";
import { SEAL_SIZES } from "../protocol/seal.ts";
import { encodeView, type ProvedEntry, VIEW_ENTRIES_MAX, VIEW_WITNESSES_MAX, type View } from "../protocol/view.ts";
import { frameId } from "./answers.ts";
import { allExtensions, type Desk } from "./desk.ts";
import type { Journal } from "./journal.ts";
import { logOrigin } from "./witnesses.ts";

const KEPT = "checkpoint";
const CheckpointSchema = v.strictObject({ note: v.string(), by: ThumbprintSchema, ...TreeHeadSchema.entries });
export type Checkpoint = v.InferOutput<typeof CheckpointSchema>;

/** Receivers at a time, so that no transaction gets long. */
const RECEIVERS_MAX = 32;
/** Bytes of a view's JSON, whole: in base64url, with what stands before it, it is no longer than what can be sealed. */
const VIEW_MAX = Math.floor((((SEAL_SIZES.at(-1) ?? 0) - 64) * 3) / 4);
/** A witness says little about today after this. Seconds. */
const WITNESS_LIFE = 30 * 86_400;

/** The last checkpoint that was signed. */
export function lastCheckpoint(journal: Journal): Checkpoint | undefined {
  const kept = journal.meta(KEPT);
  return kept === undefined ? undefined : v.parse(CheckpointSchema, JSON.parse(kept));
}

/** A checkpoint over the whole log, signed now where the last one is not. @throws Fault ERR_HSM_* */
export async function newestCheckpoint(desk: Desk): Promise<Checkpoint> {
  const { journal, identity } = desk;
  const last = lastCheckpoint(journal);
  if (last !== undefined && last.size === journal.logSize() && last.by === identity.signer.kid) return last;
  // The HSM signs what is on the disk, and nothing that a crash could take back (desk.hsm sees to that).
  const head = journal.logHead();
  const note = await signCheckpoint(logOrigin(journal), head, identity.signer, identity.jwk);
  const made: Checkpoint = { note, by: identity.signer.kid, ...head };
  journal.setMeta(KEPT, JSON.stringify(made));
  desk.observer.checkpointSigned();
  return made;
}

/** A browser that was heard within this is one that somebody uses. Seconds. */
const ACTIVE = 86_400;

/**
 * Owes the log as it is to the browsers of all members that are in use, whoever was asked for what: those who will be witnesses at the
 * next start should know of the newest. The others catch up when they log in.
 */
export function oweEverybody({ journal, charter, now }: Desk): void {
  const { current } = charter;
  const members = new Set(current === null ? [] : allExtensions(current));
  journal.transaction(() => {
    for (const { kid } of journal.witnesses(now() - ACTIVE)) if (members.has(kid)) journal.oweView(kid);
  });
}

/** Puts views into the outbox for everybody who is owed one and has room for it. @throws Fault ERR_HSM_* */
export async function showLog(desk: Desk): Promise<void> {
  for (let last = await showNext(desk, ""); last !== undefined; ) last = await showNext(desk, last);
}

/**
 * Puts one view into the outbox for each of the next few who are owed one and have room for it: those above `after`, and from the first
 * again after the last, so that nobody waits for somebody who is always owed something. Returns the last of them; undefined where there
 * was nobody.
 * @throws Fault ERR_HSM_*
 */
export async function showNext(desk: Desk, after: string): Promise<string | undefined> {
  const { journal } = desk;
  const above = journal.owedViews(RECEIVERS_MAX, after);
  const receivers = above.length > 0 ? above : journal.owedViews(RECEIVERS_MAX);
  if (receivers.length === 0) return undefined;
  const checkpoint = await newestCheckpoint(desk);
  const proved = new Map<number, Piece<ProvedEntry>>();
  journal.transaction(() => {
    for (const receiver of receivers) post(desk, receiver, checkpoint, proved);
  });
  // Sealing and sending go on in between.
  await new Promise((resolve) => setImmediate(resolve));
  return receivers.at(-1);
}

/** Something in a view, with the bytes that it takes there. */
interface Piece<T> {
  readonly value: T;
  readonly length: number;
}

/** With the comma behind it. */
function measured<T extends object>(value: T): Piece<T> {
  return { value, length: Buffer.byteLength(JSON.stringify(value), "utf8") + 1 };
}

/**
 * One view: receipts first, then as many witnesses as there is room for. What has no room stays owed, for the view after this one.
 * `proofs`: what was proved to this checkpoint for somebody else.
 */
function post(desk: Desk, receiver: string, checkpoint: Checkpoint, proofs: Map<number, Piece<ProvedEntry>>): void {
  const { journal } = desk;
  const shown = journal.shown(receiver);
  const from = shown > checkpoint.size ? 0 : shown;
  const consistency = journal.proveConsistency(from, checkpoint.size);
  const empty: View = { v: 1, checkpoint: checkpoint.note, from, consistency, entries: [], witnesses: [] };
  let room = VIEW_MAX - measured(empty).length;
  const entries: ProvedEntry[] = [];
  let isLogOwed = false;
  for (const request of journal.owedTo(receiver, VIEW_ENTRIES_MAX)) {
    if (request === "") {
      isLogOwed = true;
      continue;
    }
    const entry = journal.request(request)?.entry ?? null;
    // It changed after the checkpoint was signed: the next one covers it.
    if (entry !== null && entry >= checkpoint.size) continue;
    if (entry !== null) {
      const { value, length } = proofs.get(entry) ?? measured(journal.prove(entry, checkpoint.size));
      proofs.set(entry, { value, length });
      if (length > room && entries.length > 0) break;
      room -= length;
      entries.push(value);
    }
    journal.removeOwedView(receiver, request);
  }
  if (entries.length === 0 && !isLogOwed) return;
  const known = isLogOwed ? witnessesFor(desk, receiver, checkpoint) : [];
  const witnesses: View["witnesses"] = [];
  for (const one of known) {
    const { length } = measured(one);
    if (length > room) break;
    room -= length;
    witnesses.push(one);
  }
  // Those that are left come when no receipts take their room.
  if (isLogOwed && (witnesses.length === known.length || entries.length === 0)) journal.removeOwedView(receiver, "");
  journal.post(frameId(), [receiver], encodeView({ ...empty, entries, witnesses }));
  journal.setShown(receiver, checkpoint.size);
}

/** The newest of every other person. */
function witnessesFor({ journal, charter, now }: Desk, receiver: string, head: TreeHead): View["witnesses"] {
  const people = charter.current?.people;
  if (people === undefined) return [];
  const nameOf = (kid: string) => findOwner(people, kid)?.member.name;
  const told = new Set([nameOf(receiver)]);
  const rows = journal.witnesses(now() - WITNESS_LIFE).filter(({ kid, size }) => {
    const name = nameOf(kid);
    if (name === undefined || told.has(name) || size > head.size) return false;
    told.add(name);
    return true;
  });
  return rows
    .slice(0, VIEW_WITNESSES_MAX)
    .map(({ jws, size }) => ({ jws, consistency: journal.proveConsistency(size, head.size) }));
}
