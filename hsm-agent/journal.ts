/**
 * The rest of the agent's record: acts, vaults, who is pairing, what is frozen, keys that messages are sealed with, and what is still to
 * be sent. What is not in here did not happen. Statements only: no rule is decided in this file.
 */
import { Fault } from "../protocol/error.ts";
import type { Device } from "../protocol/people.ts";
import type { PublicJwk } from "../protocol/primitive.ts";
import { Ledger } from "./ledger.ts";
import {
  type FreezeRow,
  type InviteRow,
  integer,
  type OutboxRow,
  type OwedRow,
  optional,
  optionalText,
  type PairingRow,
  text,
  toFreeze,
  toInvite,
  toOutbox,
  toOwed,
  toPairing,
  toVault,
  toWaiting,
  type VaultRow,
  type WaitingRow,
} from "./rows.ts";

export class Journal extends Ledger {
  /** The acts after number `n`, in order. */
  acts(after = 0): string[] {
    return this.all("SELECT jws FROM acts WHERE n > ? ORDER BY n", after).map((row) => text(row["jws"]));
  }

  addAct(n: number, jws: string, at: number): void {
    this.run("INSERT INTO acts (n, jws, at) VALUES (?, ?, ?)", n, jws, at);
  }

  vaults(): VaultRow[] {
    return this.all("SELECT * FROM vaults ORDER BY name").map(toVault);
  }

  addVault(vault: VaultRow, at: number): void {
    this.run(
      "INSERT INTO vaults (name, id, public_key, backup, at) VALUES (?, ?, ?, ?, ?)",
      vault.name,
      vault.id,
      vault.publicKey,
      vault.backup,
      at,
    );
  }

  /** One invite for a name: a new one takes the place of the old, and of a pairing that came of it. */
  addInvite({ kid, name, roles, inviter, key, exp }: InviteRow): void {
    this.run("DELETE FROM invites WHERE name = ?", name);
    this.removePairing(name);
    this.run(
      "INSERT INTO invites (kid, name, roles, inviter, key, exp) VALUES (?, ?, ?, ?, ?, ?)",
      kid,
      name,
      JSON.stringify(roles),
      inviter,
      JSON.stringify(key),
      exp,
    );
  }

  invites(): InviteRow[] {
    return this.all("SELECT * FROM invites ORDER BY exp").map(toInvite);
  }

  removeInvite(kid: string): void {
    this.run("DELETE FROM invites WHERE kid = ?", kid);
  }

  addPairing(row: Omit<PairingRow, "device" | "vouched" | "tries">, at: number): void {
    this.run(
      "INSERT INTO pairings (kid, jti, name, roles, inviter, key, seal, vouched, tries, at) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, ?)",
      row.kid,
      row.jti,
      row.name,
      JSON.stringify(row.roles),
      row.inviter,
      JSON.stringify(row.key),
      JSON.stringify(row.seal),
      at,
    );
  }

  pairings(): PairingRow[] {
    return this.all("SELECT * FROM pairings ORDER BY name").map(toPairing);
  }

  changePairing(kid: string, change: Pick<PairingRow, "device" | "vouched" | "tries">): void {
    const { device, vouched, tries } = change;
    const json = device === null ? null : JSON.stringify(device);
    this.run("UPDATE pairings SET device = ?, vouched = ?, tries = ? WHERE kid = ?", json, Number(vouched), tries, kid);
  }

  removePairing(name: string): void {
    this.run("DELETE FROM pairings WHERE name = ?", name);
  }

  /** Pairings that nobody finished: begun before `paired`, or vouched for and begun before `vouched`. Seconds. */
  removePairingsBefore(paired: number, vouched: number): void {
    this.run("DELETE FROM pairings WHERE at < CASE vouched WHEN 1 THEN ? ELSE ? END", vouched, paired);
  }

