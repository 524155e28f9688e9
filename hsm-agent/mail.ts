/**
 * What is said to whom, and to which key it is sealed: keys, answers that are owed, messages that wait to be sent, what each browser has
 * been shown of the log and said that it knows. README.md of protocol/, "Messages", "View". Statements only: no rule is decided here.
 */
import type { PublicJwk } from "../protocol/primitive.ts";
import { Ledger } from "./ledger.ts";
import { isOpen } from "./requests.ts";
import { integer, type OutboxRow, type OwedRow, optional, type RequestRow, text, toOutbox, toOwed } from "./rows.ts";

/** Answers of one kind that wait to be signed for one receiver: a refusal that is left out is harmless, the message can be sent again. */
const ANSWERS_MAX = 16;
/** Messages that wait to be sent to one receiver before nothing more of the log is put beside them: it stays owed, once for each request. */
const UNSENT_MAX = 32;
/** Messages that wait for somebody before a request that has ended meanwhile: they are away, and what waits would grow with every request. Far more than are under way (outgoing.ts). */
const ABSENT = 1_000;

/** Values of `receiver` in a table above one, in order, each found by the index: however many rows somebody has, they are one step. */
const receiversIn = (table: "outbox" | "owed_views") => `WITH RECURSIVE found (receiver) AS (
  SELECT min(receiver) FROM ${table} WHERE receiver > ?
  UNION ALL SELECT (SELECT min(receiver) FROM ${table} WHERE ${table}.receiver > found.receiver) FROM found WHERE receiver IS NOT NULL)
SELECT receiver FROM found WHERE receiver IS NOT NULL`;

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

  /** A message to be composed and signed once the HSM is there. The same again for one receiver is one; of one kind only so many wait. */
  owe(row: Omit<OwedRow, "n">): void {
    const seal = row.seal === null ? null : JSON.stringify(row.seal);
    const known = this.get(
      "SELECT n FROM owed WHERE what = ? AND receiver = ? AND body = ?",
      row.what,
      row.receiver,
      row.body,
    );
    if (known !== undefined || this.#owedOf(row.what, row.receiver) >= ANSWERS_MAX) return;
    this.run(
      "INSERT INTO owed (what, receiver, body, seal) VALUES (?, ?, ?, ?)",
      row.what,
      row.receiver,
      row.body,
      seal,
    );
  }

  /** The oldest `most`. */
  owed(most = 64): OwedRow[] {
    return this.all("SELECT * FROM owed ORDER BY n LIMIT ?", most).map(toOwed);
  }

  #owedOf(what: OwedRow["what"], receiver: string): number {
    const sql = "SELECT count(*) AS n FROM owed WHERE what = ? AND receiver = ?";
    return integer(this.get(sql, what, receiver)?.["n"]);
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

  /** The oldest `most` messages to be sent, without those to `except`, however many these are. */
  outbox(most = 512, except: readonly string[] = []): OutboxRow[] {
    if (except.length === 0) return this.all("SELECT * FROM outbox ORDER BY n LIMIT ?", most).map(toOutbox);
    const receivers = this.all(receiversIn("outbox"), "").map((row) => text(row["receiver"]));
    const oldest = "SELECT n FROM outbox WHERE receiver = ? ORDER BY n LIMIT ?";
    return receivers
      .filter((receiver) => !except.includes(receiver))
      .flatMap((receiver) => this.all(oldest, receiver, most).map((row) => integer(row["n"])))
      .sort((a, b) => a - b)
      .slice(0, most)
      .flatMap((n) => this.all("SELECT * FROM outbox WHERE n = ?", n).map(toOutbox));
  }

  isInOutbox(n: number): boolean {
    return this.get("SELECT 1 AS here FROM outbox WHERE n = ?", n) !== undefined;
  }

  /**
   * How many messages wait to be sent to `receiver`, signed or not, counted up to `most` of either. Without what they are owed of the log:
   * that is no more than one row for each request.
   */
  waitingFor(receiver: string, most = Number.MAX_SAFE_INTEGER): number {
    const count = (table: "outbox" | "owed") => {
      const sql = `SELECT count(*) AS n FROM (SELECT 1 FROM ${table} WHERE receiver = ? LIMIT ?)`;
      return integer(this.get(sql, receiver, most)?.["n"]);
    };
    return count("outbox") + count("owed");
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

  /** `receiver` is to be shown the newest entry about `request`, or the log alone where that is empty. Once is enough. */
  oweView(receiver: string, request = ""): void {
    this.run("INSERT OR IGNORE INTO owed_views (receiver, request) VALUES (?, ?)", receiver, request);
  }

  /** Everybody who was asked is owed the entry. Whoever is away, and would hear of the request long after its end, is spared both. */
  protected override tell({ id, state, payload }: RequestRow): void {
    const { aud, jti } = JSON.parse(payload) as { aud: string[]; jti: string };
    for (const receiver of aud) {
      if (isOpen(state) || this.#waitingBefore(jti, receiver) < ABSENT) this.oweView(receiver, id);
      else {
        this.run("DELETE FROM outbox WHERE id = ? AND receiver = ?", jti, receiver);
        this.removeOwedView(receiver, id);
      }
    }
  }

  /** How many messages are to be sent to `receiver` before the one with this id, up to `ABSENT`; 0 where that is sent. */
  #waitingBefore(id: string, receiver: string): number {
    const own = "SELECT n FROM outbox WHERE id = ? AND receiver = ?";
    const sql = `SELECT count(*) AS n FROM (SELECT 1 FROM outbox WHERE receiver = ? AND n < (${own}) LIMIT ?)`;
    return integer(this.get(sql, receiver, id, receiver, ABSENT)?.["n"]);
  }

  /** Whom something of the log is to be shown and has room for it, at most `most` of them, those above `after`, in order. */
  owedViews(most: number, after = ""): string[] {
    const unsent = "SELECT count(*) FROM (SELECT 1 FROM outbox WHERE outbox.receiver = found.receiver LIMIT ?)";
    const sql = `${receiversIn("owed_views")} AND (${unsent}) < ? LIMIT ?`;
    return this.all(sql, after, UNSENT_MAX, UNSENT_MAX, most).map((row) => text(row["receiver"]));
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
