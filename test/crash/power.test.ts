import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, expect, test } from "vitest";
import { FaultyDisk } from "../harness/fsync-faults.ts";
import { Power } from "./power.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function stage(): { folder: string; data: string; power: Power } {
  const folder = mkdtempSync(join(tmpdir(), "opencustody-power-"));
  folders.push(folder);
  const data = join(folder, "data");
  mkdirSync(data);
  return { folder, data, power: new Power(folder, data, "agent.db") };
}

/** A program that writes five rows, each committed, and is killed. */
function write(data: string, env: NodeJS.ProcessEnv, synchronous: "FULL" | "OFF", name = "agent.db"): void {
  const file = join(data, "..", "write.mjs");
  writeFileSync(
    file,
    `import { DatabaseSync } from "node:sqlite";
    const db = new DatabaseSync(${JSON.stringify(join(data, name))});
    db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}");
    db.exec("CREATE TABLE IF NOT EXISTS rows (n INTEGER)");
    for (let n = 0; n < 5; n += 1) try { db.exec("INSERT INTO rows VALUES (" + n + ")"); } catch {}
    process.kill(process.pid, "SIGKILL");`,
  );
  spawnSync(process.execPath, [file], { env });
}

function rows(data: string, name = "agent.db"): number {
  const db = new DatabaseSync(join(data, name));
  try {
    return Number(db.prepare("SELECT count(*) AS n FROM rows").get()?.["n"]);
  } finally {
    db.close();
  }
}

test("what was synced outlives a power cut", () => {
  const { data, power } = stage();
  write(data, power.env(process.env), "FULL");
  power.cut();
  expect(rows(data)).toBe(5);
});

test("what was not synced is gone, though a kill alone loses nothing", () => {
  const { data, power } = stage();
  write(data, power.env(process.env), "OFF");
  power.forget();
  expect(rows(data)).toBe(5);

  write(data, power.env(process.env), "OFF");
  expect(power.cut()).toBeGreaterThan(0);
  expect(rows(data)).toBe(5);
});

test("after an fsync that failed nothing is on the disk any more, whatever the next one says", () => {
  const { folder, data, power } = stage();
  write(data, power.env(process.env), "FULL");
  power.cut();
  const disk = new FaultyDisk(folder, data);
  disk.fail({ call: "sync", error: "EIO", count: 1, after: 0 });
  write(data, power.env(disk.env()), "FULL");
  expect(disk.fired()).not.toEqual([]);
  power.cut();
  disk.heal();
  expect(rows(data)).toBe(5);
});

test("other files are left alone", () => {
  const { data, power } = stage();
  write(data, power.env(process.env), "OFF", "other.db");
  expect(power.cut()).toBe(0);
  expect(rows(data, "other.db")).toBe(5);
});
