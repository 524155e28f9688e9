/** Ends requests. README.md of protocol/, "States". What may end them is decided by the callers; the table in requests.ts has the last word. */
import { Fault } from "../protocol/error.ts";
import type { Desk } from "./desk.ts";
import type { Journal } from "./journal.ts";
import { nextState, OPEN_STATES, type RequestEvent } from "./requests.ts";
import type { RequestRow } from "./rows.ts";

type Stop = Extract<RequestEvent, "rejected" | "cancelled" | "expired" | "superseded" | "failed">;

/**
 * Ends a request that is open, or signed and never handed out: that signed form is forgotten. Its nonce is free again. Inside a transaction.
 * @throws Fault ERR_REQUEST_STATE
 */
export function stopRequest(
  { journal }: Pick<Desk, "journal">,
  row: RequestRow,
  event: Stop,
  problem: string | null = null,
): void {
  if (row.released !== null) throw new Fault("ERR_REQUEST_STATE", "The signed transaction was handed out already.");
  // By the hash: a backup holds that of a signed form which it left out.
  const signed = row.hash === null ? {} : { signed: null, hash: null };
  journal.changeRequest(row.id, { state: nextState(row.state, event), problem, ...signed });
  if (row.vault !== null && row.network !== null && row.nonce !== null)
    journal.freeNonce(row.vault, row.network, row.nonce);
}

/** Makes every request void that is open, or signed and never handed out, and for which `isMeant`. Inside a transaction. Returns their ids. */
export function supersede(desk: Pick<Desk, "journal">, isMeant: (row: RequestRow) => boolean): string[] {
  const open = [...desk.journal.requests(OPEN_STATES), ...desk.journal.unreleased()].filter(isMeant);
  for (const row of open) stopRequest(desk, row, "superseded");
  return open.map(({ id }) => id);
}

/** Open requests that one person may have proposed: transfers, and changes. */
const OPEN_MAX = { SEND: 200, motion: 20 } as const;

/** Nobody fills everybody's inbox alone. @throws Fault ERR_REQUEST_LIMIT */
export function requireFewOpen(journal: Journal, initiator: string, kind: keyof typeof OPEN_MAX): void {
  const open = journal
    .requests(OPEN_STATES)
    .filter((row) => row.initiator === initiator && (row.verb === "SEND") === (kind === "SEND"));
  if (open.length >= OPEN_MAX[kind])
    throw new Fault("ERR_REQUEST_LIMIT", `${open.length} of your requests are open already; wait, or cancel some.`);
}
