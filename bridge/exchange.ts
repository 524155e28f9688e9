/**
 * Who is online, and what each frame of theirs does: joins admission, routing and mailbox. Holds no sockets' details
 * (connection.ts) and makes no decision that admit.ts, roster.ts or relay.ts makes. protocol/README.md, "Relay".
 */
import { Fault, isFault } from "../protocol/error.ts";
import type { ClientFrame } from "../protocol/frame.ts";
import { thumbprint } from "../protocol/primitive.ts";
import { admit, type Certificate, type LoginFrame, oldCard, openCard, type Party } from "./admit.ts";
import type { Connection, Desk } from "./connection.ts";
import type { Mailbox } from "./mailbox.ts";
import { route } from "./relay.ts";
import { openRoster, Rosters, restoreRoster } from "./roster.ts";

type SendFrame = Extract<ClientFrame, { t: "send" }>;

/** Messages read from the store at once: a batch of the longest is 2 MiB, and most are far shorter. */
const BATCH = 16;

export interface ExchangeParts {
  readonly url: string;
  readonly agents: readonly string[];
  readonly mailbox: Mailbox;
  readonly connectionsPerKey: number;
  /** Part of an agent's mailbox that one member or invite may fill. */
  readonly shareOfSender: number;
  /** Seconds since 1970. */
  readonly now: () => number;
}

export class Exchange implements Desk {
  readonly #parts: ExchangeParts;
  readonly #rosters: Rosters;
  /** By routing address: a member's key, or an agent's HSM identity, which is on no roster that counts. */
  readonly #online = new Map<string, Set<Connection>>();

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    this.#rosters = new Rosters(parts.agents);
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

  async receive(connection: Connection, frame: ClientFrame): Promise<void> {
    const { party } = connection;
    if (party === undefined) throw misplaced();
    switch (frame.t) {
      case "ping":
        return connection.send({ v: 1, t: "pong" });
      case "ack":
        return this.#acknowledge(connection, party, frame.seq);
      case "send":
        return this.#relay(connection, party, frame);
      case "roster":
        return await this.#renew(connection, party, (card) => this.#enrol(connection, card, frame.jws));
      case "card":
        return await this.#renew(connection, party, (card) => this.#certify(connection, card, frame.jws));
      case "login":
        throw misplaced();
    }
  }

  leave(connection: Connection): void {
    if (connection.party === undefined) return;
    const { key } = connection.party;
    const peers = this.#peers(key);
    peers.delete(connection);
    if (peers.size === 0) this.#online.delete(key);
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

  /** A card or roster that is refused leaves the old one in force, and its agent connected: others depend on it. */
  async #renew(connection: Connection, party: Party, take: (card: Certificate) => Promise<void>): Promise<void> {
    if (party.card === null) throw misplaced();
    try {
      await take(party.card);
    } catch (error) {
      if (!isFault(error)) throw error;
      connection.refuse(error.code, null);
    }
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
    const { mailbox, now, shareOfSender } = this.#parts;
    const decided = route(party, frame.to, this.#rosters, now());
    if ("refused" in decided) {
      if (decided.refused === "ERR_LOGIN_UNKNOWN") return connection.fail(decided.refused, frame.id);
      return connection.refuse(decided.refused, frame.id);
    }
    const outcome = mailbox.store(
      {
        receiver: decided.to,
        // Stamped from what was authenticated; a frame has no place for a sender's word on it.
        sender: party.key,
        id: frame.id,
        body: frame.body,
        share: decided.rivals === null ? shareOfSender : 1 / decided.rivals,
        once: decided.once,
      },
      now(),
    );
    if (outcome === "full") return connection.refuse("ERR_FRAME_MAILBOX_FULL", frame.id);
    if (outcome === "spent") return connection.refuse("ERR_INVITE", frame.id);
    connection.send({ v: 1, t: "accepted", id: frame.id });
    if (outcome === "known") return;
    for (const peer of this.#peers(decided.to)) this.#deliver(peer);
  }

  #acknowledge(connection: Connection, party: Party, seq: number): void {
    const outcome = this.#parts.mailbox.ack(party.key, seq);
    if (outcome === "ahead") throw new Fault("ERR_FRAME_MALFORMED", "An acknowledgement is of what was delivered.");
    if (outcome === "known") return;
    connection.refund();
    for (const peer of this.#peers(party.key)) {
      peer.window.settle(seq);
      this.#deliver(peer);
    }
  }

  /**
   * Pulls from the mailbox what the connection's window has room for, and no more. A member gets nothing from an agent
   * whose roster has dropped it, though another's still has it.
   */
  #deliver(connection: Connection): void {
    const { party, window } = connection;
    if (party === undefined) return;
    const senders = party.card === null ? this.#rosters.agentsOf(party.key, this.#parts.now()) : null;
    while (connection.isOpen && window.room > 0) {
      const limit = Math.min(window.room, BATCH);
      const batch = this.#parts.mailbox.after(party.key, window.cursor, limit, senders);
      for (const message of batch) {
        if (window.room === 0) return;
        window.push(message.seq, message.size);
        const { seq, id, sender, body } = message;
        connection.send({ v: 1, t: "deliver", seq, id, from: sender, body });
      }
      if (batch.length < limit) return;
    }
  }

  #peers(key: string): Set<Connection> {
    return this.#online.get(key) ?? new Set();
  }

  #all(): Connection[] {
    return [...this.#online.values()].flatMap((peers) => [...peers]);
  }
}

function misplaced(): Fault {
  return new Fault("ERR_FRAME_MALFORMED", "This side may not send such a frame here.");
}
