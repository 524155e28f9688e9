/**
 * What a script remembers of the agent's log, as an extension does: written from the specification and not from the extension's code.
 * protocol/README.md, "Verifying a view".
 */
import type { TreeHead } from "../../protocol/checkpoint.ts";
import type { Receipt } from "../../protocol/log-entry.ts";
import { isConsistent } from "../../protocol/merkle.ts";
import type { PublicJwk } from "../../protocol/primitive.ts";
import { type OpenedView, openView } from "../../protocol/view.ts";

/** The last state that was accepted, and its checkpoint; null where the admins named it (RESTORE). */
export interface Known {
  readonly head: TreeHead;
  readonly note: string | null;
}

/** `split`: the HSM has signed two logs. `unproven`: it may go on from what is known; a sync says from where. */
export type Judged = "accepted" | "older" | "unproven" | "split";

export class LogMemory {
  /** Every view that came, as it was sealed, oldest first. */
  readonly views: string[] = [];
  /** The receipts in those that hold. */
  readonly receipts: Receipt[] = [];
  /** Null before anything was seen. */
  known: Known | null = null;
  /** How often a view was no continuation of what is known. */
  splits = 0;
  #keeps = true;
  #take: (receipt: Receipt) => void = () => undefined;

  get head(): TreeHead | null {
    return this.known?.head ?? null;
  }

  /** Gives each receipt to `take`, those that came already first. The last one that is named here gets them. */
  follow(take: (receipt: Receipt) => void): void {
    this.#take = take;
    for (const receipt of this.receipts) take(receipt);
  }

  /** Lets go of the views and receipts that came, and keeps none any more. */
  keepNothing(): void {
    this.#keeps = false;
    this.views.length = 0;
    this.receipts.length = 0;
  }

  /**
   * Opens a view and takes what it shows; of one that is no continuation nothing is used, and of another identity than `hsm` receipts only.
   * @throws Fault ERR_LOG
   */
  async look(
    text: string,
    { hsm, ...expected }: { origin: string; keys: readonly PublicJwk[]; hsm: string },
  ): Promise<{ readonly judged: Judged; readonly receipts: readonly Receipt[] }> {
    if (this.#keeps) this.views.push(text);
    const { view, head, by, entries } = await openView(text, expected);
    const judged = by === hsm ? this.#judge(head, view) : "older";
    if (judged === "accepted") this.known = { head, note: view.checkpoint };
    if (judged === "split") {
      this.splits += 1;
      return { judged, receipts: [] };
    }
    const receipts = entries.filter((entry) => entry.kind === "state");
    if (this.#keeps) this.receipts.push(...receipts);
    for (const receipt of receipts) this.#take(receipt);
    return { judged, receipts };
  }

  #judge(head: TreeHead, { from, consistency }: OpenedView["view"]): Judged {
    const before = this.head;
    if (before === null) return "accepted";
    if (head.size === before.size) return head.root === before.root ? "accepted" : "split";
    if (head.size < before.size) return "older";
    if (from !== before.size) return "unproven";
    return isConsistent(from, before.root, head.size, head.root, consistency) ? "accepted" : "split";
  }
}
