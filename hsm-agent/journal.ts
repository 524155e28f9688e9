/**
 * The agent's durable record: one SQLite file, WAL, synchronous=FULL, one writer. What is not in here did not happen.
 * Statements only: no rule is decided in this file. The only file of the agent that imports node:sqlite at run time.
 */
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { Fault } from "../protocol/error.ts";
import type { RequestState } from "../protocol/message.ts";
import {
  type DocumentKind,
  type DocumentRow,
  type InviteRow,
  integer,
  type OutboxRow,
  optional,
  optionalText,
  type RecordRow,
  type RequestChange,
  type RequestRow,
  type Row,
  text,
  toInvite,
  toOutbox,
  toRecord,
  toRequest,
  toVault,
  type VaultRow,
} from "./rows.ts";
import { SCHEMA } from "./schema.ts";
import { isBusy } from "./store-error.ts";

export class Journal {
  readonly #db: DatabaseSync;
  #depth = 0;

  /**
   * Opens or creates the record and locks it until `close` or the process's end. @throws Fault ERR_AGENT_RUNNING
   */
  constructor(path: string) {
    this.#db = new DatabaseSync(path, { timeout: 0 });
    try {
      // Exclusive before WAL: two agents on one record would both believe that a nonce is theirs.
      this.#db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
      this.#db.exec(`PRAGMA foreign_keys = ON; BEGIN IMMEDIATE; ${SCHEMA} COMMIT;`);
    } catch (error) {
      this.#db.close();
      if (!isBusy(error)) throw error;
      throw new Fault("ERR_AGENT_RUNNING", "An agent is running on this data folder already; stop it first.");
    }
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  /** Runs `work` in one transaction: all of it is durable when this returns, or none. Nested calls join the outer one. */
  transaction<T>(work: () => T): T {
    if (this.#depth > 0) return work();
    this.#db.exec("BEGIN IMMEDIATE");
    this.#depth += 1;
    try {
      const result = work();
      this.#db.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    } finally {
      this.#depth -= 1;
    }
  }

  meta(key: string): string | undefined {
    return optionalText(this.#get("SELECT value FROM meta WHERE key = ?", key)?.["value"]) ?? undefined;
  }

  setMeta(key: string, value: string): void {
    this.#run(
      "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
      key,
      value,
    );
  }

  /** The document in force. @throws Fault ERR_STATE before `opencustody init` */
  document(kind: DocumentKind, n?: number): DocumentRow {
    const row =
      n === undefined
        ? this.#get("SELECT n, digest, text FROM documents WHERE kind = ? ORDER BY n DESC LIMIT 1", kind)
        : this.#get("SELECT n, digest, text FROM documents WHERE kind = ? AND n = ?", kind, n);
    if (row === undefined) throw new Fault("ERR_STATE", `There is no ${kind} document; run "opencustody init" first.`);
    return { n: integer(row["n"]), digest: text(row["digest"]), text: text(row["text"]) };
  }

  addDocument(kind: DocumentKind, row: DocumentRow, at: number): void {
    this.#run(
      "INSERT INTO documents (kind, n, digest, text, at) VALUES (?, ?, ?, ?, ?)",
      kind,
      row.n,
      row.digest,
      row.text,
      at,
    );
  }

  vaults(): VaultRow[] {
    return this.#all("SELECT * FROM vaults ORDER BY name").map(toVault);
  }

  addVault(vault: VaultRow, at: number): void {
    this.#run(
      "INSERT INTO vaults (name, id, public_key, backup, at) VALUES (?, ?, ?, ?, ?)",
      vault.name,
      vault.id,
      vault.publicKey,
      vault.backup,
      at,
    );
  }

