/**
 * Takes messages and gives them out: held in memory while their receiver is online and acknowledges, else stored. Tells a
 * sender "accepted" only once its message was acknowledged or is durable. Neither sockets nor rosters: who may send what is
 * relay.ts, who is online exchange.ts. protocol/README.md, "Mailbox".
 */
import { Box, type BoxLimits, type Held, type Incoming, type Origin } from "./box.ts";
import type { Mailbox } from "./mailbox.ts";

/** Bounds of what is not stored; server.ts states them with their reasons. */
export interface PostLimits extends BoxLimits {
  /** Milliseconds without an acknowledgement after which a message is stored. */
  readonly hold: number;
  /** Bytes of body in memory, of all receivers. */
  readonly held: number;
  /** Seqs of a receiver that are reserved at a time. */
  readonly reserve: number;
  /** Ids remembered of messages that were never stored: of one sender to one receiver at least, and of all at most. */
  readonly recent: { readonly ofSender: number; readonly ofAll: number };
  /** Milliseconds for which such an id is remembered, where these bounds allow. */
  readonly recentTime: number;
}

/** `known`: came before. `full`: the quota. `spent`: the invite has sent its one message. Else `accepted` follows. */
export type Taken = "taken" | "known" | "full" | "spent";

export interface PostParts {
  readonly mailbox: Mailbox;
  readonly limits: PostLimits;
  /** Seconds since 1970. */
  readonly now: () => number;
  /** Milliseconds of a clock that never goes back. */
  readonly clock: () => number;
  /** Something new can be delivered to this receiver. Does not throw. */
  readonly ready: (box: Box) => void;
  /** A mistake of our own where no frame asked for anything. What was held still is. */
  readonly mistaken: (error: unknown) => void;
}

export class Post {
  readonly #parts: PostParts;
  readonly #boxes = new Map<string, Box>();
  /** Those with messages in memory. */
  readonly #holding = new Set<Box>();
  /** Ids remembered since they were last aged. */
  #remembered = 0;
  #agedAt: number;
  #heldBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  /** How many messages took each way since the start. */
  readonly counts = { inMemory: 0, stored: 0, late: 0 };

  constructor(parts: PostParts) {
    this.#parts = parts;
    this.#agedAt = parts.clock();
  }

