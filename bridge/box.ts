/**
 * What is not acknowledged yet of one receiver: its numbers, who fills it how far, and the messages that are held in memory.
 * What is in the store comes before what is held, in the order of seq. No I/O, no clock. protocol/README.md, "Mailbox".
 */
import { Correspondence } from "./correspondence.ts";
import type { BoxState } from "./mailbox.ts";

/** Text of one byte a character; as bytes where it was read that way, which saves making a text of it. */
export type Body = string | Buffer;

/** A message on its way in. `share`: the part of the mailbox that its sender may fill. `once`: an invite's only one. */
export interface Incoming {
  readonly receiver: string;
  readonly sender: string;
  readonly id: string;
  readonly body: Body;
  readonly share: number;
  readonly once: boolean;
}

/** Who sent a message, and is told once it is safe. */
export interface Origin {
  accepted(id: string): void;
}

/** A message that is not in the store. */
export interface Held {
  readonly seq: number;
  readonly id: string;
  readonly sender: string;
  readonly body: Body;
  /** Milliseconds of a clock that never goes back. */
  readonly at: number;
  /** The connection that sent it, and those that sent it again before it had an answer. */
  readonly origin: Origin;
  others: Set<Origin> | undefined;
}

/** Of one receiver: messages, and bytes of their bodies. */
export interface BoxLimits {
  readonly messages: number;
  readonly bytes: number;
}

export class Box {
  readonly receiver: string;
  /** Highest seq given to a message. */
  given: number;
  /** Seqs up to this one are used up for ever, by a record that is durable: they may be given without asking the store. */
  reserved: number;
  /** As `reserved`, once what was asked of the store is durable. */
  asked: number;
  acked: number;
  /** Messages in the store, and the highest seq among all that ever were; `durable`: the highest that is committed. */
  stored: number;
  lastStored: number;
  durable: number;
  /** Whether something is to be given to the receiver at the end of this turn. */
  isDue = false;
  /** When the receiver last acknowledged something new. Milliseconds. */
  ackedAt = Number.NEGATIVE_INFINITY;
  #held: Held[] = [];
  #messages = 0;
  #bytes = 0;
  readonly #senders = new Map<string, Correspondence>();

  constructor(receiver: string, { last, acked, shares }: BoxState) {
    this.receiver = receiver;
    this.given = last;
    this.reserved = last;
    this.asked = last;
    this.lastStored = last;
    this.durable = last;
    this.acked = acked;
    for (const { sender, messages, bytes } of shares) this.#count(this.from(sender), messages, bytes);
    this.stored = this.#messages;
  }

  /** In order of seq, without a gap. */
  get held(): readonly Held[] {
    return this.#held;
  }

  /** Messages in memory and in the store. */
  get messages(): number {
    return this.#messages;
  }

  /** Whether the quota, or the sender's share of it, has no room for this message. */
  isFull({ sender, body, share }: Incoming, { messages, bytes }: BoxLimits): boolean {
    if (this.#messages + 1 > messages || this.#bytes + body.length > bytes) return true;
    const own = this.from(sender);
    return own.messages + 1 > messages * share || own.bytes + body.length > bytes * share;
  }

  /** What there is of one sender. */
  from(sender: string): Correspondence {
    const found = this.#senders.get(sender);
    if (found !== undefined) return found;
    const made = new Correspondence();
    this.#senders.set(sender, made);
    return made;
  }

  hold(held: Held): void {
    this.#held.push(held);
    const own = this.from(held.sender);
    own.held.set(held.id, held);
    this.#count(own, 1, held.body.length);
  }

  /** A message was stored that was not held before. */
  enter(sender: string, size: number): void {
    this.stored += 1;
    this.#count(this.from(sender), 1, size);
  }

  /** What was held is in the store now. */
  moved(): readonly Held[] {
    const moved = this.#held;
    this.stored += moved.length;
    this.#held = [];
    for (const { sender, id } of moved) this.from(sender).held.delete(id);
    return moved;
  }

  /** A message has left the store. */
  leave(sender: string, size: number): void {
    this.stored -= 1;
    this.#count(this.from(sender), -1, -size);
  }

  /** Takes what is held up to and with `seq`; of each sender at least `remembered` ids are remembered. */
  release(seq: number, remembered: number): readonly Held[] {
    const first = this.#held[0];
    if (first === undefined || seq < first.seq) return [];
    const released = this.#held.splice(0, seq - first.seq + 1);
    for (const { sender, id, body } of released) {
      const own = this.from(sender);
      own.held.delete(id);
      own.remember(id, remembered);
      this.#count(own, -1, -body.length);
    }
    return released;
  }

  /** Forgets older ids of all senders. Returns how many are left. */
  age(): number {
    let left = 0;
    for (const [sender, own] of this.#senders) {
      left += own.age();
      if (own.isEmpty) this.#senders.delete(sender);
    }
    return left;
  }

  #count(own: Correspondence, messages: number, bytes: number): void {
    this.#messages += messages;
    this.#bytes += bytes;
    own.messages += messages;
    own.bytes += bytes;
  }
}
