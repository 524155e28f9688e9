/**
 * The anchor: what the token itself remembers of the governance, as a lower bound. README.md of protocol/, "Rollback". An older record, or
 * one in which a freeze is missing that nobody lifted, is refused at start. Written after the commit that it tells of, so it may lag.
 */
import * as v from "valibot";
import type { Applied, Charter } from "../protocol/charter.ts";
import { type TreeHead, TreeHeadSchema } from "../protocol/checkpoint.ts";
import { Fault } from "../protocol/error.ts";
import { EMPTY_ROOT } from "../protocol/merkle.ts";
import { hexOf, sha256Hex } from "../protocol/primitive.ts";
import type { Desk } from "./desk.ts";
import type { Journal } from "./journal.ts";
import { oweEverybody } from "./showing.ts";
import { isMarkedRestored } from "./witnesses.ts";

/** Names that fit an anchor; a policy holds fewer vaults. */
const FROZEN_MAX = 140;
/** How often the log's head alone is written: data objects pile up in a software token's folder. Seconds. */
const LOG_EVERY = 60;

const AnchorSchema = v.strictObject({
  act: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  head: v.nullable(hexOf(32)),
  /** What is frozen: the first 8 hex digits of the SHA-256 of a vault's name, or of `*` for everything. */
  frozen: v.array(hexOf(4)),
  /** The log, which may lag by what came since. */
  log: TreeHeadSchema,
});
export type Anchor = v.InferOutput<typeof AnchorSchema>;

const EMPTY_LOG: TreeHead = { size: 0, root: EMPTY_ROOT };
/** What a token says before the founding. */
export const EMPTY_ANCHOR = JSON.stringify({ act: 0, head: null, frozen: [], log: EMPTY_LOG } satisfies Anchor);

/** The anchor of a record. `log` where it is not to be the record's own. */
export function anchorOf(charter: Charter | null, journal: Journal, log: TreeHead = journal.logHead()): string {
  // What freezes everything first, so that no number of others pushes it out.
  const frozen = [...new Set(journal.freezes().map(({ vault }) => markOf(vault)))].slice(0, FROZEN_MAX);
  return JSON.stringify({ act: charter?.n ?? 0, head: charter?.head ?? null, frozen, log } satisfies Anchor);
}

/**
 * @throws Fault ERR_STATE where the token knows of more than the record holds; of the log it may, where the record is marked as restored or
 * the admins have decided so since (RESTORE). `applied`: the acts in order
 */
export function requireNotOlder(text: string | undefined, applied: readonly Applied[], journal: Journal): void {
  const anchor = parseAnchor(text);
  requireActs(anchor, applied);
  if (!isMarkedRestored(journal) && isLogAhead(anchor, applied, journal))
    throw new Fault(
      "ERR_STATE",
      `The token knows the log at ${anchor.log.size} entries, and this record (${journal.logSize()}) does not lead there: it is an older one. Nothing runs; put the newest record in place, or a backup with "opencustody restore".`,
    );
  const missing = missingFreeze(anchor, applied, journal);
  if (missing !== undefined)
    throw new Fault(
      "ERR_STATE",
      `The token knows a freeze (${missing}) that this record does not hold. Nothing runs; restore the newest record.`,
    );
}

/** @throws Fault ERR_STATE where the record does not hold the act that the token knows */
export function requireActs(anchor: Anchor, applied: readonly Applied[]): void {
  if (anchor.act > applied.length)
    throw new Fault(
      "ERR_STATE",
      `The token knows of act ${anchor.act} and this record ends at ${applied.length}: it is an older one. Nothing runs; restore one made after act ${anchor.act}.`,
    );
  if (anchor.act > 0 && applied[anchor.act - 1]?.charter.head !== anchor.head)
    throw new Fault(
      "ERR_STATE",
      `Act ${anchor.act} is not the one that the token knows. Nothing runs; restore the right record.`,
    );
}

/** Whether the token knows of more of the log than the record holds, and no RESTORE since then gave that up. */
export function isLogAhead(anchor: Anchor, applied: readonly Applied[], journal: Journal): boolean {
  const isGivenUp = applied.slice(anchor.act).some(({ request }) => request.verb === "RESTORE");
  return !isGivenUp && !journal.hasBeen(anchor.log);
}

/** The mark of a freeze that the token knows, that the record does not hold and that no act has lifted since. */
export function missingFreeze(anchor: Anchor, applied: readonly Applied[], journal: Journal): string | undefined {
  const since = applied.slice(anchor.act).map(({ request }) => request);
  const lifted = (mark: string) =>
    since.some((r) => r.verb === "UNFREEZE" && (r.change.vault === null || markOf(r.change.vault) === mark));
  const frozen = new Set(journal.freezes().map(({ vault }) => markOf(vault)));
  // Where everything is frozen there is no vault that is not.
  if (frozen.has(markOf(null))) return undefined;
  return anchor.frozen.find((mark) => !frozen.has(mark) && !lifted(mark));
}

/** The empty name of "everything" sorts first in the record, and is no vault's. */
function markOf(vault: string | null): string {
  return sha256Hex(new TextEncoder().encode(vault ?? "*")).slice(0, 8);
}

/** @throws Fault ERR_STATE */
export function parseAnchor(text: string | undefined): Anchor {
  if (text === undefined)
    throw new Fault(
      "ERR_STATE",
      "The token has no anchor: it is not the token of this agent, or was changed. Nothing runs.",
    );
  try {
    return v.parse(AnchorSchema, JSON.parse(text));
  } catch {
    throw new Fault("ERR_STATE", "The token's anchor is not one of this version. Nothing runs.");
  }
}

/** What is written at once where it changes. */
function withoutLog(text: string): string {
  return text.slice(0, text.indexOf('"log"'));
}

/** Keeps the token's anchor up with the record. */
export class AnchorKeeper {
  readonly #desk: Desk;
  #written: string;
  /** When, in seconds. */
  #writtenAt = 0;
  #running: Promise<void> = Promise.resolve();

  /** `written`: what the token says now. */
  constructor(desk: Desk, written: string) {
    this.#desk = desk;
    this.#written = written;
  }

  /** Writes it where it is behind; a failure is tried again at the next call. */
  keep(): void {
    this.#running = this.#running.then(() => this.#write());
  }

  async settled(): Promise<void> {
    await this.#running;
  }

  async #write(): Promise<void> {
    const { charter, journal, hsm, log, now, witnesses } = this.#desk;
    try {
      const kept = witnesses.isCurrent ? journal.logHead() : this.#known();
      const text = anchorOf(charter.current, journal, kept);
      if (text === this.#written) return;
      const isUrgent = withoutLog(text) !== withoutLog(this.#written);
      if (!isUrgent && now() < this.#writtenAt + LOG_EVERY) return;
      await hsm.writeAnchor(text);
      this.#written = text;
      this.#writtenAt = now();
      // What the token knows, people's browsers shall know too: where token and disk go back together, they alone tell.
      if (witnesses.isCurrent) oweEverybody(this.#desk);
    } catch (error) {
      log.error({ err: error }, "the token's anchor waits");
    }
  }

  /**
   * Of what may be an old record the token learns no log: it would forget what there was after it. What the admins have given up since is
   * forgotten all the same: beside the number of their RESTORE it would say that this record is an older one, at every start.
   */
  #known(): TreeHead {
    const { charter, journal } = this.#desk;
    const { act, log } = parseAnchor(this.#written);
    const isGivenUp = charter.givenUp.some((one) => one.act > act) && !journal.hasBeen(log);
    return isGivenUp ? EMPTY_LOG : log;
  }
}
