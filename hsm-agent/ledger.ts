/**
 * Requests and what was decided about them, and the nonces that they use: the part of the record that money depends on.
 * README.md of protocol/, "States". Statements only: no rule is decided in this file. Whatever changes a request is told to the log in the
 * same transaction, and that entry is its receipt.
 */
import { Fault } from "../protocol/error.ts";
import type { RequestRecord, RequestState } from "../protocol/message.ts";
import { sha256Hex } from "../protocol/primitive.ts";
import { Log } from "./log.ts";
import { Memo } from "./memo.ts";
import {
  integer,
  optional,
  type RecordRow,
  type RequestChange,
  type RequestRow,
  text,
  toRecord,
  toRequest,
} from "./rows.ts";

const marksFor = (values: readonly unknown[]) => values.map(() => "?").join(", ");
/** A row without its texts is damage, and is found, not overlooked. */
const REQUESTS = "SELECT * FROM requests LEFT JOIN request_texts USING (id)";
/** Requests whose row and records are kept as they were read last. */
const KEPT = 512;
/** Characters of what people wrote that are kept of one request and of its records: about 30 MB at most over all. Longer ones are read each time. */
const KEPT_LENGTH = { row: 8_192, records: 32_768 } as const;

export class Ledger extends Log {
  /** Changed in the transaction that runs, and perhaps in one that was taken back. */
  readonly #changed = new Set<string>();
  /** The record is locked, so what was read or written here last is so: a request is read some twenty times until it is signed. */
  readonly #rows = new Memo<RequestRow>(KEPT);
  readonly #answers = new Memo<readonly RecordRow[]>(KEPT);

  clearFreeNonces(vault: string, network: string): void {
    this.run("DELETE FROM free_nonces WHERE vault = ? AND network = ?", vault, network);
  }

  setNextNonce(vault: string, network: string, nonce: number): void {
    this.run(
      "INSERT INTO next_nonces (vault, network, nonce) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET nonce = excluded.nonce",
      vault,
      network,
      nonce,
    );
  }

  nextNonce(vault: string, network: string): number | undefined {
    const sql = "SELECT nonce FROM next_nonces WHERE vault = ? AND network = ?";
    return optional(this.get(sql, vault, network), (row) => integer(row["nonce"]));
  }

  /** The next nonce of every account. */
  nextNonces(): { vault: string; network: string; nonce: number }[] {
    return this.all("SELECT vault, network, nonce FROM next_nonces ORDER BY vault, network").map((row) => ({
      vault: text(row["vault"]),
      network: text(row["network"]),
      nonce: integer(row["nonce"]),
    }));
  }

