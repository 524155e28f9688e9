/**
 * What is said to whom, and to which key it is sealed: keys, answers that are owed, messages that wait to be sent, what each browser has
 * been shown of the log and said that it knows. README.md of protocol/, "Messages", "View". Statements only: no rule is decided here.
 */
import type { PublicJwk } from "../protocol/primitive.ts";
import { Ledger } from "./ledger.ts";
import { integer, type OutboxRow, type OwedRow, optional, text, toOutbox, toOwed } from "./rows.ts";

/** What an extension said that it knows of the log: its WITNESS, sent at `at` (seconds). */
export interface WitnessRow {
  readonly kid: string;
  readonly jws: string;
  readonly size: number;
  readonly at: number;
}

export class Mail extends Ledger {
  /** A private key that messages to the agent are sealed to, kept until `until` (seconds). `key`: private JWK. */
  addSeal(kid: string, key: object, until: number): void {
    this.run("INSERT INTO seals (kid, private, until) VALUES (?, ?, ?)", kid, JSON.stringify(key), until);
  }

  seals(): { kid: string; key: unknown }[] {
    return this.all("SELECT kid, private FROM seals").map((row) => ({
      kid: text(row["kid"]),
      key: JSON.parse(text(row["private"])) as unknown,
    }));
  }

  removeSealsUntil(now: number): void {
    this.run("DELETE FROM seals WHERE until <= ?", now);
  }

  /** The key that the extension `kid` receives with; a lower number changes nothing. */
  setMemberSeal(kid: string, n: number, key: PublicJwk): void {
    this.run(
      "INSERT INTO member_seals (kid, n, key, acts, shown) VALUES (?, ?, ?, 0, 0) ON CONFLICT (kid) DO UPDATE SET n = excluded.n, key = excluded.key WHERE excluded.n > n",
      kid,
      n,
      JSON.stringify(key),
    );
  }

  /** The extension `kid` has said that it knows the acts up to number `n`. */
  setKnownActs(kid: string, n: number): void {
    this.run("UPDATE member_seals SET acts = ? WHERE kid = ?", n, kid);
  }

  knownActs(kid: string): number {
    const acts = this.get("SELECT acts FROM member_seals WHERE kid = ?", kid)?.["acts"];
    return typeof acts === "number" ? acts : 0;
  }

  memberSeal(kid: string): PublicJwk | undefined {
    return optional(
      this.get("SELECT key FROM member_seals WHERE kid = ?", kid),
      (row) => JSON.parse(text(row["key"])) as PublicJwk,
    );
  }

  /** A message to be composed and signed once the HSM is there. The same again for one receiver is one. */
  owe(row: Omit<OwedRow, "n">): void {
    const seal = row.seal === null ? null : JSON.stringify(row.seal);
    const known = this.get(
      "SELECT n FROM owed WHERE what = ? AND receiver = ? AND body = ?",
      row.what,
      row.receiver,
      row.body,
    );
    if (known !== undefined) return;
    this.run(
      "INSERT INTO owed (what, receiver, body, seal) VALUES (?, ?, ?, ?)",
      row.what,
      row.receiver,
      row.body,
      seal,
    );
  }

  owed(): OwedRow[] {
    return this.all("SELECT * FROM owed ORDER BY n LIMIT 64").map(toOwed);
  }

  removeOwed(n: number): void {
    this.run("DELETE FROM owed WHERE n = ?", n);
  }

  /** Stores a message to be sent; it is gone from here once the bridge has stored it. */
  post(id: string, receivers: readonly string[], jws: string, seal: PublicJwk | null = null): void {
    const sealed = seal === null ? null : JSON.stringify(seal);
    for (const receiver of receivers) {
      this.run("INSERT OR IGNORE INTO outbox (id, receiver, jws, seal) VALUES (?, ?, ?, ?)", id, receiver, jws, sealed);
    }
  }

