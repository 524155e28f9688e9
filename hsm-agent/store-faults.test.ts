/** What a record says is durable is there after every kill, and after a disk that failed; after it failed once it says so for ever. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { type DiskFault, FaultyDisk } from "../test/harness/fsync-faults.ts";
import { Store } from "./store.ts";
import { KILL_POINTS } from "./testing-store.ts";

const PROGRAM = fileURLToPath(new URL("testing-store.ts", import.meta.url));
const KILLS = 100;

const folder = realpathSync(mkdtempSync(join(tmpdir(), "opencustody-store-faults-")));
const disk = new FaultyDisk(folder, join(folder, "data"));
mkdirSync(join(folder, "data"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Run {
  readonly lines: readonly string[];
  readonly signal: string | null;
}

/** `opened` is called when the program has opened its record and waits. */
async function run(args: readonly string[], env: NodeJS.ProcessEnv = process.env, opened = () => {}): Promise<Run> {
  const child = spawn(process.execPath, [PROGRAM, ...args], { env, stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === "open 0") {
      opened();
      child.stdin.end("x");
    } else lines.push(line);
  }
  await ended;
  return { lines, signal: child.signalCode };
}

/** The numbers that a program said are durable. */
function said({ lines }: Run): number[] {
  return lines.filter((line) => line.startsWith("durable ")).map((line) => Number(line.slice("durable ".length)));
}

/** Which of the transactions up to `last` are in the record: each whole or not at all. */
function found(path: string, last: number): Set<number> {
  const store = new Store(path);
  const numbers = new Set<number>();
  for (let n = 1; n <= last; n++) {
    const [a, b] = [store.meta(`${n}:a`), store.meta(`${n}:b`)];
    expect(a, `transaction ${n}`).toBe(b);
    if (a !== undefined) numbers.add(n);
  }
  store.close();
  return numbers;
}

test(`killed ${KILLS} times: everything that was said to be durable is there, and no transaction is halved`, {
  timeout: 600_000,
}, async () => {
  const path = join(folder, "killed.db");
  const durable = new Set<number>();
  const died = new Map<string, number>();
  for (let kill = 0; kill < KILLS; kill++) {
    const point = KILL_POINTS[kill % KILL_POINTS.length] ?? "said";
    const turns = 1 + Math.floor(Math.random() * 20);
    const one = await run([path, "kill", String(turns), point]);
    expect(one.signal).toBe("SIGKILL");
    for (const n of said(one)) durable.add(n);
    died.set(point, (died.get(point) ?? 0) + 1);
  }
  const last = Math.max(...durable);
  const there = found(path, last + 3);
  expect([...durable].filter((n) => !there.has(n))).toEqual([]);
  expect(durable.size).toBeGreaterThan(KILLS);
  expect([...died.keys()].sort()).toEqual([...KILL_POINTS].sort());
});

/** The first calls of each kind, one after the other: header of the log, pages, their fsync. Where it is one, the next would succeed. */
const FAULTS: [string, Omit<DiskFault, "after">, calls: number][] = [
  ["an fsync of the log (EIO)", { call: "sync", error: "EIO", count: 1 }, 6],
  ["an fsync of the log (ENOSPC)", { call: "sync", error: "ENOSPC", count: 1 }, 3],
  ["a write (ENOSPC)", { call: "write", error: "ENOSPC", count: 1 }, 20],
  ["a write (EIO)", { call: "write", error: "EIO", count: 1 }, 5],
  ["every write from now on (ENOSPC)", { call: "write", error: "ENOSPC", count: "all" }, 5],
  ["every fsync from now on (EIO)", { call: "sync", error: "EIO", count: "all" }, 3],
];

test.each(FAULTS)("%s ends the record for this process, and nothing durable is lost", async (_what, fault, calls) => {
  let most = 0;
  for (let after = 0; after < calls; after++) {
    const path = join(folder, "data", `${fault.call}-${fault.error}-${fault.count}-${after}.db`);
    const { durable, fired } = await expectEnd(disk, path, { ...fault, after }, 10);
    expect(fired[0]).toMatch(/-wal$/);
    most = Math.max(most, durable);
  }
  expect(most).toBeGreaterThan(0);
});

test("an fsync of the database file, which SQLite's own checkpoints would hide, ends it too", async () => {
  const path = join(folder, "checkpoint.db");
  const library = join(folder, "checkpoint");
  mkdirSync(library);
  const file = new FaultyDisk(library, path);
  // Two values of 15 pages in each transaction: the log is copied after some thirty of them.
  const { durable, fired } = await expectEnd(file, path, { call: "sync", error: "EIO", count: 1, after: 1 }, 60_000);
  expect(fired).toEqual([expect.stringMatching(/^f(data)?sync .*\/checkpoint\.db$/)]);
  expect(durable).toBeGreaterThan(40);
});

test("what the last process left in the log is written and synced anew before anything rests on it", async () => {
  const path = join(folder, "data", "left.db");
  const own = (line: string) => line.slice(line.lastIndexOf("/"));
  await run([path, "kill", "3", "said"]);
  expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
  // Log, folder (by SQLite, which ignores what comes of it), database file, folder.
  const order = ["/left.db-wal", "/data", "/left.db", "/data"];
  for (const [after, file] of order.entries()) {
    const before = disk.fired().length;
    disk.fail({ call: "sync", error: "EIO", count: "all", after });
    const args = [PROGRAM, path, "kill", "1", "in the work"];
    const refused = spawnSync(process.execPath, args, { env: disk.env(), encoding: "utf8" });
    disk.heal();
    expect(disk.fired().slice(before).map(own)[0]).toBe(file);
    expect([refused.signal, refused.stderr.includes("ERR_RECORD")]).toEqual([null, true]);
  }
  const store = new Store(path);
  expect([store.meta("9:b"), statSync(`${path}-wal`).size]).toEqual(["v", 0]);
  store.close();
});

/** What `bytes` long values made of it: how many transactions were said to be durable, and the calls that failed. */
async function expectEnd(
  faulty: FaultyDisk,
  path: string,
  fault: DiskFault,
  bytes: number,
): Promise<{ durable: number; fired: string[] }> {
  const before = faulty.fired().length;
  const one = await run([path, "until-refused", String(bytes)], faulty.env(), () => faulty.fail(fault));
  faulty.heal();
  const fired = faulty.fired().slice(before);
  if (fault.count === "all") expect(fired.length).toBeGreaterThan(0);
  else expect(fired).toHaveLength(fault.count);
  const durable = said(one);
  const rest = one.lines.slice(durable.length);
  expect([one.signal, rest.slice(0, 2).sort()]).toEqual([null, ["failed ERR_RECORD", "refused ERR_RECORD"]]);
  expect(rest.filter((line) => line === "refused ERR_RECORD")).toHaveLength(5);
  expect(rest.filter((line) => line === "waited the same")).toHaveLength(5);
  expect(rest).toHaveLength(11);
  const there = found(path, durable.length + 1);
  expect(durable.filter((n) => !there.has(n))).toEqual([]);
  return { durable: durable.length, fired };
}