  /** Gives out a nonce: the lowest freed one, else the next. @throws Fault ERR_STATE where none was ever set */
  takeNonce(vault: string, network: string): number {
    const free = this.get(
      "SELECT min(nonce) AS nonce FROM free_nonces WHERE vault = ? AND network = ?",
      vault,
      network,
    )?.["nonce"];
    if (typeof free === "number") {
      this.run("DELETE FROM free_nonces WHERE vault = ? AND network = ? AND nonce = ?", vault, network, free);
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

  /** Whether a request has one of its nonces, or had it and was signed. */
  usesNonces(vault: string, network: string): boolean {
    const states = "('proposed', 'pending', 'approved', 'signed')";
    const sql = `SELECT 1 AS one FROM requests WHERE vault = ? AND network = ? AND state IN ${states} LIMIT 1`;
    return this.get(sql, vault, network) !== undefined;
  }

  /** Takes back a nonce that was never signed. */
  freeNonce(vault: string, network: string, nonce: number): void {
    this.run("INSERT OR IGNORE INTO free_nonces (vault, network, nonce) VALUES (?, ?, ?)", vault, network, nonce);
  }

  freeNonces(vault: string, network: string): number[] {
    const sql = "SELECT nonce FROM free_nonces WHERE vault = ? AND network = ? ORDER BY nonce";
    return this.all(sql, vault, network).map((row) => integer(row["nonce"]));
  }

  /** Nonces from `nonce` on whose signed transaction was handed out. */
  handedOut(vault: string, network: string, nonce: number): number[] {
    const sql = "SELECT nonce FROM requests WHERE vault = ? AND network = ? AND nonce >= ? AND released IS NOT NULL";
    return this.all(sql, vault, network, nonce).map((row) => integer(row["nonce"]));
  }

  request(id: string): RequestRow | undefined {
    const known = this.#rows.get(id);
    if (known !== undefined) return known;
    const row = optional(this.get(`${REQUESTS} WHERE id = ?`, id), toRequest);
    if (row !== undefined) this.#keepRow(row);
    return row;
  }

  requestOfProposal(jti: string): RequestRow | undefined {
    return optional(this.get(`${REQUESTS} WHERE proposal = ?`, jti), toRequest);
  }

  /** Newest first; all, or those in one of `states`, of which only those that expire at `by` (seconds) or before. */
  requests(states?: readonly RequestState[], by = Number.MAX_SAFE_INTEGER): RequestRow[] {
    if (states === undefined) return this.all(`${REQUESTS} ORDER BY at DESC, id`).map(toRequest);
    const sql = `${REQUESTS} WHERE state IN (${marksFor(states)}) AND expires <= ? ORDER BY at DESC, id`;
    return this.all(sql, ...states, by).map(toRequest);
  }

  /** Newest first, without the texts of all others. */
  requestsOf(verbs: readonly RequestRow["verb"][]): RequestRow[] {
    const sql = `${REQUESTS} WHERE verb IN (${marksFor(verbs)}) ORDER BY at DESC, id`;
    return this.all(sql, ...verbs).map(toRequest);
  }

  /** The newest `most`, and all in one of `states`; newest first. */
  newest(most: number, states: readonly RequestState[]): RequestRow[] {
    const newest = "SELECT id FROM requests ORDER BY at DESC, id LIMIT ?";
    const sql = `${REQUESTS} WHERE id IN (${newest}) OR state IN (${marksFor(states)}) ORDER BY at DESC, id`;
    return this.all(sql, most, ...states).map(toRequest);
  }

  /** Signed transactions that nobody has read yet; those that expire at `by` (seconds) or before. */
  unreleased(by = Number.MAX_SAFE_INTEGER): RequestRow[] {
    const sql = `${REQUESTS} WHERE state = 'signed' AND released IS NULL AND expires <= ? ORDER BY at DESC, id`;
    return this.all(sql, by).map(toRequest);
  }

  addRequest(
    row: Omit<
      RequestRow,
      "jws" | "issued" | "revision" | "logged" | "entry" | "signed" | "hash" | "released" | "problem"
    >,
  ): void {
    this.run(
      `INSERT INTO requests (id, proposal, verb, state, vault, network, nonce, initiator, expires, not_before, at, digest, policy, people, revision, logged)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)`,
      row.id,
      row.proposal,
      row.verb,
      row.state,
      row.vault,
      row.network,
      row.nonce,
      row.initiator,
      row.expires,
      row.notBefore,
      row.at,
      row.digest,
      row.policy,
      row.people,
    );
    this.run(
      "INSERT INTO request_texts (id, proposal_jws, payload) VALUES (?, ?, ?)",
      row.id,
      row.proposalJws,
      row.payload,
    );
    const of = row.proposalJws === null ? null : sha256Hex(new TextEncoder().encode(row.proposalJws));
    this.append({ kind: "proposal", request: row.id, person: row.initiator, of });
  }

  /** The HSM signed the request. Nobody has answered yet, so there is no receipt. */
  issueRequest({ id, digest }: Pick<RequestRow, "id" | "digest">, state: RequestState, jws: string): void {
    const issued = this.append({ kind: "request", request: id, digest });
    this.run("UPDATE requests SET state = ?, issued = ? WHERE id = ?", state, issued, id);
    this.run("UPDATE request_texts SET jws = ? WHERE id = ?", jws, id);
    this.#keep(id, { state, jws, issued });
  }

  /** Changes a request; the log has it when the transaction ends, and whom it was sent to is owed that entry. */
  changeRequest(id: string, change: RequestChange): void {
    this.#changed.add(id);
    const columns = Object.keys(change).map((column) => `${column} = ?, `);
    this.run(
      `UPDATE requests SET ${columns.join("")} revision = revision + 1 WHERE id = ?`,
      ...Object.values(change),
      id,
    );
    const { revision } = this.#rows.get(id) ?? {};
    if (revision !== undefined) this.#keep(id, { ...change, revision: revision + 1 });
  }

  /** The signed form is handed out from now on, or nothing is changed. @throws Fault ERR_STATE where it has no hash */
  release({ id, hash }: Pick<RequestRow, "id" | "hash">, at: number): void {
    this.transaction(() => {
      this.append({ kind: "released", request: id, hash: text(hash) });
      this.run("UPDATE requests SET released = ? WHERE id = ?", at, id);
      this.#keep(id, { released: at });
    });
  }

  /** When a device last signed an approval, in seconds, or null. */
  lastSigned(address: string): number | null {
    const at = this.get("SELECT max(at) AS at FROM records WHERE address = ?", address)?.["at"];
    return typeof at === "number" ? at : null;
  }

  records(request: string): readonly RecordRow[] {
    const known = this.#answers.get(request);
    if (known !== undefined) return known;
    const rows = this.all("SELECT * FROM records WHERE request = ? ORDER BY n", request).map(toRecord);
    this.#keepRecords(request, rows);
    return rows;
  }

  recordOf(jti: string): { request: string; person: string } | undefined {
    const row = this.get("SELECT request, person FROM records WHERE jti = ?", jti);
    return row && { request: text(row["request"]), person: text(row["person"]) };
  }

  addRecord(request: string, { kind, person, of, at, vendor, address, reason, jws }: RecordRow): void {
    // In the order in which it is written here and read again: what is printed of it is the same before and after.
    const row: RecordRow = { kind, person, of, at, vendor, address, reason, jws };
    this.run(
      "INSERT INTO records (request, n, kind, person, jti, at, vendor, address, reason, jws) VALUES (?, (SELECT count(*) + 1 FROM records WHERE request = ?), ?, ?, ?, ?, ?, ?, ?, ?)",
      request,
      request,
      kind,
      person,
      of,
      at,
      vendor,
      address,
      reason,
      jws,
    );
    const known = this.#answers.get(request);
    if (known !== undefined) this.#keepRecords(request, [...known, row]);
  }

  /** The log tells of a change of a request that people were asked for. Within its transaction. */
  protected tell(_row: RequestRow): void {}

  protected override settle(): void {
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const id of changed) {
      const row = this.request(id);
      // One of a transaction that was taken back has nothing new.
      if (row !== undefined && row.revision > row.logged) this.#log(row);
    }
  }

  protected override tookBack(): void {
    super.tookBack();
    this.#rows.clear();
    this.#answers.clear();
  }

  /** What was just written of a row. */
  #keep(id: string, change: Partial<RequestRow>): void {
    const known = this.#rows.get(id);
    if (known !== undefined) this.#keepRow({ ...known, ...change });
  }

  /** What is too long is forgotten, not left as it was. */
  #keepRow(row: RequestRow): void {
    if (row.payload.length + (row.proposalJws ?? "").length <= KEPT_LENGTH.row) this.#rows.set(row.id, row);
    else this.#rows.delete(row.id);
  }

  #keepRecords(request: string, rows: readonly RecordRow[]): void {
    const length = rows.reduce((sum, { jws }) => sum + jws.length, 0);
    if (length <= KEPT_LENGTH.records) this.#answers.set(request, rows);
    else this.#answers.delete(request);
  }

  #log(row: RequestRow): void {
    const records = this.records(row.id).map(({ jws: _jws, ...record }): RequestRecord => record);
    const { id: request, digest, revision: n, state, hash } = row;
    const entry = this.append({ kind: "state", request, digest, n, state, records, hash });
    this.run("UPDATE requests SET logged = ?, entry = ? WHERE id = ?", n, entry, request);
    this.#keep(request, { logged: n, entry });
    // Else nobody was asked yet.
    if (row.jws !== null) this.tell(row);
  }
}
