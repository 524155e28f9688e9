/**
 * Who is online, and what each frame of theirs does: joins admission, routing and mail. Holds no sockets' details
 * (connection.ts) and makes no decision that admit.ts, roster.ts, relay.ts or post.ts makes. protocol/README.md, "Relay".
 */
import { Fault, isFault } from "../protocol/error.ts";
import type { ClientFrame } from "../protocol/frame.ts";
import { thumbprint } from "../protocol/primitive.ts";
import { admit, type Certificate, type LoginFrame, oldCard, openCard, type Party } from "./admit.ts";
import type { Box, Held } from "./box.ts";
import type { Connection, Desk } from "./connection.ts";
import type { Mailbox } from "./mailbox.ts";
import { Post, type PostLimits } from "./post.ts";
import { route } from "./relay.ts";
import { openRoster, Rosters, restoreRoster } from "./roster.ts";

type SendFrame = Extract<ClientFrame, { t: "send" }>;

/** Messages read from the store at once: a batch of the longest is 2 MiB, and most are far shorter. */
const BATCH = 16;

export interface ExchangeParts {
  readonly url: string;
  readonly agents: readonly string[];
  readonly mailbox: Mailbox;
  readonly limits: PostLimits;
  readonly connectionsPerKey: number;
  /** Part of an agent's mailbox that one member or invite may fill. */
  readonly shareOfSender: number;
  /** Seconds since 1970. */
  readonly now: () => number;
  /** Told of a mistake that no connection's frame led to. */
  readonly mistaken: (error: unknown) => void;
}

const NOBODY: ReadonlySet<Connection> = new Set();

