/**
 * What this browser remembers of the agent's log, and whether a newer view goes on from it. README.md, "Verifying a view": the numbers
 * are the spec's. Pure: the checkpoint was verified before (protocol/view.ts); what follows from a verdict is receive-view.ts.
 */
import type { TreeHead } from "../protocol/checkpoint.ts";
import { isConsistent } from "../protocol/merkle.ts";

/** As many heads are remembered: a view that was delayed is compared with them. */
const HEADS_MOST = 64;
/** As many syncs are remembered: a refusal of one of them says that the log went back. */
const SYNCS_MOST = 8;
/** The agent has shown newer entries for this long without proving that they go on from ours. Seconds. */
const PATIENCE = 600;

/** The last state of the log that was accepted here. */
export interface StoredLog {
  readonly head: TreeHead;
  /** Its checkpoint; null where the admins named the head (RESTORE) and none was seen since. */
  readonly note: string | null;
  /** When the agent last showed it, in seconds. */
  readonly at: number;
  /** The heads that were accepted, the newest last. */
  readonly heads: readonly TreeHead[];
  /** Since when larger views came that were not proven to go on from it; null while there is none. Seconds. */
  readonly unprovenSince: number | null;
  /** How large the largest of them was: nothing shorter answers it. 0 while there is none. */
  readonly unprovenSize: number;
  /** Ids of the last syncs that told the agent of it. */
  readonly syncs: readonly string[];
}

const ALL_PROVEN = { unprovenSince: null, unprovenSize: 0 } as const;

/** A verified checkpoint, and what is said to lead there. */
export interface Shown {
  readonly head: TreeHead;
  readonly note: string;
  readonly from: number;
  readonly consistency: readonly string[];
}

export type Verdict =
  /** It is what is known from now on. */
  | { readonly is: "accepted"; readonly log: StoredLog }
  /** It was delayed, and says nothing new of the log. */
  | { readonly is: "older" }
  /** It may go on from what is known, and does not prove it: a sync tells the agent from where. */
  | { readonly is: "unproven"; readonly log: StoredLog }
  /** The HSM has signed two logs. `known` is the head that it does not agree with. */
  | { readonly is: "split"; readonly known: TreeHead };

/** Whether a log goes on from what is known of it; undefined where this is the first of it that is seen. `now` in seconds. */
export function judge(known: StoredLog | undefined, shown: Shown, now: number): Verdict {
  const { head, note, from, consistency } = shown;
  // 4. The first checkpoint is taken as it is.
  if (known === undefined) {
    return { is: "accepted", log: { head, note, at: now, heads: [head], ...ALL_PROVEN, syncs: [] } };
  }
  // 5. Of one size there is one root.
  if (head.size === known.head.size) {
    if (head.root !== known.head.root) return { is: "split", known: known.head };
    return { is: "accepted", log: { ...known, note, at: now } };
  }
  // 6. An older one was delayed; it must have been so.
  if (head.size < known.head.size) {
    const then = known.heads.find(({ size }) => size === head.size);
    return then === undefined || then.root === head.root ? { is: "older" } : { is: "split", known: then };
  }
  // 7. A newer one begins with all that is known.
  if (from !== known.head.size) {
    const unproven = {
      unprovenSince: known.unprovenSince ?? now,
      unprovenSize: Math.max(known.unprovenSize, head.size),
    };
    return { is: "unproven", log: { ...known, ...unproven } };
  }
  if (!isConsistent(from, known.head.root, head.size, head.root, consistency))
    return { is: "split", known: known.head };
  const heads = [...known.heads, head].slice(-HEADS_MOST);
  // A bridge that has kept back older views must not end the waiting for a proof with one of them at a time.
  const proven = head.size >= known.unprovenSize ? ALL_PROVEN : {};
  return { is: "accepted", log: { ...known, head, note, at: now, heads, ...proven } };
}

/** The same with one more sync that told the agent of it. */
export function withSync(log: StoredLog, jti: string): StoredLog {
  return { ...log, syncs: [...log.syncs, jti].slice(-SYNCS_MOST) };
}

/**
 * After the admins have decided that the log goes on from `decided`. What this browser knew beyond it is history; where an alarm stood,
 * all that it knew is: a quorum on devices has looked at it. `now` in seconds.
 */
export function restored(log: StoredLog, decided: TreeHead, alarmed: boolean, now: number): StoredLog {
  const isSame = log.head.size === decided.size && log.head.root === decided.root;
  // Whatever was shown without a proof may have been of the log that was given up.
  if (isSame || (log.head.size < decided.size && !alarmed)) return { ...log, ...ALL_PROVEN, syncs: [] };
  return { head: decided, note: null, at: now, heads: [decided], ...ALL_PROVEN, syncs: [] };
}

/** Whether it is one of the heads that were accepted. */
export function isRemembered(log: StoredLog | undefined, { size, root }: TreeHead): boolean {
  return log?.heads.some((one) => one.size === size && one.root === root) === true;
}

/** Whether the agent has shown newer entries for too long without proving that they go on from what is known. `now` in seconds. */
export function isLate({ unprovenSince }: StoredLog, now: number): boolean {
  return unprovenSince !== null && now - unprovenSince >= PATIENCE;
}
