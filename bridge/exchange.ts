/**
 * Who is online, and what each frame of theirs does: joins admission, routing and mail. Holds no sockets' details
 * (connection.ts) and makes no decision that admit.ts, roster.ts, relay.ts or post.ts makes. protocol/README.md, "Relay".
 */
import { peekEnvelope } from "../protocol/envelope.ts";
import { Fault, isFault } from "../protocol/error.ts";
import { thumbprint } from "../protocol/primitive.ts";
import { admit, type Certificate, type LoginFrame, oldCard, openCard, type Party } from "./admit.ts";
import type { Box } from "./box.ts";
import type { Connection, ConnectionLimits, Desk } from "./connection.ts";
import { Delivery } from "./delivery.ts";
import type { HotFrame } from "./hot-frame.ts";
import type { Mailbox } from "./mailbox.ts";
import { Post, type PostLimits } from "./post.ts";
import { type Bucket, KeyRates } from "./rate.ts";
import { route } from "./relay.ts";
import { openRoster, Rosters, restoreRoster } from "./roster.ts";
import type { Turn } from "./turn.ts";

type SendFrame = Extract<HotFrame, { t: "send" }>;

export interface ExchangeParts {
  readonly url: string;
  readonly agents: readonly string[];
  readonly mailbox: Mailbox;
  readonly limits: PostLimits & Pick<ConnectionLimits, "memberRate" | "agentRate">;
  readonly connectionsPerKey: number;
  /** Part of an agent's mailbox that one member or invite may fill. */
  readonly shareOfSender: number;
  readonly turn: Pick<Turn, "later" | "clock" | "now">;
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
  readonly #rates: KeyRates;
  readonly #delivery: Delivery;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    this.#rosters = new Rosters(parts.agents);
    // Twice: while one that flooded pays, its key still has all its connections.
    this.#rates = new KeyRates(2 * parts.connectionsPerKey);
    const { mailbox, limits, turn, mistaken } = parts;
    const peers = (receiver: string) => this.#peers(receiver);
    this.#delivery = new Delivery({ mailbox, turn, rosters: this.#rosters, peers });
    const ready = (box: Box) => this.#delivery.later(box);
    this.post = new Post({ mailbox, limits, now: turn.now, clock: turn.clock, ready, mistaken });
    for (const agent of parts.agents) {
      const roster = parts.mailbox.roster(agent);
      if (roster !== undefined) this.#rosters.put(restoreRoster(roster));
    }
  }

  async login(connection: Connection, frame: LoginFrame): Promise<void> {
    const { mailbox, turn, url, agents, connectionsPerKey } = this.#parts;
    // Before anything is verified: nobody but that key itself can have brought this on it.
    if (frame.card === null && this.#rates.isFlood(peekEnvelope(frame.jws).kid, turn.clock())) throw tooFast();
    const party = await admit(frame, {
      url,
      nonce: connection.nonce,
      now: this.#now(),
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
    const rate = this.#rateOf(party);
    this.#online.set(party.key, new Set([...peers, connection]));
    connection.enter(party, party.card === null ? (mailbox.card(party.agent)?.jws ?? null) : null, rate);
    this.#delivery.give(connection, this.post.box(party.key));
  }

  /** The bucket from which a connection of this party speaks; its login is the first frame. */
  #rateOf({ key, card }: Party): Bucket {
    const { turn, limits } = this.#parts;
    const clock = turn.clock();
    const take = () => this.#rates.take(key, card === null ? limits.memberRate : limits.agentRate, clock);
    for (let rate = take(); rate !== undefined; rate = take()) {
      if (rate.take(clock) !== "flood") return rate;
      // It is not given again before that is paid: the next is another.
      this.#rates.leave(key, rate);
    }
    throw tooFast();
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
    this.#rates.leave(key, connection.bucket);
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
      if (this.#rosters.agentsOf(party.key, this.#now()).length === 0) connection.fail("ERR_LOGIN_UNKNOWN");
    }
  }

  /** Forgets how fast those spoke who are gone and owe nothing. */
  prune(): void {
    this.#rates.prune(this.#parts.turn.clock());
  }

  /** How many agents are connected. */
  agentsOnline(): number {
    return this.#parts.agents.filter((agent) => this.#online.has(agent)).length;
  }

  async #enrol(connection: Connection, { agent, hsm }: Certificate, jws: string): Promise<void> {
    const { mailbox, url } = this.#parts;
    const current = this.#rosters.of(agent);
    // Letter for letter the one in force: verified when it came, and it may have expired since.
    if (current?.jws === jws) return connection.send({ v: 1, t: "enrolled", n: current.n });
    const roster = await openRoster(jws, { agent, hsm, url, now: this.#now() });
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
    const { mailbox, url } = this.#parts;
    const newest = mailbox.card(agent);
    // As with a roster: its answer may have been lost.
    if (newest?.jws === jws) return connection.send({ v: 1, t: "certified", n: newest.n });
    const card = await openCard(jws, { agents: [agent], url, now: this.#now() });
    if (!connection.isOpen) return;
    if (thumbprint(card.link) !== thumbprint(link)) {
      throw new Fault("ERR_LOGIN_UNKNOWN", "A card for another link key comes with a login by that key.");
    }
    this.#takeCard(card, connection);
    connection.send({ v: 1, t: "certified", n: card.n });
  }

  /** Puts a verified card in force: stored, then the agent's connections other than `from` ended, its people told. */
  #takeCard({ agent, n, jws }: Certificate, from?: Connection): void {
    const { mailbox } = this.#parts;
    const newest = mailbox.card(agent);
    if (newest?.jws === jws) return;
    // Asked again: a newer card may have come while this one was being verified. Two cards of one number are two agents.
    if (n <= (newest?.n ?? 0)) throw oldCard();
    mailbox.setCard(agent, n, jws);
    for (const older of this.#peers(agent)) if (older !== from) older.fail("ERR_CARD_OLD");
    for (const peer of this.#all()) {
      const { party } = peer;
      if (party?.agent !== agent || this.#rosters.find(agent, party.key, this.#now()) === undefined) continue;
      peer.send({ v: 1, t: "card", jws });
    }
  }

  #relay(connection: Connection, party: Party, frame: SendFrame): void {
    const { shareOfSender } = this.#parts;
    const decided = route(party, this.post.addressOf(frame.to), this.#rosters, this.#now());
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
    // Another connection of this key may have acknowledged it first.
    if (connection.window.answers(seq) || outcome === "removed") connection.refund();
    if (outcome === "known") return;
    for (const peer of this.#peers(party.key)) peer.window.settle(seq);
    this.#delivery.later(this.post.box(party.key));
  }

  #now(): number {
    return this.#parts.turn.now();
  }

  #peers(key: string): ReadonlySet<Connection> {
    return this.#online.get(key) ?? NOBODY;
  }

  #all(): Connection[] {
    return [...this.#online.values()].flatMap((peers) => [...peers]);
  }
}

function tooFast(): Fault {
  return new Fault("ERR_FRAME_RATE", "This key has sent too many frames, or logged in too often; wait.");
}

function misplaced(): Fault {
  return new Fault("ERR_FRAME_MALFORMED", "This side may not send such a frame here.");
}
