/**
 * A SYNC: what a browser knows, at every login, and what it is told of what it lacks. README.md of protocol/, "Messages". A browser that
 * knows more of the log than this record holds is told of what leads on from there (RESTORE), and of nothing else: the record is an old one.
 */
import type { TreeHead } from "../protocol/checkpoint.ts";
import type { Sync } from "../protocol/message.ts";
import { postActs } from "./acts.ts";
import { frameId, hasRoom, resend, type Sender } from "./answers.ts";
import type { Consequence, Desk } from "./desk.ts";
import { owedFreezes } from "./freeze.ts";
import { isOpen } from "./requests.ts";
import { supersede } from "./stops.ts";
import { readBack } from "./verify.ts";
import { notThere, type Shown, witnessed } from "./witnesses.ts";

/**
 * `shown`: its witness, opened; `isFresh`: it names a receiving key of this start, so it is none that was said to an earlier one.
 * @throws Fault ERR_LOG where the log does not hold what the browser knows
 */
export function sync(
  desk: Desk,
  sender: Sender,
  { known, charter, seal, log }: Sync,
  shown: Shown | null,
  isFresh: boolean,
): Consequence {
  const { journal, witnesses } = desk;
  const missing = [shown?.head, log].find((head) => head !== null && head !== undefined && !journal.hasBeen(head));
  // What the admins gave up (RESTORE) is known to whoever has not heard of that yet: the act goes to them.
  const isBehind = missing !== null && missing !== undefined && !witnesses.isGivenUp(missing, charter);
  const proven = isBehind && missing === shown?.head ? provenBy(desk, sender, shown.head, isFresh) : [];
  journal.transaction(() => {
    for (const [person, head] of proven)
      if (witnesses.setBehind(person, head)) {
        desk.log.error({ person, size: head.size }, "this record is not the newest");
        // The gap that it names is another one now.
        supersede(desk, ({ verb }) => verb === "RESTORE");
      }
    // Also of whoever knows more: what leads on from here has to reach them.
    journal.setMemberSeal(sender.kid, seal.n, seal.key);
    journal.setKnownActs(sender.kid, charter);
    journal.setShown(sender.kid, missing === undefined ? (log?.size ?? 0) : 0);
    if (shown !== null && missing === undefined)
      journal.setWitness({ kid: sender.kid, jws: shown.jws, size: shown.head.size, at: shown.at });
    if (!hasRoom(desk, sender.kid)) return;
    oweWelcome(desk, sender.kid);
    if (sender.isMember) {
      postActs(journal, sender.kid, charter);
      owedFreezes(desk, sender.kid);
    }
    for (const row of journal.requests(["pending", "approved"])) {
      const { payload } = readBack(row);
      if (!payload.aud.includes(sender.kid) || row.jws === null || (isBehind && row.verb !== "RESTORE")) continue;
      if (!known.includes(row.id)) journal.post(frameId(), [sender.kid], row.jws);
      if (!isBehind) resend(desk, row, sender.kid);
    }
    if (isBehind) return;
    for (const id of known) {
      const row = journal.request(id);
      if (row !== undefined && !isOpen(row.state) && readBack(row).payload.aud.includes(sender.kid))
        resend(desk, row, sender.kid);
    }
    if (journal.logSize() > 0) journal.oweView(sender.kid);
  });
  desk.wake();
  if (isFresh && sender.isMember) for (const [person] of proven) witnesses.hear(person);
  if (isBehind) throw notThere(missing.size);
  // After a RESTORE there is a head without a note: a browser's own word is enough for what it says that it knows.
  const isShown = missing === undefined && (log ?? shown) !== null && isFresh;
  return { requests: isShown ? witnessed(desk, sender) : [], roster: false };
}

/** Who proves with a checkpoint of the HSM's that this record is not the newest, the sender among them. */
function provenBy(
  { witnesses, log }: Desk,
  { name, isMember }: Sender,
  head: TreeHead,
  isFresh: boolean,
): Iterable<readonly [string, TreeHead]> {
  if (!witnesses.isGivenUp(head)) return [[name, head]];
  log.warn({ person: name, size: head.size }, "a browser that knows of the RESTORE knows another log than this one");
  return (isFresh && isMember && witnesses.dispute(name, head)) || [];
}

/** A welcome is owed: who they are, as it is when it is signed. */
export function oweWelcome(desk: Desk, receiver: string): void {
  desk.journal.owe({ what: "welcome", receiver, body: "{}", seal: null });
}