  /** What somebody who is gone had begun: their own pairing, invites and devices, and those that they invited. */
  removeTracesOf(name: string): void {
    for (const table of ["invites", "pairings"])
      this.run(`DELETE FROM ${table} WHERE name = ? OR inviter = ?`, name, name);
    this.run("DELETE FROM waiting_devices WHERE name = ?", name);
  }

  removeWaitingDevicesBefore(at: number): void {
    this.run("DELETE FROM waiting_devices WHERE at < ?", at);
  }

  waitingDevices(): WaitingRow[] {
    return this.all("SELECT * FROM waiting_devices ORDER BY name, address").map(toWaiting);
  }

  addWaitingDevice(name: string, device: Device, at: number): void {
    this.run(
      "INSERT OR IGNORE INTO waiting_devices (name, address, device, at) VALUES (?, ?, ?, ?)",
      name,
      device.address,
      JSON.stringify(device),
      at,
    );
  }

  /** Whoever waits with an address that belongs to somebody now waits no more. */
  removeWaitingDevice(address: string): void {
    this.run("DELETE FROM waiting_devices WHERE address = ?", address);
  }

  freezes(): FreezeRow[] {
    return this.all("SELECT * FROM freezes ORDER BY vault, at").map(toFreeze);
  }

  /** One row for each person and vault, so that everybody who froze it finds their message named. */
  addFreeze({ vault, by, at, of }: FreezeRow): void {
    this.run(
      "INSERT INTO freezes (vault, by, at, of) VALUES (?, ?, ?, ?) ON CONFLICT (vault, by) DO UPDATE SET at = excluded.at, of = excluded.of",
      vault ?? "",
      by ?? "",
      at,
      of,
    );
  }

  /** Lifts one, or all where `vault` is null. */
  removeFreezes(vault: string | null): void {
    if (vault === null) this.run("DELETE FROM freezes");
    else this.run("DELETE FROM freezes WHERE vault = ?", vault);
  }

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
      "INSERT INTO member_seals (kid, n, key, acts) VALUES (?, ?, ?, 0) ON CONFLICT (kid) DO UPDATE SET n = excluded.n, key = excluded.key WHERE excluded.n > n",
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
    const count = (table: "outbox" | "owed") =>
      integer(this.get(`SELECT count(*) AS n FROM ${table} WHERE receiver = ?`, receiver)?.["n"]);
    return count("outbox") + count("owed");
  }

  removeFromOutbox(n: number): void {
    this.run("DELETE FROM outbox WHERE n = ?", n);
  }

  /** What waits for somebody who is gone. */
  removeMailOf(receiver: string): void {
    this.run("DELETE FROM outbox WHERE receiver = ?", receiver);
    this.run("DELETE FROM owed WHERE receiver = ?", receiver);
    this.run("DELETE FROM member_seals WHERE kid = ?", receiver);
  }

  /** The highest number of what is owed now; 0 where nothing is. */
  lastOwed(): number {
    const n = this.get("SELECT max(n) AS n FROM owed")?.["n"];
    return typeof n === "number" ? n : 0;
  }

  countMarks(prefix: string): number {
    return integer(
      this.get("SELECT count(*) AS n FROM meta WHERE substr(key, 1, ?) = ?", prefix.length, prefix)?.["n"],
    );
  }

  /** Marks are rows of meta whose value is a time, in seconds; those up to `now` are removed. */
  removeMarksUntil(prefix: string, now: number): void {
    this.run(
      "DELETE FROM meta WHERE substr(key, 1, ?) = ? AND CAST(value AS INTEGER) <= ?",
      prefix.length,
      prefix,
      now,
    );
  }

  /** @throws Fault ERR_STATE before `opencustody init` */
  requireMeta(key: string): string {
    const value = optionalText(this.meta(key) ?? null);
    if (value === null)
      throw new Fault("ERR_STATE", 'This data folder has no identity yet; run "opencustody init" first.');
    return value;
  }
}
