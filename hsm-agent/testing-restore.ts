/** For the tests of this folder only: browsers that show what they know of the log, and a record that is lost and comes back. */
import { renameSync } from "node:fs";
import { join } from "node:path";
import type { TreeHead } from "../protocol/checkpoint.ts";
import { type Sync, WITNESS } from "../protocol/message.ts";
import { backUp, removeRecord } from "./backup.ts";
import { Journal } from "./journal.ts";
import { copyRecord } from "./record-copy.ts";
import { type Restored, restoreOn } from "./restore.ts";
import { type Restore, restoreOf } from "./restoring.ts";
import { type Checkpoint, newestCheckpoint } from "./showing.ts";
import { Office } from "./testing.ts";
import { LOG } from "./testing-agent.ts";
import { BRIDGE, makePerson, type Person } from "./testing-people.ts";
import { showRequest } from "./views.ts";

/** What a browser keeps of the log once it was shown all of it. */
export async function known(office: Office): Promise<Checkpoint> {
  return await newestCheckpoint(office.desk);
}

export function headOf({ size, root }: TreeHead): TreeHead {
  return { size, root };
}

/** A login of somebody's browser that knows this of the log, and the acts up to `act`. Returns the code of its refusal. */
export async function show(
  office: Office,
  person: Person,
  checkpoint: Checkpoint,
  act = office.desk.charter.require().n,
): Promise<string | undefined> {
  const witness = await office.message(WITNESS, person.key, { checkpoint: checkpoint.note });
  return await logIn(office, person, { log: headOf(checkpoint), witness }, act);
}

export async function logIn(
  office: Office,
  person: Person,
  shown: Pick<Sync, "log" | "witness">,
  act = office.desk.charter.require().n,
): Promise<string | undefined> {
  return await office.receive(person.key, await office.syncOf(person, [], act, 1, shown));
}

let backups = 0;
/** A backup of now. */
export async function backup(office: Office): Promise<string> {
  await newestCheckpoint(office.desk);
  const file = join(office.folder, `backup-${(backups += 1)}.db`);
  await backUp(office.desk.journal, office.folder, file, office.now);
  return file;
}

/** Checks a backup and marks it, without anything in its place; `after` is called with the record that would be put there. */
export async function examine(
  office: Office,
  file: string,
  after: (path: string) => Promise<void> = async () => {},
): Promise<Restored> {
  const part = join(office.folder, "part.db");
  removeRecord(part);
  copyRecord(file, part);
  const journal = new Journal(part);
  let restored: Restored;
  try {
    restored = await restoreOn({ bridge: { url: BRIDGE } }, LOG, journal, office.hsm, () => office.now);
  } finally {
    journal.close();
  }
  await after(part);
  return restored;
}

/** The disk is lost: the agent starts on the backup, and nobody's browser has said anything yet. */
export async function lose(office: Office, file: string): Promise<Restored> {
  office.trusting = false;
  await office.anchored();
  return await examine(office, file, async (part) => {
    await office.reopen((path) => {
      removeRecord(path);
      renameSync(part, path);
    });
  });
}

/** What a RESTORE has to name now, with these nonces where they are not the record's own. */
export function gap(office: Office, nonce?: number): Restore {
  const change = restoreOf(office.desk);
  return nonce === undefined ? change : { ...change, nonces: change.nonces.map((row) => ({ ...row, nonce })) };
}

export const [ALICE, BOB, CAROL] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol")];
export const OLGA = makePerson("Olga");

/** A company with a backup, and what it lacks. */
export interface Gap {
  readonly office: Office;
  /** Signed and handed out before the backup, with nonce 7. */
  readonly sent: string;
  /** Issued, and not decided on. */
  readonly waiting: string;
  readonly file: string;
  /** After one more was signed and handed out. */
  readonly newest: Checkpoint;
}

export async function companyWithGap(): Promise<Gap> {
  const office = await Office.open([ALICE, BOB, CAROL], 2, OLGA);
  const { id: sent } = await handedOut(office, "1");
  const waiting = await office.propose(OLGA, "2");
  await office.drive(waiting);
  const file = await backup(office);
  await handedOut(office, "3");
  return { office, sent, waiting, file, newest: await known(office) };
}

/** A transfer that Alice and Bob approved, handed out. */
export async function handedOut(
  office: Office,
  amount: string,
): Promise<{ id: string; nonce: number | null; signed: string | null }> {
  const id = await office.propose(OLGA, amount);
  await office.carry(id, [ALICE, BOB]);
  await showRequest(office.desk, id);
  const { nonce, signed: raw } = office.row(id);
  return { id, nonce, signed: raw };
}

export async function proposeRestore(office: Office, change: Restore): Promise<string> {
  return await office.motion(OLGA, { verb: "RESTORE", change });
}

/** Olga proposes it, Alice and Bob approve it, and it takes effect where it can. @throws Error where an approval is refused */
export async function carryOutRestore(office: Office, change: Restore): Promise<string> {
  const id = await proposeRestore(office, change);
  for (const person of [ALICE, BOB]) {
    const code = await office.approve(person, id);
    if (code !== undefined) throw new Error(`the approval was refused: ${code}`);
  }
  await office.drive(id);
  return id;
}
