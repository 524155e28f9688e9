/**
 * What a RESTORE gives up, in sentences: for the admin who decides whether the agent goes on from a record that is not the newest.
 * README.md of protocol/, "Rollback". Pure.
 */
import type { TreeHead } from "../../protocol/checkpoint.ts";
import type { Motion } from "../../protocol/governance.ts";
import type { PolicyText } from "../../protocol/policy.ts";
import type { Checked } from "../check.ts";
import type { Problem, StoredRequest } from "../store.ts";
import { isOpen } from "../waiting.ts";
import { networkName } from "./effect-naming.ts";

type Change = Extract<Motion, { verb: "RESTORE" }>["change"];

interface Standing {
  /** What this browser has seen of the agent's log. */
  readonly known: TreeHead | null;
  /** It can still be decided. */
  readonly open: boolean;
  readonly inLog?: boolean | undefined;
  /** An alarm stands: what is known is not what the agent has now. */
  readonly alarmed: boolean;
}

/** What is missing. */
export function lossSentence({ log, seen }: Change): string {
  if (seen === null)
    return `The agent's record goes back to ${log.size} entries. Nobody's browser is known to have seen more, but whatever was decided after it was kept is missing.`;
  // Where another log went on from an earlier place there may be as many entries, and yet others.
  const missing = Math.max(1, seen.size - log.size);
  return `The agent's record goes back to ${log.size} entries; browsers had seen ${seen.size}. Up to ${missing} decision${missing === 1 ? " is" : "s are"} missing: signed transactions among them may exist, and whoever holds one can still send it.`;
}

/** What ends with it. */
export const ENDS =
  "Every open request ends, and so does every transaction that was signed and not handed out: they have to be proposed again.";

/**
 * Empty unless this browser has seen more than the request names, `known`, and that may be lost: it is not where the log that is known here
 * holds the request itself (`inLog`), since nothing is signed between the two. Once the request is over (not `open`) it says nothing.
 */
export function unnamedSentence({ log, seen }: Change, { known, open, inLog = false, alarmed }: Standing): string {
  const named = Math.max(log.size, seen?.size ?? 0);
  if (!open || inLog || known === null || known.size <= named) return "";
  const more = `This browser has seen ${known.size} entries, more than the ${named} that this request names`;
  return alarmed
    ? `${more}. Do not approve it: reject it, and call your operator.`
    : `${more}: what the agent wrote down since it came back is among them, or more is missing than it says. Ask your operator which before you approve.`;
}

/**
 * Whether this is the request that ends an alarm, if enough approve it: this person may be asked for it, there is time, and it names all
 * that this browser has seen. `problem`: what the checks say. `now` in seconds.
 */
export function mayEndAlarm(
  checked: Checked | null,
  problem: Problem | null,
  { stored, known, now }: { stored: StoredRequest; known: TreeHead | null; now: number },
): boolean {
  if (checked?.kind !== "motion" || problem !== null || !isOpen(stored) || stored.payload.exp <= now) return false;
  const { motion } = checked;
  const standing = { known, open: true, inLog: stored.inLog, alarmed: true };
  return motion.verb === "RESTORE" && unnamedSentence(motion.change, standing) === "";
}

/** "Treasury-1 on Ethereum: next nonce 42", one for each account. */
export function nonceLines({ nonces }: Change, policy: Pick<PolicyText, "networks"> | null): string[] {
  return nonces.map(({ vault, network, nonce }) => {
    const name = policy === null ? network : networkName(policy, network);
    return `${vault} on ${name}: next nonce ${nonce}`;
  });
}
