/**
 * Going on from a record that is not the newest: what a RESTORE has to name, and what it does to nonces. README.md of protocol/,
 * "Rollback". Its act is enact.ts; how a backup comes back is restore.ts; who knows more is witnesses.ts.
 */
import { isDeepStrictEqual } from "node:util";
import { Fault } from "../protocol/error.ts";
import type { GovernanceVerb, Motion } from "../protocol/governance.ts";
import { thumbprint } from "../protocol/primitive.ts";
import type { Desk } from "./desk.ts";
import type { Journal } from "./journal.ts";
import { OPEN_STATES } from "./requests.ts";
import type { RequestRow } from "./rows.ts";

export type Restore = Extract<Motion, { verb: "RESTORE" }>["change"];
/** No gap holds so many transactions of one account: a nonce beyond is a slip, and none that is sent then would ever be mined. */
const AHEAD_MAX = 10_000;

type Account = Pick<Restore["nonces"][number], "vault" | "network">;

/**
 * What is asked for and takes effect although this may be an old record: what leads on from there. A ROTATE only where the token of the
 * identity in force is lost: nothing else could be signed.
 */
export function leadsOn({ charter, identity }: Pick<Desk, "charter" | "identity">, verb: GovernanceVerb): boolean {
  const isLost = charter.current !== null && thumbprint(charter.current.hsm) !== identity.signer.kid;
  return verb === "FOUND" || verb === "RESTORE" || (verb === "ROTATE" && isLost);
}

/**
 * Whether nothing becomes of a request before a RESTORE, which ends it. What an older record has as open may have been signed since: a
 * receipt that it was rejected, cancelled or expired would say that nothing was.
 */
export function waitsForRestore(
  desk: Pick<Desk, "charter" | "identity" | "witnesses">,
  { verb }: Pick<RequestRow, "verb">,
): boolean {
  return desk.witnesses.isReadOnly && (verb === "SEND" || !leadsOn(desk, verb));
}

/**
 * What the admins would be asked for, as this record and the browsers say it; `nonces` are the first of each account that this record never
 * handed out: the network may know of later ones. @throws Fault ERR_STATE
 */
export function restoreOf({ journal, witnesses }: Pick<Desk, "journal" | "witnesses">): Restore {
  const { behind, base } = witnesses;
  if (base === null)
    throw new Fault("ERR_STATE", "This record is the newest that anybody knows of; there is nothing to restore.");
  return {
    log: base,
    seen: behind === null ? null : { size: behind.size, root: behind.root },
    nonces: journal
      .nextNonces()
      .map(({ vault, network, nonce }) => ({ vault, network, nonce: firstUnused(journal, { vault, network }, nonce) })),
  };
}

/** @throws Fault ERR_STATE where the gap is another one, or a nonce was handed out already */
export function requireRestore(desk: Pick<Desk, "journal" | "witnesses">, change: Restore): void {
  const { log, seen, nonces } = restoreOf(desk);
  if (!isDeepStrictEqual([log, seen], [change.log, change.seen]))
    throw new Fault("ERR_STATE", 'This is not the gap that the agent knows of now; see "opencustody restore show".');
  for (const { vault, network, nonce } of nonces) {
    const next = change.nonces.find((one) => one.vault === vault && one.network === network);
    if (next === undefined || next.nonce < nonce)
      throw new Fault(
        "ERR_STATE",
        `RESTORE has to name the next nonce of ${vault} on ${network} as the network knows it: ${nonce}, or a higher one.`,
      );
    if (next.nonce > nonce + AHEAD_MAX)
      throw new Fault(
        "ERR_STATE",
        `A next nonce of ${next.nonce} for ${vault} on ${network} would stop it for good: this record ends at ${nonce}. Look it up again.`,
      );
  }
  if (change.nonces.length !== nonces.length)
    throw new Fault("ERR_STATE", "RESTORE names an account that this record does not know.");
}

/**
 * From now on nothing below the named nonce is given out, and nothing that this record has handed out before: a nonce between that was
 * never handed out is free, since the network waits for it. Within the act's transaction, once all that was open is void.
 */
export function setNonces(journal: Journal, { nonces }: Pick<Restore, "nonces">): void {
  for (const { vault, network, nonce } of nonces) {
    const next = journal.nextNonce(vault, network) ?? nonce;
    const used = new Set(journal.handedOut(vault, network, nonce));
    journal.clearFreeNonces(vault, network);
    for (let free = nonce; free < next; free += 1) if (!used.has(free)) journal.freeNonce(vault, network, free);
    journal.setNextNonce(vault, network, Math.max(nonce, next));
  }
}

/** Below `next`: the lowest nonce of an open or unreleased request, or a freed one after the last that was handed out before it. */
function firstUnused(journal: Journal, account: Account, next: number): number {
  const isHere = (row: { vault: string | null; network: string | null }) =>
    row.vault === account.vault && row.network === account.network;
  const open = [...journal.requests(OPEN_STATES), ...journal.unreleased()].filter(isHere).map(({ nonce }) => nonce);
  const free = journal.freeNonces(account.vault, account.network);
  return Math.min(next, ...free, ...open.filter((nonce) => nonce !== null));
}

/** What `opencustody restore show` prints: what a RESTORE has to name, and who knows how much. @throws Fault ERR_STATE */
export function showRestore(desk: Pick<Desk, "journal" | "witnesses">) {
  const { behind, restoredAt, needed } = desk.witnesses;
  const { seen, ...change } = restoreOf(desk);
  const missing = seen === null ? 0 : Math.max(1, seen.size - change.log.size);
  const by = behind === null ? null : { person: behind.person, at: behind.at };
  return {
    restoredAt,
    by,
    missing,
    heard: desk.witnesses.heard,
    needed,
    change: { log: change.log, seen, nonces: change.nonces },
  };
}