  /** What is held for a receiver, and what of its mail is in the store. */
  box(receiver: string): Box {
    const found = this.#boxes.get(receiver);
    if (found !== undefined) return found;
    const box = new Box(receiver, this.#parts.mailbox.box(receiver));
    this.#boxes.set(receiver, box);
    return box;
  }

  /** The text of a receiver's address that is used everywhere else: comparing it with itself costs nothing. */
  addressOf(receiver: string): string {
    return this.#boxes.get(receiver)?.receiver ?? receiver;
  }

  /** Messages waiting: all, and those of them that are in memory. */
  depth(): { all: number; held: number; heldBytes: number } {
    let held = 0;
    for (const box of this.#holding) held += box.held.length;
    return { all: this.#parts.mailbox.depth() + held, held, heldBytes: this.#heldBytes };
  }

  /**
   * Takes a message, once for each (receiver, sender, id). `isUnderWay`: the receiver is online, and all that is stored for
   * it was given to one of its connections. Where this returns "taken" or "known", `origin` is told once it is safe.
   */
  take(message: Incoming, origin: Origin, isUnderWay: boolean): Taken {
    const { mailbox, limits } = this.#parts;
    const { receiver, sender, id } = message;
    const box = this.box(receiver);
    if (message.once) {
      const spent = mailbox.spent(sender);
      if (spent !== undefined) {
        if (spent.receiver !== receiver || spent.id !== id) return "spent";
        mailbox.group.durable(() => origin.accepted(id));
        return "known";
      }
    }
    const own = box.from(sender);
    const held = own.held.get(id);
    if (held !== undefined) (held.others ??= new Set()).add(origin);
    else if (own.remembers(id)) origin.accepted(id);
    // It may have been stored in this very turn.
    else if (mailbox.isRemembered(receiver, sender, id)) mailbox.group.durable(() => origin.accepted(id));
    else if (box.isFull(message, limits)) return "full";
    else {
      if (isUnderWay && this.#mayHold(box, message)) this.#hold(box, message, origin);
      else this.#store(box, message, origin, isUnderWay);
      return "taken";
    }
    return "known";
  }

  /** Removes up to and with `seq`. `ahead`: no such seq was ever given out; nothing is removed. */
  acknowledge(receiver: string, seq: number): "removed" | "known" | "ahead" {
    const { limits } = this.#parts;
    const box = this.box(receiver);
    if (seq > box.given) return "ahead";
    if (seq <= box.acked) return "known";
    if (box.stored > 0) for (const gone of this.#parts.mailbox.ack(receiver, seq)) box.leave(gone.sender, gone.size);
    box.acked = seq;
    box.ackedAt = this.#parts.clock();
    const released = box.release(seq, limits.recent.ofSender);
    for (const held of released) {
      this.#heldBytes -= held.body.length;
      answer(held);
    }
    this.#remembered += released.length;
    if (this.#remembered >= limits.recent.ofAll / 2) this.#age();
    if (box.held.length === 0) this.#holding.delete(box);
    return "removed";
  }

  /** Nobody is there any more to acknowledge what is held for `receiver`: it is stored. */
  leave(receiver: string): void {
    const box = this.#boxes.get(receiver);
    if (box !== undefined) this.#spillUnasked(box);
  }

  /** Forgets what is older than its time; once in each sweep. Returns how many messages nobody had fetched. */
  sweep(): number {
    const { mailbox, now, clock, limits } = this.#parts;
    const dropped = mailbox.sweep(now());
    for (const { receiver, sender, size } of dropped) this.#boxes.get(receiver)?.leave(sender, size);
    if (clock() - this.#agedAt >= limits.recentTime) this.#age();
    return dropped.length;
  }

  /** Stores all that is held, durable when it returns; from now on everything is stored. @throws Fault ERR_INTERNAL */
  drain(): void {
    const { mailbox } = this.#parts;
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const box of this.#holding) this.#spill(box);
    for (const { receiver, given, asked } of this.#boxes.values()) {
      if (given < asked) mailbox.giveBack(receiver, given);
    }
    mailbox.group.commit();
  }

  #mayHold(box: Box, { body, once }: Incoming): boolean {
    const { limits, clock } = this.#parts;
    // An invite's only message is spent in the same transaction that stores it.
    if (once || this.#stopped || box.given >= box.reserved) return false;
    if (this.#heldBytes + body.length > limits.held) return false;
    // Whoever acknowledges goes on; whoever has left something unacknowledged is not waited for again.
    return box.stored === 0 || clock() - box.ackedAt < limits.hold;
  }

  #hold(box: Box, { id, sender, body }: Incoming, origin: Origin): void {
    const { limits, clock, ready } = this.#parts;
    box.given += 1;
    box.hold({ seq: box.given, id, sender, body, at: clock(), origin, others: undefined });
    this.#holding.add(box);
    this.#heldBytes += body.length;
    this.counts.inMemory += 1;
    this.#reserve(box);
    this.#timer ??= setTimeout(() => this.#tick(), limits.hold / 4);
    ready(box);
  }

  #store(box: Box, message: Incoming, origin: Origin, isOnline: boolean): void {
    const { mailbox, now } = this.#parts;
    const { id, sender, body } = message;
    // What is in the store comes before what is held.
    this.#spill(box);
    const seq = box.given + 1;
    mailbox.store(box.receiver, [{ seq, id, sender, body }], now(), message.once);
    box.given = seq;
    box.enter(sender, body.length);
    this.counts.stored += 1;
    if (isOnline) this.#reserve(box);
    this.#whenStored(box, seq, () => origin.accepted(id));
  }

  /** Moves what is held into the store. */
  #spill(box: Box): void {
    const { mailbox, now } = this.#parts;
    const last = box.held.at(-1);
    if (last === undefined) return;
    mailbox.store(box.receiver, box.held, now(), false);
    const moved = box.moved();
    this.#holding.delete(box);
    for (const { body } of moved) this.#heldBytes -= body.length;
    this.counts.late += moved.length;
    this.#whenStored(box, last.seq, () => {
      for (const held of moved) answer(held);
    });
  }

  /** Where no frame asked for it. A store that has failed has told so itself. */
  #spillUnasked(box: Box): void {
    try {
      this.#spill(box);
    } catch (error) {
      if (this.#parts.mailbox.group.failure === undefined) this.#parts.mistaken(error);
    }
  }

  #whenStored(box: Box, seq: number, then: () => void): void {
    box.lastStored = seq;
    this.#parts.mailbox.group.durable(() => {
      box.durable = seq;
      then();
      this.#parts.ready(box);
    });
  }

  /** Asks for more seqs while half of them are left, so that nobody waits for them. */
  #reserve(box: Box): void {
    const { mailbox, limits } = this.#parts;
    if (box.asked - box.given > limits.reserve / 2) return;
    const last = box.given + limits.reserve;
    mailbox.reserve(box.receiver, last);
    box.asked = last;
    mailbox.group.durable(() => {
      box.reserved = last;
    });
  }

  #age(): void {
    this.#remembered = 0;
    this.#agedAt = this.#parts.clock();
    for (const box of this.#boxes.values()) this.#remembered += box.age();
  }

  #tick(): void {
    const { clock, limits } = this.#parts;
    this.#timer = undefined;
    const before = clock() - limits.hold;
    for (const box of this.#holding)
      if ((box.held[0]?.at ?? Number.POSITIVE_INFINITY) <= before) this.#spillUnasked(box);
    if (this.#holding.size > 0 && this.#parts.mailbox.group.failure === undefined)
      this.#timer = setTimeout(() => this.#tick(), limits.hold / 4);
  }
}

function answer({ id, origin, others }: Held): void {
  origin.accepted(id);
  for (const other of others ?? []) if (other !== origin) other.accepted(id);
}
