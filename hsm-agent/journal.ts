/**
 * The rest of the agent's record: acts, vaults, who is pairing, what is frozen, keys that messages are sealed with, and what is still to
 * be sent. What is not in here did not happen. Statements only: no rule is decided in this file.
 */
import { Fault } from "../protocol/error.ts";
import type { Entry } from "../protocol/log-entry.ts";
import type { Device } from "../protocol/people.ts";
import { Mail } from "./mail.ts";
import {
  type FreezeRow,
  type InviteRow,
  integer,
  optionalText,
  type PairingRow,
  text,
  toFreeze,
  toInvite,
  toPairing,
  toVault,
  toWaiting,
  type VaultRow,
  type WaitingRow,
} from "./rows.ts";

export class Journal extends Mail {
  /** The acts after number `n`, in order. */
  acts(after = 0): string[] {
    return this.all("SELECT jws FROM acts WHERE n > ? ORDER BY n", after).map((row) => text(row["jws"]));
  }

  addAct({ n, head, request, verb }: Omit<Extract<Entry, { kind: "act" }>, "v" | "kind" | "at">, jws: string): void {
    const entry = this.append({ kind: "act", n, verb, request, head });
    this.run("INSERT INTO acts (n, jws, at, entry) VALUES (?, ?, ?, ?)", n, jws, this.now(), entry);
  }

  /** Index of the log's entry about act `n`. */
  entryOfAct(n: number): number {
    return integer(this.get("SELECT entry FROM acts WHERE n = ?", n)?.["entry"]);
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
    this.append({ kind: "freeze", vault, by, of });
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