  setNextNonce(vault: string, network: string, nonce: number): void {
    this.#run(
      "INSERT INTO next_nonces (vault, network, nonce) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET nonce = excluded.nonce",
      vault,
      network,
      nonce,
    );
  }

  nextNonce(vault: string, network: string): number | undefined {
    const row = this.#get("SELECT nonce FROM next_nonces WHERE vault = ? AND network = ?", vault, network);
    return row === undefined ? undefined : integer(row["nonce"]);
  }

  /** Gives out a nonce: the lowest freed one, else the next. @throws Fault ERR_STATE where none was ever set */
  takeNonce(vault: string, network: string): number {
    const free = this.#get(
      "SELECT min(nonce) AS nonce FROM free_nonces WHERE vault = ? AND network = ?",
      vault,
      network,
    )?.["nonce"];
    if (typeof free === "number") {
      this.#run("DELETE FROM free_nonces WHERE vault = ? AND network = ? AND nonce = ?", vault, network, free);
      return free;
    }
    const next = this.nextNonce(vault, network);
    if (next === undefined) {
      throw new Fault(
        "ERR_STATE",
        `Vault ${vault} has no first nonce on ${network}; it was made for other networks ("opencustody vault create").`,
      );
    }
    this.setNextNonce(vault, network, next + 1);
    return next;
  }

  /** Takes back a nonce that was never signed. */
  freeNonce(vault: string, network: string, nonce: number): void {
    this.#run("INSERT OR IGNORE INTO free_nonces (vault, network, nonce) VALUES (?, ?, ?)", vault, network, nonce);
  }

  addInvite(invite: InviteRow): void {
    const { kid, name, roles, key, exp } = invite;
    this.#run(
      "INSERT INTO invites (kid, name, roles, key, exp) VALUES (?, ?, ?, ?, ?)",
      kid,
      name,
      JSON.stringify(roles),
      JSON.stringify(key),
      exp,
    );
  }

  invites(): InviteRow[] {
    return this.#all("SELECT * FROM invites ORDER BY exp").map(toInvite);
  }

  removeInvite(kid: string): void {
    this.#run("DELETE FROM invites WHERE kid = ?", kid);
  }

  request(id: string): RequestRow | undefined {
    return optional(this.#get("SELECT * FROM requests WHERE id = ?", id), toRequest);
  }

  requestOfProposal(jti: string): RequestRow | undefined {
    return optional(this.#get("SELECT * FROM requests WHERE proposal = ?", jti), toRequest);
  }

  /** Newest first; all, or those in one of `states`, of which only those that expire at `by` (seconds) or before. */
  requests(states?: readonly RequestState[], by = Number.MAX_SAFE_INTEGER): RequestRow[] {
    if (states === undefined) return this.#all("SELECT * FROM requests ORDER BY at DESC, id").map(toRequest);
    const marks = states.map(() => "?").join(", ");
    const sql = `SELECT * FROM requests WHERE state IN (${marks}) AND expires <= ? ORDER BY at DESC, id`;
    return this.#all(sql, ...states, by).map(toRequest);
  }

  /** Requests whose last change has no receipt yet. */
  owedReceipts(): string[] {
    return this.#all("SELECT id FROM requests WHERE receipt_n < revision").map((row) => text(row["id"]));
  }

  addRequest(row: Omit<RequestRow, "jws" | "revision" | "receiptN" | "receipt" | "signed" | "hash" | "problem">): void {
    this.#run(
      `INSERT INTO requests (id, proposal, state, vault, network, nonce, initiator, expires, at, payload, digest, policy, people, revision, receipt_n)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)`,
      row.id,
      row.proposal,
      row.state,
      row.vault,
      row.network,
      row.nonce,
      row.initiator,
      row.expires,
      row.at,
      row.payload,
      row.digest,
      row.policy,
      row.people,
    );
  }

  /** The HSM signed the request. Nobody has done anything yet, so no receipt is owed. */
  issueRequest(id: string, state: RequestState, jws: string): void {
    this.#run("UPDATE requests SET state = ?, jws = ? WHERE id = ?", state, jws, id);
  }

  /** Changes a request and owes a receipt for it. */
  changeRequest(id: string, change: RequestChange): void {
    const columns = Object.keys(change).map((column) => `${column} = ?, `);
    this.#run(
      `UPDATE requests SET ${columns.join("")} revision = revision + 1 WHERE id = ?`,
      ...Object.values(change),
      id,
    );
  }

  setReceipt(id: string, n: number, jws: string): void {
    this.#run("UPDATE requests SET receipt_n = ?, receipt = ? WHERE id = ?", n, jws, id);
  }

  records(request: string): RecordRow[] {
    return this.#all("SELECT * FROM records WHERE request = ? ORDER BY n", request).map(toRecord);
  }

  recordOf(jti: string): { request: string; person: string } | undefined {
    return optional(this.#get("SELECT request, person FROM records WHERE jti = ?", jti), (row) => ({
      request: text(row["request"]),
      person: text(row["person"]),
    }));
  }

  addRecord(request: string, row: RecordRow): void {
    this.#run(
      "INSERT INTO records (request, n, kind, person, jti, at, vendor, reason, jws) VALUES (?, (SELECT count(*) + 1 FROM records WHERE request = ?), ?, ?, ?, ?, ?, ?, ?)",
      request,
      request,
      row.kind,
      row.person,
      row.of,
      row.at,
      row.vendor,
      row.reason,
      row.jws,
    );
  }

  /** Stores a message to be sent; it is gone from here once the bridge has stored it. */
  post(id: string, receivers: readonly string[], jws: string): void {
    for (const receiver of receivers) {
      this.#run("INSERT OR IGNORE INTO outbox (id, receiver, jws) VALUES (?, ?, ?)", id, receiver, jws);
    }
  }

  /** The oldest `most` messages to be sent, without those to `except`. */
  outbox(most = 512, except: readonly string[] = []): OutboxRow[] {
    const sql = `SELECT * FROM outbox WHERE receiver NOT IN (${except.map(() => "?").join(", ")}) ORDER BY n LIMIT ?`;
    return this.#all(sql, ...except, most).map(toOutbox);
  }

  /** How many messages wait to be sent to `receiver`. */
  waitingFor(receiver: string): number {
    return integer(this.#get("SELECT count(*) AS n FROM outbox WHERE receiver = ?", receiver)?.["n"]);
  }

  removeFromOutbox(n: number): void {
    this.#run("DELETE FROM outbox WHERE n = ?", n);
  }

  #get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#db.prepare(sql).get(...values);
  }

  #all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#db.prepare(sql).all(...values);
  }

  #run(sql: string, ...values: SQLInputValue[]): void {
    this.#db.prepare(sql).run(...values);
  }
}