  /** The oldest `most` messages to be sent, without those to `except`. */
  outbox(most = 512, except: readonly string[] = []): OutboxRow[] {
    const sql = `SELECT * FROM outbox WHERE receiver NOT IN (${except.map(() => "?").join(", ")}) ORDER BY n LIMIT ?`;
    return this.all(sql, ...except, most).map(toOutbox);
  }

  isInOutbox(n: number): boolean {
    return this.get("SELECT 1 AS here FROM outbox WHERE n = ?", n) !== undefined;
  }

  /** How many messages wait to be sent to `receiver`, signed or not. */
  waitingFor(receiver: string): number {
    const count = (table: "outbox" | "owed" | "owed_views") =>
      integer(this.get(`SELECT count(*) AS n FROM ${table} WHERE receiver = ?`, receiver)?.["n"]);
    return count("outbox") + count("owed") + count("owed_views");
  }

  /** How many wait, whoever for. */
  countWaiting(table: "outbox" | "owed" | "owed_views"): number {
    return integer(this.get(`SELECT count(*) AS n FROM ${table}`)?.["n"]);
  }

  removeFromOutbox(n: number): void {
    this.run("DELETE FROM outbox WHERE n = ?", n);
  }

  /** What waits for somebody who is gone. */
  removeMailOf(receiver: string): void {
    this.run("DELETE FROM outbox WHERE receiver = ?", receiver);
    this.run("DELETE FROM owed WHERE receiver = ?", receiver);
    this.run("DELETE FROM owed_views WHERE receiver = ?", receiver);
    this.run("DELETE FROM member_seals WHERE kid = ?", receiver);
  }

  /** The highest number of what is owed now; 0 where nothing is. */
  lastOwed(): number {
    const n = this.get("SELECT max(n) AS n FROM owed")?.["n"];
    return typeof n === "number" ? n : 0;
  }

  /** The extension `kid` proved to know the log of `size` entries. */
  setWitness({ kid, jws, size, at }: WitnessRow): void {
    this.run("UPDATE member_seals SET witness = ?, witness_size = ?, witnessed = ? WHERE kid = ?", jws, size, at, kid);
  }

  /** What was said since `since` (seconds), the newest first. */
  witnesses(since: number): WitnessRow[] {
    const sql =
      "SELECT kid, witness, witness_size, witnessed FROM member_seals WHERE witnessed > ? ORDER BY witnessed DESC";
    return this.all(sql, since).map((row) => ({
      kid: text(row["kid"]),
      jws: text(row["witness"]),
      size: integer(row["witness_size"]),
      at: integer(row["witnessed"]),
    }));
  }

  /** What was said to an identity before a rotation proves nothing to anybody any more. */
  forgetWitnesses(): void {
    this.run("UPDATE member_seals SET witness = NULL, witness_size = NULL, witnessed = NULL");
  }

  /** The size of the log that the extension `kid` was shown last, or said that it knows. */
  shown(kid: string): number {
    const shown = this.get("SELECT shown FROM member_seals WHERE kid = ?", kid)?.["shown"];
    return typeof shown === "number" ? shown : 0;
  }

  setShown(kid: string, size: number): void {
    this.run("UPDATE member_seals SET shown = ? WHERE kid = ?", size, kid);
  }

  /** Whom something of the log is to be shown, at most `most` of them. */
  owedViews(most: number): string[] {
    return this.all("SELECT DISTINCT receiver FROM owed_views ORDER BY receiver LIMIT ?", most).map((row) =>
      text(row["receiver"]),
    );
  }

  /** Requests whose newest entry is to be shown to `receiver`; an empty one for the log alone. */
  owedTo(receiver: string, most: number): string[] {
    const sql = "SELECT request FROM owed_views WHERE receiver = ? ORDER BY request LIMIT ?";
    return this.all(sql, receiver, most).map((row) => text(row["request"]));
  }

  removeOwedView(receiver: string, request: string): void {
    this.run("DELETE FROM owed_views WHERE receiver = ? AND request = ?", receiver, request);
  }
}
