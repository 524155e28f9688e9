/**
 * What the bridge keeps, in SQLite: mailboxes, remembered ids, rosters and card numbers. Bodies are opaque to it.
 * Every method is one transaction, durable when it returns (WAL, synchronous=FULL). protocol/README.md, "Mailbox".
 * It decides nothing about who may send (relay.ts) and holds no key.
 */
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import * as v from "valibot";
import { Fault } from "../protocol/error.ts";

const SCHEMA_VERSION = 1;

const SCHEMA = `
  -- last never goes back, also when the mailbox is empty: a seq is used once, for ever.
  CREATE TABLE mailbox (
    agent TEXT, receiver TEXT, last INTEGER NOT NULL, acked INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (agent, receiver)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE message (
    agent TEXT NOT NULL, receiver TEXT NOT NULL, seq INTEGER NOT NULL, sender TEXT NOT NULL, id TEXT NOT NULL,
    size INTEGER NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (agent, receiver, seq)
  ) STRICT;
  CREATE INDEX message_quota ON message (agent, receiver, sender, size);
  CREATE INDEX message_age ON message (at);
  -- Outlives the message: an id that comes again is acknowledged and not delivered a second time.
  CREATE TABLE remembered (
    agent TEXT, sender TEXT, ordinal INTEGER, receiver TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (agent, sender, ordinal)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX remembered_id ON remembered (agent, receiver, sender, id);
  CREATE INDEX remembered_age ON remembered (at);
  -- Kept for ever: an invite that is listed again later is still spent. One row for each invite that was used.
  CREATE TABLE spent (agent TEXT, invite TEXT, id TEXT NOT NULL, PRIMARY KEY (agent, invite)) STRICT, WITHOUT ROWID;
  CREATE TABLE authority (
    agent TEXT PRIMARY KEY, card INTEGER NOT NULL DEFAULT 0, roster TEXT
  ) STRICT, WITHOUT ROWID;
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** Bounds of the store; server.ts states them with their reasons. Seconds and bytes of body. */
export interface MailboxLimits {
  readonly messages: number;
  readonly bytes: number;
  readonly shareOfSender: number;
  readonly retention: number;
  readonly remembered: number;
}

/** A message on its way in. `fair`: the sender may fill only its share. `once`: an invite's only one. */
export interface Incoming {
  readonly agent: string;
  readonly receiver: string;
  readonly sender: string;
  readonly id: string;
  readonly body: string;
  readonly fair: boolean;
  readonly once: boolean;
}

/** `known`: stored before, acknowledge again. `full`: the quota. `spent`: the invite has sent its one message. */
export type Stored = "stored" | "known" | "full" | "spent";

const MessageSchema = v.object({
  seq: v.number(),
  id: v.string(),
  sender: v.string(),
  size: v.number(),
  body: v.string(),
});
export type Message = v.InferOutput<typeof MessageSchema>;
const MessagesSchema = v.array(MessageSchema);

const QuotaSchema = v.object({ messages: v.number(), bytes: v.number(), own: v.number(), ownBytes: v.number() });
const BoxSchema = v.object({ last: v.number(), acked: v.number() });
const SpentSchema = v.object({ id: v.string() });
const CountSchema = v.object({ n: v.number() });
const AuthoritySchema = v.object({ card: v.number(), roster: v.nullable(v.string()) });

export class Mailbox {
  readonly #database: DatabaseSync;
  readonly #limits: MailboxLimits;
  readonly #statements = new Map<string, StatementSync>();

  /**
   * Opens or makes the store in `folder` (made 0700) and keeps it locked until `close` or the process's end.
   * @throws Fault ERR_STATE where another bridge or another version owns it
   */
  constructor(folder: string, limits: MailboxLimits) {
    this.#limits = limits;
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      chmodSync(folder, 0o700);
      this.#database = new DatabaseSync(join(folder, "bridge.db"), { timeout: 0 });
      // Exclusive before WAL: two bridges on one folder would both believe their seq.
      this.#database.exec("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;");
      this.#migrate();
    } catch (cause) {
      if (cause instanceof Fault) throw cause;
      throw new Fault("ERR_STATE", `The folder ${folder} cannot be used; is another bridge running on it?`, { cause });
    }
  }

  #migrate(): void {
    const found = Number(this.#database.prepare("PRAGMA user_version").get()?.["user_version"]);
    if (found === SCHEMA_VERSION) return;
    if (found !== 0)
      throw new Fault("ERR_STATE", `The bridge's store has version ${found}; run the bridge that made it.`);
    this.#transaction(() => this.#database.exec(SCHEMA));
  }

  /** Stores a message, once for each (agent, receiver, sender, id). `now` in seconds. */
  store(message: Incoming, now: number): Stored {
    const { agent, receiver, sender, id, body } = message;
    return this.#transaction(() => {
      if (message.once) {
        const spent = v.parse(
          v.optional(SpentSchema),
          this.#sql("SELECT id FROM spent WHERE agent=? AND invite=?").get(agent, sender),
        );
        if (spent !== undefined) return spent.id === id ? "known" : "spent";
      }
      const known = this.#sql("SELECT 1 FROM remembered WHERE agent=? AND receiver=? AND sender=? AND id=?");
      if (known.get(agent, receiver, sender, id) !== undefined) return "known";
      if (this.#isFull(message)) return "full";
      const box = v.parse(
        BoxSchema,
        this.#sql(
          `INSERT INTO mailbox (agent, receiver, last) VALUES (?, ?, 1)
           ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last, acked`,
        ).get(agent, receiver),
      );
      this.#sql("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?)").run(
        agent,
        receiver,
        box.last,
        sender,
        id,
        body.length,
        now,
        body,
      );
      this.#remember(message, now);
      if (message.once) this.#sql("INSERT INTO spent VALUES (?, ?, ?)").run(agent, sender, id);
      return "stored";
    });
  }

  #isFull({ agent, receiver, sender, body, fair }: Incoming): boolean {
    const { messages, bytes, shareOfSender } = this.#limits;
    const held = v.parse(
      QuotaSchema,
      this.#sql(
        `SELECT count(*) AS messages, coalesce(sum(size), 0) AS bytes, coalesce(sum(sender = ?1), 0) AS own,
           coalesce(sum(iif(sender = ?1, size, 0)), 0) AS ownBytes FROM message WHERE agent = ?2 AND receiver = ?3`,
      ).get(sender, agent, receiver),
    );
    if (held.messages + 1 > messages || held.bytes + body.length > bytes) return true;
    return fair && (held.own + 1 > messages * shareOfSender || held.ownBytes + body.length > bytes * shareOfSender);
  }

  #remember({ agent, receiver, sender, id }: Incoming, now: number): void {
    const { n } = v.parse(
      CountSchema,
      this.#sql("SELECT coalesce(max(ordinal), 0) + 1 AS n FROM remembered WHERE agent=? AND sender=?").get(
        agent,
        sender,
      ),
    );
    this.#sql("INSERT INTO remembered VALUES (?, ?, ?, ?, ?, ?)").run(agent, sender, n, receiver, id, now);
    this.#sql("DELETE FROM remembered WHERE agent=? AND sender=? AND ordinal<=?").run(
      agent,
      sender,
      n - this.#limits.remembered,
    );
  }

  /** At most `limit` messages of a receiver above `seq`, in order. */
  after(agent: string, receiver: string, seq: number, limit: number): Message[] {
    const query =
      "SELECT seq, id, sender, size, body FROM message WHERE agent=? AND receiver=? AND seq>? ORDER BY seq LIMIT ?";
    return v.parse(MessagesSchema, this.#sql(query).all(agent, receiver, seq, limit));
  }

  /** Removes up to and with `seq`. `ahead`: no such seq was ever given out; nothing is removed. */
  ack(agent: string, receiver: string, seq: number): "removed" | "known" | "ahead" {
    return this.#transaction(() => {
      const box = v.parse(
        v.optional(BoxSchema, { last: 0, acked: 0 }),
        this.#sql("SELECT last, acked FROM mailbox WHERE agent=? AND receiver=?").get(agent, receiver),
      );
      if (seq > box.last) return "ahead";
      if (seq <= box.acked) return "known";
      this.#sql("UPDATE mailbox SET acked=? WHERE agent=? AND receiver=?").run(seq, agent, receiver);
      this.#sql("DELETE FROM message WHERE agent=? AND receiver=? AND seq<=?").run(agent, receiver, seq);
      return "removed";
    });
  }

  /** Forgets messages and ids older than the retention time. Returns how many messages nobody had fetched. */
  sweep(now: number): number {
    const before = now - this.#limits.retention;
    return this.#transaction(() => {
      this.#sql("DELETE FROM remembered WHERE at<=?").run(before);
      return Number(this.#sql("DELETE FROM message WHERE at<=?").run(before).changes);
    });
  }

  /** Messages waiting, of all receivers. */
  depth(): number {
    return v.parse(CountSchema, this.#sql("SELECT count(*) AS n FROM message").get()).n;
  }

  /** Highest card number seen of an agent (0: none) and its roster in force, if there is one. */
  authority(agent: string): { card: number; roster: string | null } {
    const row = this.#sql("SELECT card, roster FROM authority WHERE agent=?").get(agent);
    return v.parse(v.optional(AuthoritySchema, { card: 0, roster: null }), row);
  }

  setCard(agent: string, n: number): void {
    this.#sql("INSERT INTO authority (agent, card) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET card=?2").run(agent, n);
  }

  setRoster(agent: string, jws: string): void {
    this.#sql("INSERT INTO authority (agent, roster) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET roster=?2").run(
      agent,
      jws,
    );
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  #sql(text: string): StatementSync {
    const statement = this.#statements.get(text) ?? this.#database.prepare(text);
    this.#statements.set(text, statement);
    return statement;
  }

  #transaction<T>(work: () => T): T {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }
}
