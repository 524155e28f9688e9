/**
 * What the bridge keeps, in SQLite: a mailbox for each receiving key, remembered ids, rosters and cards. Bodies are opaque
 * to it. Every method is one transaction, durable when it returns (WAL, synchronous=FULL). protocol/README.md, "Mailbox".
 * It decides nothing about who may send (relay.ts) and holds no private key.
 */
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import * as v from "valibot";
import { Fault } from "../protocol/error.ts";

const SCHEMA_VERSION = 2;

const SCHEMA = `
  -- last never goes back, also when the mailbox is empty: a seq is used once, for ever.
  CREATE TABLE mailbox (
    receiver TEXT PRIMARY KEY, last INTEGER NOT NULL, acked INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE message (
    receiver TEXT NOT NULL, seq INTEGER NOT NULL, sender TEXT NOT NULL, id TEXT NOT NULL,
    size INTEGER NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (receiver, seq)
  ) STRICT;
  CREATE INDEX message_quota ON message (receiver, sender, size);
  CREATE INDEX message_age ON message (at);
  -- Outlives the message: an id that comes again is acknowledged and not delivered a second time.
  CREATE TABLE remembered (
    sender TEXT, ordinal INTEGER, receiver TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (sender, ordinal)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX remembered_id ON remembered (receiver, sender, id);
  CREATE INDEX remembered_age ON remembered (at);
  -- Kept for ever: an invite that is listed again later is still spent. One row for each invite that was used.
  CREATE TABLE spent (invite TEXT PRIMARY KEY, receiver TEXT NOT NULL, id TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE card (agent TEXT PRIMARY KEY, n INTEGER NOT NULL, jws TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE roster (agent TEXT PRIMARY KEY, jws TEXT NOT NULL) STRICT, WITHOUT ROWID;
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** Bounds of the store; server.ts states them with their reasons. Seconds and bytes of body. */
export interface MailboxLimits {
  readonly messages: number;
  readonly bytes: number;
  readonly retention: number;
  readonly remembered: number;
}

/** A message on its way in. `share`: the part of the mailbox that its sender may fill. `once`: an invite's only one. */
export interface Incoming {
  readonly receiver: string;
  readonly sender: string;
  readonly id: string;
  readonly body: string;
  readonly share: number;
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
const SpentSchema = v.object({ receiver: v.string(), id: v.string() });
const CountSchema = v.object({ n: v.number() });
const CardSchema = v.object({ n: v.number(), jws: v.string() });
const RosterSchema = v.object({ jws: v.string() });

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
      // What was acknowledged is overwritten in the store; `sweep` takes it out of the write-ahead log.
      this.#database.exec("PRAGMA secure_delete=ON");
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

  /** Stores a message, once for each (receiver, sender, id). `now` in seconds. */
  store(message: Incoming, now: number): Stored {
    const { receiver, sender, id, body } = message;
    return this.#transaction(() => {
      if (message.once) {
        const spent = v.parse(
          v.optional(SpentSchema),
          this.#sql("SELECT receiver, id FROM spent WHERE invite=?").get(sender),
        );
        if (spent !== undefined) return spent.receiver === receiver && spent.id === id ? "known" : "spent";
      }
      const known = this.#sql("SELECT 1 FROM remembered WHERE receiver=? AND sender=? AND id=?");
      if (known.get(receiver, sender, id) !== undefined) return "known";
      if (this.#isFull(message)) return "full";
      const box = v.parse(
        BoxSchema,
        this.#sql(
          `INSERT INTO mailbox (receiver, last) VALUES (?, 1)
           ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last, acked`,
        ).get(receiver),
      );
      this.#sql("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?)").run(
        receiver,
        box.last,
        sender,
        id,
        body.length,
        now,
        body,
      );
      this.#remember(message, now);
      if (message.once) this.#sql("INSERT INTO spent VALUES (?, ?, ?)").run(sender, receiver, id);
      return "stored";
    });
  }

  #isFull({ receiver, sender, body, share }: Incoming): boolean {
    const { messages, bytes } = this.#limits;
    const held = v.parse(
      QuotaSchema,
      this.#sql(
        `SELECT count(*) AS messages, coalesce(sum(size), 0) AS bytes, coalesce(sum(sender = ?1), 0) AS own,
           coalesce(sum(iif(sender = ?1, size, 0)), 0) AS ownBytes FROM message WHERE receiver = ?2`,
      ).get(sender, receiver),
    );
    if (held.messages + 1 > messages || held.bytes + body.length > bytes) return true;
    return held.own + 1 > messages * share || held.ownBytes + body.length > bytes * share;
  }

  #remember({ receiver, sender, id }: Incoming, now: number): void {
    const { n } = v.parse(
      CountSchema,
      this.#sql("SELECT coalesce(max(ordinal), 0) + 1 AS n FROM remembered WHERE sender=?").get(sender),
    );
    this.#sql("INSERT INTO remembered VALUES (?, ?, ?, ?, ?)").run(sender, n, receiver, id, now);
    this.#sql("DELETE FROM remembered WHERE sender=? AND ordinal<=?").run(sender, n - this.#limits.remembered);
  }

  /** At most `limit` messages of a receiver above `seq`, in order: from `senders`, or from anybody where that is null. */
  after(receiver: string, seq: number, limit: number, senders: readonly string[] | null): Message[] {
    const query = `SELECT seq, id, sender, size, body FROM message WHERE receiver=?1 AND seq>?2
      AND (?4 IS NULL OR sender IN (SELECT value FROM json_each(?4))) ORDER BY seq LIMIT ?3`;
    const named = senders === null ? null : JSON.stringify(senders);
    return v.parse(MessagesSchema, this.#sql(query).all(receiver, seq, limit, named));
  }

  /** Removes up to and with `seq`. `ahead`: no such seq was ever given out; nothing is removed. */
  ack(receiver: string, seq: number): "removed" | "known" | "ahead" {
    return this.#transaction(() => {
      const box = v.parse(
        v.optional(BoxSchema, { last: 0, acked: 0 }),
        this.#sql("SELECT last, acked FROM mailbox WHERE receiver=?").get(receiver),
      );
      if (seq > box.last) return "ahead";
      if (seq <= box.acked) return "known";
      this.#sql("UPDATE mailbox SET acked=? WHERE receiver=?").run(seq, receiver);
      this.#sql("DELETE FROM message WHERE receiver=? AND seq<=?").run(receiver, seq);
      return "removed";
    });
  }

  /**
   * Forgets messages and ids older than the retention time, and empties the write-ahead log, where bodies that are gone
   * from the store would otherwise stay until it is full. Returns how many messages nobody had fetched.
   */
  sweep(now: number): number {
    const before = now - this.#limits.retention;
    const dropped = this.#transaction(() => {
      this.#sql("DELETE FROM remembered WHERE at<=?").run(before);
      return Number(this.#sql("DELETE FROM message WHERE at<=?").run(before).changes);
    });
    this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    return dropped;
  }

  /** Messages waiting, of all receivers. */
  depth(): number {
    return v.parse(CountSchema, this.#sql("SELECT count(*) AS n FROM message").get()).n;
  }

  /** The card of an agent with the highest number seen. */
  card(agent: string): { n: number; jws: string } | undefined {
    return v.parse(v.optional(CardSchema), this.#sql("SELECT n, jws FROM card WHERE agent=?").get(agent));
  }

  setCard(agent: string, n: number, jws: string): void {
    this.#sql("INSERT INTO card VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET n=?2, jws=?3").run(agent, n, jws);
  }

  /** The roster of an agent that is in force. */
  roster(agent: string): string | undefined {
    return v.parse(v.optional(RosterSchema), this.#sql("SELECT jws FROM roster WHERE agent=?").get(agent))?.jws;
  }

  setRoster(agent: string, jws: string): void {
    this.#sql("INSERT INTO roster VALUES (?1, ?2) ON CONFLICT DO UPDATE SET jws=?2").run(agent, jws);
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
