/**
 * Shows the log to the extensions: signs a checkpoint where there is something new, and puts views into the outbox, with the receipts
 * that are owed and with what others said that they know. One signature of the HSM covers all of them. README.md of protocol/, "View".
 */
import * as v from "valibot";
import { signCheckpoint, type TreeHead, TreeHeadSchema } from "../protocol/checkpoint.ts";
import { findOwner } from "../protocol/people.ts";
import { ThumbprintSchema } from "../protocol/primitive.ts";
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
/** Characters of entries in one view: with proofs and witnesses it stays below what can be sealed. */
const TEXT_MAX = 28_000;
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

/** Puts a view into the outbox for everybody who is owed one. Returns whether there was any. @throws Fault ERR_HSM_* */
export async function showLog(desk: Desk): Promise<boolean> {
  const { journal } = desk;
  let isAny = false;
  for (;;) {
    const receivers = journal.owedViews(RECEIVERS_MAX);
    if (receivers.length === 0) return isAny;
    const checkpoint = await newestCheckpoint(desk);
    const proved = new Map<number, ProvedEntry>();
    journal.transaction(() => {
      for (const receiver of receivers) post(desk, receiver, checkpoint, proved);
    });
    isAny = true;
    // Sealing and sending go on in between.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** `known`: what was proved to this checkpoint for somebody else. */
function post(desk: Desk, receiver: string, checkpoint: Checkpoint, known: Map<number, ProvedEntry>): void {
  const { journal } = desk;
  const entries: ProvedEntry[] = [];
  let length = 0;
  let withWitnesses = false;
  for (const request of journal.owedTo(receiver, VIEW_ENTRIES_MAX)) {
    if (request === "") withWitnesses = true;
    const entry = request === "" ? null : (journal.request(request)?.entry ?? null);
    // It changed after the checkpoint was signed: the next one covers it.
    if (entry !== null && entry >= checkpoint.size) continue;
    if (entry !== null) {
      const proved = known.get(entry) ?? journal.prove(entry, checkpoint.size);
      known.set(entry, proved);
      length += proved.text.length;
      if (length > TEXT_MAX && entries.length > 0) break;
      entries.push(proved);
    }
    journal.removeOwedView(receiver, request);
  }
  const shown = journal.shown(receiver);
  const from = shown > checkpoint.size ? 0 : shown;
  const view: View = {
    v: 1,
    checkpoint: checkpoint.note,
    from,
    consistency: journal.proveConsistency(from, checkpoint.size),
    entries,
    witnesses: withWitnesses ? witnessesFor(desk, receiver, checkpoint) : [],
  };
  if (entries.length === 0 && !withWitnesses) return;
  journal.post(frameId(), [receiver], encodeView(view));
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
