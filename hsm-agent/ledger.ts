/**
 * Requests and what was decided about them, and the nonces that they use: the part of the record that money depends on.
 * README.md of protocol/, "States". Statements only: no rule is decided in this file.
 */
import { Fault } from "../protocol/error.ts";
import type { RequestState } from "../protocol/message.ts";
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
import { Store } from "./store.ts";

export class Ledger extends Store {
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
    const row = this.get("SELECT nonce FROM next_nonces WHERE vault = ? AND network = ?", vault, network);
    return row === undefined ? undefined : integer(row["nonce"]);
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

  request(id: string): RequestRow | undefined {
    return optional(this.get("SELECT * FROM requests WHERE id = ?", id), toRequest);
  }

  requestOfProposal(jti: string): RequestRow | undefined {
    return optional(this.get("SELECT * FROM requests WHERE proposal = ?", jti), toRequest);
  }

  /** Newest first; all, or those in one of `states`, of which only those that expire at `by` (seconds) or before. */
  requests(states?: readonly RequestState[], by = Number.MAX_SAFE_INTEGER): RequestRow[] {
    if (states === undefined) return this.all("SELECT * FROM requests ORDER BY at DESC, id").map(toRequest);
    const marks = states.map(() => "?").join(", ");
    const sql = `SELECT * FROM requests WHERE state IN (${marks}) AND expires <= ? ORDER BY at DESC, id`;
    return this.all(sql, ...states, by).map(toRequest);
  }

  /** Requests whose last change has no receipt yet. */
  owedReceipts(): string[] {
    return this.all("SELECT id FROM requests WHERE receipt_n < revision").map((row) => text(row["id"]));
  }

  addRequest(
    row: Omit<RequestRow, "jws" | "revision" | "receiptN" | "receipt" | "signed" | "hash" | "released" | "problem">,
  ): void {
    this.run(
      `INSERT INTO requests (id, proposal, proposal_jws, verb, state, vault, network, nonce, initiator, expires, not_before, at, payload, digest, policy, people, revision, receipt_n)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)`,
      row.id,
      row.proposal,
      row.proposalJws,
      row.verb,
      row.state,
      row.vault,
      row.network,
      row.nonce,
      row.initiator,
      row.expires,
      row.notBefore,
      row.at,
      row.payload,
      row.digest,
      row.policy,
      row.people,
    );
  }

  /** The HSM signed the request. Nobody has done anything yet, so no receipt is owed. */
  issueRequest(id: string, state: RequestState, jws: string): void {
    this.run("UPDATE requests SET state = ?, jws = ? WHERE id = ?", state, jws, id);
  }

  /** Changes a request and owes a receipt for it. */
  changeRequest(id: string, change: RequestChange): void {
    const columns = Object.keys(change).map((column) => `${column} = ?, `);
    this.run(
      `UPDATE requests SET ${columns.join("")} revision = revision + 1 WHERE id = ?`,
      ...Object.values(change),
      id,
    );
  }

  /** The last receipt is of no use any more: another one is owed. */
  oweReceipt(id: string): void {
    this.run("UPDATE requests SET receipt_n = 0 WHERE id = ?", id);
  }

  /** The signed form is handed out from now on. */
  setReleased(id: string, at: number): void {
    this.run("UPDATE requests SET released = ? WHERE id = ? AND released IS NULL", at, id);
  }

  /** When a device last signed an approval, in seconds, or null. */
  lastSigned(address: string): number | null {
    const at = this.get("SELECT max(at) AS at FROM records WHERE address = ?", address)?.["at"];
    return typeof at === "number" ? at : null;
  }

  setReceipt(id: string, n: number, jws: string): void {
    this.run("UPDATE requests SET receipt_n = ?, receipt = ? WHERE id = ?", n, jws, id);
  }

  records(request: string): RecordRow[] {
    return this.all("SELECT * FROM records WHERE request = ? ORDER BY n", request).map(toRecord);
  }

  recordOf(jti: string): { request: string; person: string } | undefined {
    return optional(this.get("SELECT request, person FROM records WHERE jti = ?", jti), (row) => ({
      request: text(row["request"]),
      person: text(row["person"]),
    }));
  }

  addRecord(request: string, row: RecordRow): void {
    this.run(
      "INSERT INTO records (request, n, kind, person, jti, at, vendor, address, reason, jws) VALUES (?, (SELECT count(*) + 1 FROM records WHERE request = ?), ?, ?, ?, ?, ?, ?, ?, ?)",
      request,
      request,
      row.kind,
      row.person,
      row.of,
      row.at,
      row.vendor,
      row.address,
      row.reason,
      row.jws,
    );
  }
}
