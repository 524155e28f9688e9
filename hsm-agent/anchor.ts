/**
 * The anchor: what the token itself remembers of the governance, as a lower bound. README.md of protocol/, "Rollback". An older record, or
 * one in which a freeze is missing that nobody lifted, is refused at start. Written after the commit that it tells of, so it may lag.
 */
import * as v from "valibot";
import type { Applied, Charter } from "../protocol/charter.ts";
import { Fault } from "../protocol/error.ts";
import { hexOf, sha256Hex } from "../protocol/primitive.ts";
import type { Desk } from "./desk.ts";
import type { Journal } from "./journal.ts";

/** Names that fit an anchor; a policy holds fewer vaults. */
const FROZEN_MAX = 160;

const AnchorSchema = v.strictObject({
  act: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  head: v.nullable(hexOf(32)),
  /** What is frozen: the first 8 hex digits of the SHA-256 of a vault's name, or of `*` for everything. */
  frozen: v.array(hexOf(4)),
});
type Anchor = v.InferOutput<typeof AnchorSchema>;

/** What a token says before the founding. */
export const EMPTY_ANCHOR = JSON.stringify({ act: 0, head: null, frozen: [] } satisfies Anchor);

/** The anchor of a record. */
export function anchorOf(charter: Charter | null, journal: Journal): string {
  // What freezes everything first, so that no number of others pushes it out.
  const frozen = [...new Set(journal.freezes().map(({ vault }) => markOf(vault)))].slice(0, FROZEN_MAX);
  return JSON.stringify({ act: charter?.n ?? 0, head: charter?.head ?? null, frozen } satisfies Anchor);
}

/** @throws Fault ERR_STATE where the token knows of more than the record holds. `applied`: the acts in order */
export function requireNotOlder(text: string | undefined, applied: readonly Applied[], journal: Journal): void {
  const anchor = parseAnchor(text);
  const at = applied[anchor.act - 1]?.charter;
  if (anchor.act > applied.length)
    throw new Fault(
      "ERR_STATE",
      `The token knows of act ${anchor.act} and this record ends at ${applied.length}: it is an older one. Nothing runs; restore the newest record.`,
    );
  if (anchor.act > 0 && at?.head !== anchor.head)
    throw new Fault(
      "ERR_STATE",
      `Act ${anchor.act} is not the one that the token knows. Nothing runs; restore the right record.`,
    );
  const since = applied.slice(anchor.act).map(({ request }) => request);
  const lifted = (mark: string) =>
    since.some((r) => r.verb === "UNFREEZE" && (r.change.vault === null || markOf(r.change.vault) === mark));
  const frozen = new Set(journal.freezes().map(({ vault }) => markOf(vault)));
  const missing = anchor.frozen.find((mark) => !frozen.has(mark) && !lifted(mark));
  if (missing !== undefined)
    throw new Fault(
      "ERR_STATE",
      `The token knows a freeze (${missing}) that this record does not hold. Nothing runs; restore the newest record.`,
    );
}

/** The empty name of "everything" sorts first in the record, and is no vault's. */
function markOf(vault: string | null): string {
  return sha256Hex(new TextEncoder().encode(vault ?? "*")).slice(0, 8);
}

function parseAnchor(text: string | undefined): Anchor {
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

/** Keeps the token's anchor up with the record. */
export class AnchorKeeper {
  readonly #desk: Desk;
  #written: string;
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
    const { charter, journal, hsm, log } = this.#desk;
    try {
      const text = anchorOf(charter.current, journal);
      if (text === this.#written) return;
      await hsm.writeAnchor(text);
      this.#written = text;
    } catch (error) {
      log.error({ err: error }, "the token's anchor waits");
    }
  }
}
