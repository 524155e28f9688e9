/**
 * What the bridge keeps, in SQLite: a mailbox for each receiving key, remembered ids, rosters and cards. Bodies are opaque
 * to it. What is written in one turn of the event loop is durable at its end (commit.ts; WAL, synchronous=FULL).
 * It decides nothing about who may send (relay.ts) or what is held (post.ts). protocol/README.md, "Mailbox".
 */
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import * as v from "valibot";
import { Fault } from "../protocol/error.ts";
import type { Body } from "./box.ts";
import { GroupCommit } from "./commit.ts";
import {
  BoxSchema,
  CardSchema,
  CountSchema,
  type Gone,
  GoneSchema,
  IdSchema,
  type Message,
  MessagesSchema,
  RosterSchema,
  SCHEMA,
  SCHEMA_VERSION,
  SharesSchema,
  SpentSchema,
} from "./mailbox-rows.ts";
import { Sieve } from "./sieve.ts";
import { Turn } from "./turn.ts";

/** Bounds of the store; server.ts states them with their reasons. Seconds and ids. */
export interface MailboxLimits {
  readonly retention: number;
  readonly remembered: number;
}

/** A message with its number, to be stored. */
export interface Numbered {
  readonly seq: number;
  readonly id: string;
  readonly sender: string;
  readonly body: Body;
}

/** What the store knows of a receiver. `last`: no seq up to this one is given again. */
export interface BoxState {
  readonly last: number;
  readonly acked: number;
  readonly shares: readonly { readonly sender: string; readonly messages: number; readonly bytes: number }[];
}

/** Bytes of bodies written after which the write-ahead log is copied into the store: some four of SQLite's own periods. */
const CHECKPOINT = 4 * 1024 * 1024;
/** Bytes that a row takes in the log beside its body, at most: pages of two tables and their indices. */
const ROW = 4096;

export class Mailbox {
  readonly #database: DatabaseSync;
  readonly #limits: MailboxLimits;
  readonly #statements = new Map<string, StatementSync>();
  /** When what was written is durable. */
  readonly group: GroupCommit;
  /** Of all rows of `remembered`; those that were removed stay in it until the next start. */
  readonly #ids = new Sieve();
  #depth: number;
  #written = 0;

