/**
 * What the agent sends through the bridge: messages leave the outbox in order, so many under way at a time, and are gone from it once the
 * bridge has them. Whoever cannot receive now waits by themselves. It knows no socket: link.ts. README.md of protocol/, "Relay".
 */
import { createHash } from "node:crypto";
import type { ClientFrame } from "../protocol/frame.ts";
import type { PublicJwk } from "../protocol/primitive.ts";
import type { Desk } from "./desk.ts";
import type { OutboxRow } from "./rows.ts";
import { sealRow } from "./sealing.ts";

/** Frames sent and not yet taken by the bridge. */
const IN_FLIGHT = 64;
/** Until a frame that the bridge refused is tried again: a full mailbox empties when its owner comes back. Milliseconds. */
const REFUSED = 5_000;

/** The link, as far as it is needed here. */
export interface Wire {
  isOnline(): boolean;
  send(frame: ClientFrame): void;
  /** Has `flush` called again. */
  wake(): void;
}

export class Outgoing {
  readonly #desk: Desk;
  readonly #wire: Wire;
  /** By frame id. */
  readonly #inFlight = new Map<string, { readonly n: number; readonly receiver: string }>();
  /** Numbers of outbox rows that the bridge has. They are removed together: each removal by itself would be an fsync. */
  readonly #taken = new Set<number>();
  /** Receivers whose frames were refused; they wait, so that they hold up nobody else. */
  readonly #parked = new Set<string>();
  #unpark: NodeJS.Timeout | undefined;

  constructor(desk: Desk, wire: Wire) {
    this.#desk = desk;
    this.#wire = wire;
  }

  /** The next connection begins anew with what waits. */
  lost(): void {
    this.#inFlight.clear();
  }

  /** Whoever could not receive may be able to now. */
  tryAll(): void {
    this.#parked.clear();
  }

  /** Nothing is sent any more. What the bridge has is not sent again by whoever comes after. */
  stop(): void {
    clearTimeout(this.#unpark);
    if (this.#desk.journal.failure === null) this.#removeTaken();
  }

  /** The bridge has the frame `id`. */
  accepted(id: string): void {
    const sent = this.#inFlight.get(id);
    this.#inFlight.delete(id);
    if (sent !== undefined) this.#taken.add(sent.n);
    // Of many that are under way half is waited for, and then seen to at once.
    if (this.#inFlight.size <= IN_FLIGHT / 2) this.#wire.wake();
  }

  /** The bridge refused the frame `id`. `isGone`: its receiver is nobody any more, so it is dropped; any other is tried again later. */
  refused(id: string, isGone: boolean): void {
    const sent = this.#inFlight.get(id);
    if (sent === undefined) return;
    if (isGone) return this.accepted(id);
    this.#inFlight.delete(id);
    this.#parked.add(sent.receiver);
    this.#unpark ??= setTimeout(() => {
      this.#unpark = undefined;
      this.tryAll();
      this.#wire.wake();
    }, REFUSED);
    this.#wire.wake();
  }

  /** Sends what waits and has room. Resolves with whether all that waits is under way. One call at a time. */
  async flush(): Promise<boolean> {
    this.#removeTaken();
    const { rows, isAll } = this.#choose();
    // All at the same time: most of it is done by other threads.
    const sealed = await Promise.all(
      rows.map(async (row) => ({ ...row, body: await sealRow(this.#desk, row, row.key) })),
    );
    // What they say is on the disk before anybody hears of it: once for all of them.
    await this.#desk.journal.durable();
    for (const { id, n, receiver, body } of sealed) {
      // It was dropped, and left its room to another.
      if (body === undefined) this.#wire.wake();
      // The connection that it was meant for may be gone by now.
      if (body === undefined || !this.#wire.isOnline()) continue;
      // Meanwhile its receiver's mailbox may have been full, or its receiver been removed.
      if (this.#parked.has(receiver) || !this.#desk.journal.isInOutbox(n)) continue;
      const frame = frameIdFor(id, receiver);
      this.#inFlight.set(frame, { n, receiver });
      this.#wire.send({ v: 1, t: "send", id: frame, to: receiver, body });
    }
    return isAll;
  }

  #removeTaken(): void {
    const { journal } = this.#desk;
    if (this.#taken.size === 0) return;
    journal.transaction(() => {
      for (const n of this.#taken) journal.removeFromOutbox(n);
    });
    this.#taken.clear();
  }

  /** The oldest that are not under way, with the key to seal each to; `isAll`: nothing waits for room. */
  #choose(): { rows: (OutboxRow & { readonly key: PublicJwk })[]; isAll: boolean } {
    const { journal, log } = this.#desk;
    const rows: (OutboxRow & { readonly key: PublicJwk })[] = [];
    const sent = new Set([...this.#inFlight.values()].map(({ n }) => n));
    // There is room for so many, of which those that are under way take their part wherever they stand.
    const oldest = journal.outbox(IN_FLIGHT, [...this.#parked]);
    for (const row of oldest) {
      if (sent.has(row.n) || sent.size + rows.length >= IN_FLIGHT) continue;
      const key = row.seal ?? journal.memberSeal(row.receiver);
      if (key !== undefined) rows.push({ ...row, key });
      else {
        // Nobody ever told a key to seal to: nothing can be said to them.
        log.warn({ receiver: row.receiver }, "a message without a key to seal it to was dropped");
        journal.removeFromOutbox(row.n);
        this.#wire.wake();
      }
    }
    return { rows, isAll: oldest.length < IN_FLIGHT };
  }
}

/**
 * One message to several is a frame to each, with an id of its own: the bridge's answer names no receiver. The same again after a restart,
 * so that the bridge delivers it once.
 */
function frameIdFor(id: string, receiver: string): string {
  return createHash("sha256").update(`${id} ${receiver}`, "ascii").digest().subarray(0, 16).toString("base64url");
}