export class Exchange implements Desk {
  readonly #parts: ExchangeParts;
  readonly post: Post;
  readonly #rosters: Rosters;
  /** By routing address: a member's key, or an agent's HSM identity, which is on no roster that counts. */
  readonly #online = new Map<string, ReadonlySet<Connection>>();

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    this.#rosters = new Rosters(parts.agents);
    const { mailbox, limits, now } = parts;
    const ready = (receiver: string) => {
      for (const peer of this.#peers(receiver)) {
        try {
          this.#deliver(peer);
        } catch (error) {
          peer.failWith(error);
        }
      }
    };
    const clock = () => performance.now();
    this.post = new Post({ mailbox, limits, now, clock, ready, mistaken: parts.mistaken });
    for (const agent of parts.agents) {
      const roster = parts.mailbox.roster(agent);
      if (roster !== undefined) this.#rosters.put(restoreRoster(roster));
    }
  }

  async login(connection: Connection, frame: LoginFrame): Promise<void> {
    const { mailbox, now, url, agents, connectionsPerKey } = this.#parts;
    const party = await admit(frame, {
      url,
      nonce: connection.nonce,
      now: now(),
      agents,
      rosters: this.#rosters,
      cardOf: (agent) => mailbox.card(agent)?.n ?? 0,
    });
    if (!connection.isOpen) return;
    if (party.card !== null) this.#takeCard(party.card);
    const peers = this.#peers(party.key);
    if (peers.size >= connectionsPerKey) {
      throw new Fault("ERR_LOGIN_TOO_MANY", "This key has too many connections; close one.");
    }
    this.#online.set(party.key, new Set([...peers, connection]));
    connection.enter(party, party.card === null ? (mailbox.card(party.agent)?.jws ?? null) : null);
    this.#deliver(connection);
  }

  receive(connection: Connection, frame: Parameters<Desk["receive"]>[1]): void {
    const { party } = connection;
    if (party === undefined) throw misplaced();
    switch (frame.t) {
      case "ping":
        return connection.send({ v: 1, t: "pong" });
      case "ack":
        return this.#acknowledge(connection, party, frame.seq);
      case "send":
        return this.#relay(connection, party, frame);
    }
  }

  /** A card or roster that is refused leaves the old one in force, and its agent connected: others depend on it. */
  async renew(connection: Connection, { t, jws }: Parameters<Desk["renew"]>[1]): Promise<void> {
    const card = connection.party?.card ?? null;
    if (card === null) throw misplaced();
    try {
      await (t === "roster" ? this.#enrol(connection, card, jws) : this.#certify(connection, card, jws));
    } catch (error) {
      // A store that fails is no fault of the agent's document.
      if (!isFault(error) || error.code === "ERR_INTERNAL") throw error;
      connection.refuse(error.code, null);
    }
  }

  leave(connection: Connection): void {
    if (connection.party === undefined) return;
    const { key } = connection.party;
    const peers = this.#peers(key);
    const left = [...peers].filter((peer) => peer !== connection);
    if (left.length > 0) this.#online.set(key, new Set(left));
    else if (this.#online.delete(key)) this.post.leave(key);
  }

  /** Closes connections whose key is not admitted any more: on no roster now, or an invite that has expired. */
  expel(): void {
    for (const connection of this.#all()) {
      const { party } = connection;
      if (party === undefined || party.card !== null) continue;
      if (this.#rosters.agentsOf(party.key, this.#parts.now()).length === 0) connection.fail("ERR_LOGIN_UNKNOWN");
    }
  }

  /** How many agents are connected. */
  agentsOnline(): number {
    return this.#parts.agents.filter((agent) => this.#online.has(agent)).length;
  }

  async #enrol(connection: Connection, { agent, hsm }: Certificate, jws: string): Promise<void> {
    const { mailbox, url, now } = this.#parts;
    const current = this.#rosters.of(agent);
    // Letter for letter the one in force: verified when it came, and it may have expired since.
    if (current?.jws === jws) return connection.send({ v: 1, t: "enrolled", n: current.n });
    const roster = await openRoster(jws, { agent, hsm, url, now: now() });
    if (!connection.isOpen) return;
    if (roster.n <= (this.#rosters.of(agent)?.n ?? 0)) {
      throw new Fault("ERR_ROSTER_OLD", "A roster of this number or a higher one is in force; number it higher.");
    }
    mailbox.setRoster(agent, jws);
    this.#rosters.put(roster);
    connection.send({ v: 1, t: "enrolled", n: roster.n });
    this.expel();
  }

  async #certify(connection: Connection, { agent, link }: Certificate, jws: string): Promise<void> {
    const { mailbox, url, now } = this.#parts;
    const newest = mailbox.card(agent);
    // As with a roster: its answer may have been lost.
    if (newest?.jws === jws) return connection.send({ v: 1, t: "certified", n: newest.n });
    const card = await openCard(jws, { agents: [agent], url, now: now() });
    if (!connection.isOpen) return;
    if (thumbprint(card.link) !== thumbprint(link)) {
      throw new Fault("ERR_LOGIN_UNKNOWN", "A card for another link key comes with a login by that key.");
    }
    this.#takeCard(card, connection);
    connection.send({ v: 1, t: "certified", n: card.n });
  }

  /** Puts a verified card in force: stored, then the agent's connections other than `from` ended, its people told. */
  #takeCard({ agent, n, jws }: Certificate, from?: Connection): void {
    const { mailbox, now } = this.#parts;
    const newest = mailbox.card(agent);
    if (newest?.jws === jws) return;
    // Asked again: a newer card may have come while this one was being verified. Two cards of one number are two agents.
    if (n <= (newest?.n ?? 0)) throw oldCard();
    mailbox.setCard(agent, n, jws);
    for (const older of this.#peers(agent)) if (older !== from) older.fail("ERR_CARD_OLD");
    for (const peer of this.#all()) {
      const { party } = peer;
      if (party?.agent !== agent || this.#rosters.find(agent, party.key, now()) === undefined) continue;
      peer.send({ v: 1, t: "card", jws });
    }
  }

  #relay(connection: Connection, party: Party, frame: SendFrame): void {
    const { now, shareOfSender } = this.#parts;
    const decided = route(party, frame.to, this.#rosters, now());
    if ("refused" in decided) {
      if (decided.refused === "ERR_LOGIN_UNKNOWN") return connection.fail(decided.refused, frame.id);
      return connection.refuse(decided.refused, frame.id);
    }
    const taken = this.post.take(
      {
        receiver: decided.to,
        // Stamped from what was authenticated; a frame has no place for a sender's word on it.
        sender: party.key,
        id: frame.id,
        body: frame.body,
        share: decided.rivals === null ? shareOfSender : 1 / decided.rivals,
        once: decided.once,
      },
      connection,
      this.#isUnderWay(decided.to),
    );
    if (taken === "full") connection.refuse("ERR_FRAME_MAILBOX_FULL", frame.id);
    if (taken === "spent") connection.refuse("ERR_INVITE", frame.id);
  }

  /** Whether `receiver` is online and has been given all of its mail that is in the store. */
  #isUnderWay(receiver: string): boolean {
    const { stored, lastStored } = this.post.box(receiver);
    for (const { isOpen, window } of this.#peers(receiver)) {
      if (isOpen && (stored === 0 || window.cursor >= lastStored)) return true;
    }
    return false;
  }

  #acknowledge(connection: Connection, party: Party, seq: number): void {
    const outcome = this.post.acknowledge(party.key, seq);
    if (outcome === "ahead") throw new Fault("ERR_FRAME_MALFORMED", "An acknowledgement is of what was delivered.");
    if (outcome === "known") return;
    connection.refund();
    for (const peer of this.#peers(party.key)) {
      peer.window.settle(seq);
      this.#deliver(peer);
    }
  }

  /**
   * Gives the connection what its window has room for, and no more: what is in the store, then what is held. A member gets
   * nothing from an agent whose roster has dropped it, though another's still has it.
   */
  #deliver(connection: Connection): void {
    const { party } = connection;
    if (party === undefined) return;
    const box = this.post.box(party.key);
    if (box.messages === 0) return;
    if (box.stored > 0 && connection.window.cursor < box.lastStored && !this.#deliverStored(connection, party, box)) {
      return;
    }
    this.#deliverHeld(connection, party, box.held);
  }

  /** Whether all that is in the store was given. */
  #deliverStored(connection: Connection, party: Party, { durable, lastStored }: Box): boolean {
    const { window } = connection;
    const senders = party.card === null ? this.#rosters.agentsOf(party.key, this.#parts.now()) : null;
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

  #deliverHeld(connection: Connection, party: Party, held: readonly Held[]): void {
    const { window } = connection;
    const first = held[0]?.seq ?? 0;
    for (let at = Math.max(0, window.cursor + 1 - first); at < held.length; at++) {
      const message = held[at];
      if (message === undefined || window.room === 0 || !connection.isOpen) return;
      const { seq, id, sender, body } = message;
      if (party.card === null && this.#rosters.find(sender, party.key, this.#parts.now()) === undefined) continue;
      window.push(seq, body.length);
      connection.deliver(seq, id, sender, body);
    }
  }

  #peers(key: string): ReadonlySet<Connection> {
    return this.#online.get(key) ?? NOBODY;
  }

  #all(): Connection[] {
    return [...this.#online.values()].flatMap((peers) => [...peers]);
  }
}

function misplaced(): Fault {
  return new Fault("ERR_FRAME_MALFORMED", "This side may not send such a frame here.");
}