  /**
   * Opens or makes the store in `folder` (made 0700) and keeps it locked until `close` or the process's end. What is written
   * in one turn is committed at its end.
   * @throws Fault ERR_STATE where another bridge or another version owns it
   */
  constructor(folder: string, limits: MailboxLimits, turn: Pick<Turn, "later"> = new Turn()) {
    this.#limits = limits;
    this.group = new GroupCommit((sql) => void this.#sql(sql).run(), turn);
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      chmodSync(folder, 0o700);
      this.#database = new DatabaseSync(join(folder, "bridge.db"), { timeout: 0 });
      // Exclusive before WAL: two bridges on one folder would both believe their seq.
      this.#database.exec("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;");
      // By our own hand: SQLite's own checkpoints say nothing when they fail.
      this.#database.exec("PRAGMA wal_autocheckpoint=0");
      // What was acknowledged is overwritten in the store; `sweep` takes it out of the write-ahead log.
      this.#database.exec("PRAGMA secure_delete=ON");
      this.#migrate();
      this.#depth = v.parse(CountSchema, this.#sql("SELECT count(*) AS n FROM message").get()).n;
      for (const row of this.#sql("SELECT id FROM remembered").iterate()) this.#ids.add(v.parse(IdSchema, row).id);
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
    this.group.write(() => this.#database.exec(SCHEMA));
    this.group.commit();
  }

  /** What is known of a receiver. */
  box(receiver: string): BoxState {
    const box = v.parse(
      v.optional(BoxSchema, { last: 0, acked: 0 }),
      this.#sql("SELECT last, acked FROM mailbox WHERE receiver=?").get(receiver),
    );
    const query =
      "SELECT sender, count(*) AS messages, sum(size) AS bytes FROM message WHERE receiver=? GROUP BY sender";
    return { ...box, shares: v.parse(SharesSchema, this.#sql(query).all(receiver)) };
  }

  /** Whether this id was stored for its receiver, in this turn or before. */
  isRemembered(receiver: string, sender: string, id: string): boolean {
    // Most ids are new, and to be told so costs as much as all else that is done for a message in memory.
    if (!this.#ids.mayHave(id)) return false;
    const known = this.#sql("SELECT 1 FROM remembered WHERE receiver=? AND sender=? AND id=?");
    return known.get(receiver, sender, id) !== undefined;
  }

  /** The one message of an invite, once it has sent it. */
  spent(invite: string): { receiver: string; id: string } | undefined {
    return v.parse(v.optional(SpentSchema), this.#sql("SELECT receiver, id FROM spent WHERE invite=?").get(invite));
  }

  /** Stores messages of one receiver, all or none. `once`: each is its sender's only one. `now` in seconds. */
  store(receiver: string, messages: readonly Numbered[], now: number, once: boolean): void {
    this.group.write(() => {
      for (const { seq, id, sender, body } of messages) {
        this.#raise(receiver, seq);
        const insert = this.#sql("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?)");
        insert.run(receiver, seq, sender, id, body.length, now, body.toString("latin1"));
        this.#remember(receiver, sender, id, now);
        if (once) this.#sql("INSERT INTO spent VALUES (?, ?, ?)").run(sender, receiver, id);
        this.#written += body.length + ROW;
      }
    });
    this.#checkpointSoon();
    this.#depth += messages.length;
  }

  #raise(receiver: string, last: number): void {
    const raise = "INSERT INTO mailbox (receiver, last) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET last = max(last, ?2)";
    this.#sql(raise).run(receiver, last);
  }

  #remember(receiver: string, sender: string, id: string, now: number): void {
    const { n } = v.parse(
      CountSchema,
      this.#sql("SELECT coalesce(max(ordinal), 0) + 1 AS n FROM remembered WHERE sender=?").get(sender),
    );
    this.#sql("INSERT INTO remembered VALUES (?, ?, ?, ?, ?)").run(sender, n, receiver, id, now);
    this.#ids.add(id);
    this.#sql("DELETE FROM remembered WHERE sender=? AND ordinal<=?").run(sender, n - this.#limits.remembered);
  }

  /** No seq up to `last` is given again: once durable, they may be given without asking here. */
  reserve(receiver: string, last: number): void {
    this.group.write(() => this.#raise(receiver, last));
  }

  /** Of what was reserved for a receiver nothing above `last` was ever given. */
  giveBack(receiver: string, last: number): void {
    this.group.write(() => this.#sql("UPDATE mailbox SET last=? WHERE receiver=?").run(last, receiver));
  }

  /**
   * At most `limit` messages of a receiver above `seq`, up to `until`, in order: from `senders`, or from anybody where that
   * is null.
   */
  after(
    receiver: string,
    seq: number,
    until: number,
    limit: number,
    senders: readonly string[] | null,
  ): readonly Message[] {
    const query = `SELECT seq, id, sender, size, body FROM message WHERE receiver=?1 AND seq>?2 AND seq<=?5
      AND (?4 IS NULL OR sender IN (SELECT value FROM json_each(?4))) ORDER BY seq LIMIT ?3`;
    const named = senders === null ? null : JSON.stringify(senders);
    return v.parse(MessagesSchema, this.#sql(query).all(receiver, seq, limit, named, until));
  }

  /** Removes up to and with `seq`; returns what that was. */
  ack(receiver: string, seq: number): readonly Gone[] {
    const gone = this.group.write(() => {
      this.#sql("UPDATE mailbox SET acked=? WHERE receiver=?").run(seq, receiver);
      const remove = "DELETE FROM message WHERE receiver=? AND seq<=? RETURNING receiver, sender, size";
      return v.parse(GoneSchema, this.#sql(remove).all(receiver, seq));
    });
    this.#depth -= gone.length;
    this.#written += gone.length * ROW;
    this.#checkpointSoon();
    return gone;
  }

  /**
   * Forgets messages and ids older than the retention time, and empties the write-ahead log, where bodies that are gone
   * from the store would otherwise stay until it is full. Returns the messages that nobody had fetched.
   */
  sweep(now: number): readonly Gone[] {
    const before = now - this.#limits.retention;
    const dropped = this.group.write(() => {
      this.#sql("DELETE FROM remembered WHERE at<=?").run(before);
      const remove = "DELETE FROM message WHERE at<=? RETURNING receiver, sender, size";
      return v.parse(GoneSchema, this.#sql(remove).all(before));
    });
    this.#depth -= dropped.length;
    this.group.commit();
    this.#checkpoint("TRUNCATE");
    return dropped;
  }

  /** Messages waiting, of all receivers. */
  depth(): number {
    return this.#depth;
  }

  /** The card of an agent with the highest number seen. */
  card(agent: string): { n: number; jws: string } | undefined {
    return v.parse(v.optional(CardSchema), this.#sql("SELECT n, jws FROM card WHERE agent=?").get(agent));
  }

  /** Durable when it returns. */
  setCard(agent: string, n: number, jws: string): void {
    const set = "INSERT INTO card VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET n=?2, jws=?3";
    this.group.write(() => this.#sql(set).run(agent, n, jws));
    this.group.commit();
  }

  /** The roster of an agent that is in force. */
  roster(agent: string): string | undefined {
    return v.parse(v.optional(RosterSchema), this.#sql("SELECT jws FROM roster WHERE agent=?").get(agent))?.jws;
  }

  /** Durable when it returns. */
  setRoster(agent: string, jws: string): void {
    const set = "INSERT INTO roster VALUES (?1, ?2) ON CONFLICT DO UPDATE SET jws=?2";
    this.group.write(() => this.#sql(set).run(agent, jws));
    this.group.commit();
  }

  /** What is not committed is gone: `post.drain` comes before. */
  close(): void {
    this.group.end();
    this.#statements.clear();
    this.#database.close();
  }

  #sql(text: string): StatementSync {
    const statement = this.#statements.get(text) ?? this.#database.prepare(text);
    this.#statements.set(text, statement);
    return statement;
  }

  #checkpointSoon(): void {
    if (this.#written < CHECKPOINT) return;
    this.#written = 0;
    this.group.durable(() => this.#checkpoint("PASSIVE"));
  }

  #checkpoint(mode: "PASSIVE" | "TRUNCATE"): void {
    this.#written = 0;
    this.group.guard(() => this.#database.exec(`PRAGMA wal_checkpoint(${mode})`));
  }
}
