/**
 * Who is online, and what each frame of theirs does: joins admission, routing and mailbox. Holds no sockets' details
 * (connection.ts) and makes no decision that admit.ts, roster.ts or relay.ts makes. protocol/README.md, "Relay".
 */
import { Fault, isFault } from "../protocol/error.ts";
import type { ClientFrame } from "../protocol/frame.ts";
import { admit, type LoginFrame, oldCard, type Party } from "./admit.ts";
import type { Connection, Desk } from "./connection.ts";
import type { Mailbox } from "./mailbox.ts";
import { route } from "./relay.ts";
import { findOnRoster, openRoster, type RosterIndex, restoreRoster } from "./roster.ts";

type SendFrame = Extract<ClientFrame, { t: "send" }>;

/** Messages read from the store at once: a batch of the longest is 2 MiB, and most are far shorter. */
const BATCH = 16;

export interface ExchangeParts {
  readonly url: string;
  readonly agents: readonly string[];
  readonly mailbox: Mailbox;
  readonly connectionsPerKey: number;
  /** Seconds since 1970. */
  readonly now: () => number;
}

export class Exchange implements Desk {
  readonly #parts: ExchangeParts;
  readonly #rosters = new Map<string, RosterIndex>();
  /** By agent and key. */
  readonly #online = new Map<string, Set<Connection>>();

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    for (const agent of parts.agents) {
      const { roster } = parts.mailbox.authority(agent);
      if (roster !== null) this.#rosters.set(agent, restoreRoster(roster));
    }
  }

  async login(connection: Connection, frame: LoginFrame): Promise<void> {
    const { mailbox, now, url, agents, connectionsPerKey } = this.#parts;
    const party = await admit(frame, {
      url,
      nonce: connection.nonce,
      now: now(),
      agents,
      rosterOf: (agent) => this.#rosters.get(agent),
      cardOf: (agent) => mailbox.authority(agent).card,
    });
    if (!connection.isOpen) return;
    if (party.card !== null) this.#takeCard(party.agent, party.card.n);
    const peers = this.#peers(party);
    if (peers.size >= connectionsPerKey) {
      throw new Fault("ERR_LOGIN_TOO_MANY", "This key has too many connections; close one.");
    }
    this.#online.set(addressOf(party), new Set([...peers, connection]));
    connection.enter(party);
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
        return await this.#enrol(connection, party, frame.jws);
      case "login":
        throw misplaced();
    }
  }

  leave(connection: Connection): void {
    if (connection.party === undefined) return;
    const peers = this.#peers(connection.party);
    peers.delete(connection);
    if (peers.size === 0) this.#online.delete(addressOf(connection.party));
  }

  /** Closes connections whose key is not admitted any more: dropped from the roster, or an invite that has expired. */
  expel(): void {
    for (const connection of this.#all()) {
      const { party } = connection;
      if (party === undefined || party.card !== null) continue;
      if (findOnRoster(this.#rosters.get(party.agent), party.key, this.#parts.now()) === undefined) {
        connection.fail("ERR_LOGIN_UNKNOWN");
      }
    }
  }

  /** How many agents are connected. */
  agentsOnline(): number {
    return this.#parts.agents.filter((agent) => this.#online.has(addressOf({ agent, key: agent }))).length;
  }

  #takeCard(agent: string, n: number): void {
    const { mailbox } = this.#parts;
    const highest = mailbox.authority(agent).card;
    // Asked again: another login may have brought a newer card while this one was being verified.
    if (n < highest) throw oldCard();
    if (n === highest) return;
    mailbox.setCard(agent, n);
    for (const older of this.#peers({ agent, key: agent })) older.fail("ERR_CARD_OLD");
  }

  async #enrol(connection: Connection, party: Party, jws: string): Promise<void> {
    if (party.card === null) throw misplaced();
    const { agent } = party;
    const { mailbox, url, now } = this.#parts;
    try {
      const current = this.#rosters.get(agent);
      // Letter for letter the one in force: verified when it came, and it may have expired since.
      if (current?.jws === jws) return connection.send({ v: 1, t: "enrolled", n: current.n });
      const roster = await openRoster(jws, { agent, hsm: party.card.hsm, url, now: now() });
      if (!connection.isOpen) return;
      if (roster.n <= (this.#rosters.get(agent)?.n ?? 0)) {
        throw new Fault("ERR_ROSTER_OLD", "A roster of this number or a higher one is in force; number it higher.");
      }
      mailbox.setRoster(agent, jws);
      this.#rosters.set(agent, roster);
      connection.send({ v: 1, t: "enrolled", n: roster.n });
      this.expel();
    } catch (error) {
      // A roster that is refused leaves the one in force, and its agent connected: others still depend on it.
      if (!isFault(error)) throw error;
      connection.refuse(error.code, null);
    }
  }

  #relay(connection: Connection, party: Party, frame: SendFrame): void {
    const { mailbox, now } = this.#parts;
    const decided = route(party, frame.to, this.#rosters.get(party.agent), now());
    if ("refused" in decided) {
      if (decided.refused === "ERR_LOGIN_UNKNOWN") return connection.fail(decided.refused, frame.id);
      return connection.refuse(decided.refused, frame.id);
    }
    const outcome = mailbox.store(
      {
        agent: party.agent,
        receiver: decided.to,
        // Stamped from what was authenticated; a frame has no place for a sender's word on it.
        sender: party.key,
        id: frame.id,
        body: frame.body,
        fair: party.card === null,
        once: decided.once,
      },
      now(),
    );
    if (outcome === "full") return connection.refuse("ERR_FRAME_MAILBOX_FULL", frame.id);
    if (outcome === "spent") return connection.refuse("ERR_INVITE", frame.id);
    connection.send({ v: 1, t: "accepted", id: frame.id });
    if (outcome === "known") return;
    for (const peer of this.#peers({ agent: party.agent, key: decided.to })) this.#deliver(peer);
  }

  #acknowledge(connection: Connection, party: Party, seq: number): void {
    const outcome = this.#parts.mailbox.ack(party.agent, party.key, seq);
    if (outcome === "ahead") throw new Fault("ERR_FRAME_MALFORMED", "An acknowledgement is of what was delivered.");
    if (outcome === "known") return;
    connection.refund();
    for (const peer of this.#peers(party)) {
      peer.window.settle(seq);
      this.#deliver(peer);
    }
  }

  /** Pulls from the mailbox what the connection's window has room for, and no more. */
  #deliver(connection: Connection): void {
    const { party, window } = connection;
    if (party === undefined) return;
    while (connection.isOpen && window.room > 0) {
      const limit = Math.min(window.room, BATCH);
      const batch = this.#parts.mailbox.after(party.agent, party.key, window.cursor, limit);
      for (const message of batch) {
        if (window.room === 0) return;
        window.push(message.seq, message.size);
        const { seq, id, sender, body } = message;
        connection.send({ v: 1, t: "deliver", seq, id, from: sender, body });
      }
      if (batch.length < limit) return;
    }
  }

  #peers(address: { agent: string; key: string }): Set<Connection> {
    return this.#online.get(addressOf(address)) ?? new Set();
  }

  #all(): Connection[] {
    return [...this.#online.values()].flatMap((peers) => [...peers]);
  }
}

function addressOf({ agent, key }: { readonly agent: string; readonly key: string }): string {
  return `${agent} ${key}`;
}

function misplaced(): Fault {
  return new Fault("ERR_FRAME_MALFORMED", "This side may not send such a frame here.");
}
