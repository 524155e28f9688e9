/**
 * Gives connections what waits for their receiver: once at the end of a turn, however much has come in it, as far as each
 * window allows. Decides neither who may send (relay.ts) nor what is held (post.ts). protocol/README.md, "Relay".
 */
import type { Party } from "./admit.ts";
import type { Box, Held } from "./box.ts";
import type { Connection } from "./connection.ts";
import type { Mailbox } from "./mailbox.ts";
import type { Rosters } from "./roster.ts";
import type { Turn } from "./turn.ts";

/** Messages read from the store at once: a batch of the longest is 2 MiB, and most are far shorter. */
const BATCH = 16;

export interface DeliveryParts {
  readonly mailbox: Pick<Mailbox, "after">;
  readonly rosters: Rosters;
  readonly turn: Pick<Turn, "later" | "now">;
  /** The connections of a receiver. */
  readonly peers: (receiver: string) => Iterable<Connection>;
}

export class Delivery {
  readonly #parts: DeliveryParts;
  /** To whose receivers something is to be given at the end of this turn. */
  #due: Box[] = [];

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
  }

  /** Once in a turn, however much has come for a receiver in it. */
  later(box: Box): void {
    if (box.isDue) return;
    box.isDue = true;
    if (this.#due.length === 0) this.#parts.turn.later(() => this.#giveDue());
    this.#due.push(box);
  }

  #giveDue(): void {
    const due = this.#due;
    this.#due = [];
    for (const box of due) {
      box.isDue = false;
      for (const peer of this.#parts.peers(box.receiver)) {
        try {
          this.give(peer, box);
        } catch (error) {
          peer.failWith(error);
        }
      }
    }
  }

  /**
   * Gives the connection what its window has room for, and no more: what is in the store, then what is held. A member gets
   * nothing from an agent whose roster has dropped it, though another's still has it.
   */
  give(connection: Connection, box: Box): void {
    const { party } = connection;
    if (party === undefined || box.messages === 0) return;
    if (box.stored > 0 && connection.window.cursor < box.lastStored && !this.#giveStored(connection, party, box)) {
      return;
    }
    this.#giveHeld(connection, party, box.held);
  }

  /** Whether all that is in the store was given. */
  #giveStored(connection: Connection, party: Party, { durable, lastStored }: Box): boolean {
    const { window } = connection;
    const senders = party.card === null ? this.#parts.rosters.agentsOf(party.key, this.#parts.turn.now()) : null;
    while (connection.isOpen && window.room > 0) {
      const limit = Math.min(window.room, BATCH);
      // A seq that is not durable yet could be given a second time after a crash.
      const batch = this.#parts.mailbox.after(party.key, window.cursor, durable, limit, senders);
      for (const { seq, id, sender, body, size } of batch) {
        if (window.room === 0) return false;
        window.push(seq, size);
        connection.deliver(seq, id, sender, body);
      }
      if (batch.length < limit) return durable === lastStored;
    }
    return false;
  }

  #giveHeld(connection: Connection, party: Party, held: readonly Held[]): void {
    const { window } = connection;
    const first = held[0]?.seq ?? 0;
    /** The last sender of whom the rosters were asked. */
    let known: string | undefined;
    for (let at = Math.max(0, window.cursor + 1 - first); at < held.length; at++) {
      const message = held[at];
      if (message === undefined || window.room === 0 || !connection.isOpen) return;
      const { seq, id, sender, body } = message;
      if (party.card === null && sender !== known) {
        if (this.#parts.rosters.find(sender, party.key, this.#parts.turn.now()) === undefined) continue;
        known = sender;
      }
      window.push(seq, body.length);
      connection.deliver(seq, id, sender, body);
    }
  }
}
