/**
 * What a RESTORE gives up, in sentences: for the admin who decides whether the agent goes on from a record that is not the newest.
 * README.md of protocol/, "Rollback". Pure.
 */
import type { TreeHead } from "../../protocol/checkpoint.ts";
import type { Motion } from "../../protocol/governance.ts";
import type { PolicyText } from "../../protocol/policy.ts";
import { networkName } from "./effect-naming.ts";

type Change = Extract<Motion, { verb: "RESTORE" }>["change"];

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

/** Empty unless this browser has seen more than the request names. `known`: what it has seen. */
export function unnamedSentence({ log, seen }: Change, known: TreeHead | null): string {
  const named = Math.max(log.size, seen?.size ?? 0);
  if (known === null || known.size <= named) return "";
  return `This browser has seen ${known.size} entries, more than the ${named} that this request names. Do not approve it: reject it, and call your operator.`;
}

/** "Treasury-1 on Ethereum: next nonce 42", one for each account. */
export function nonceLines({ nonces }: Change, policy: Pick<PolicyText, "networks"> | null): string[] {
  return nonces.map(({ vault, network, nonce }) => {
    const name = policy === null ? network : networkName(policy, network);
    return `${vault} on ${name}: next nonce ${nonce}`;
  });
}
