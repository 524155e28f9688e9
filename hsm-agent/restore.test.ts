/** A backup is put in place only where it is whole, of this agent, and holds every act that the token knows. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseEntry } from "../protocol/log-entry.ts";
import { EMPTY_ANCHOR } from "./anchor.ts";
import type { Config } from "./config.ts";
import { freeze } from "./freeze.ts";
import { Journal } from "./journal.ts";
import { restore } from "./restore.ts";
import { Office } from "./testing.ts";
import { LOG } from "./testing-agent.ts";
import { MemoryHsm } from "./testing-hsm.ts";
import { BRIDGE, fault, makePerson, VAULT } from "./testing-people.ts";
import { backup, examine, headOf, known, lose } from "./testing-restore.ts";
import { showRequest } from "./views.ts";

const [ALICE, BOB] = [makePerson("Alice"), makePerson("Bob")];
const OLGA = makePerson("Olga");
let office: Office;
let file: string;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB], 2, OLGA);
  const sent = await office.propose(OLGA);
  await office.carry(sent, [ALICE, BOB]);
  await showRequest(office.desk, sent);
  file = await backup(office);
});
afterEach(() => office.dispose());

function edit(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

const told = (text: string) => expect.stringContaining(text) as string;

test("a whole one is marked, and its log is as it was", async () => {
  const head = office.desk.journal.logHead();
  await examine(office, file, async (part) => {
    const journal = new Journal(part);
    expect(journal.logHead()).toEqual(head);
    expect(journal.meta("restored")).toBe(String(office.now));
    expect(journal.meta("restore-base")).toBe(JSON.stringify(head));
    expect([journal.seals(), journal.outbox(), journal.owed(), journal.witnesses(0)]).toEqual([[], [], [], []]);
    journal.close();
  });
});

const LAST = "(SELECT max(n) FROM log)";
const EDITED: [what: string, sql: string, code: string, says: string][] = [
  ["an entry changed", `UPDATE log SET entry = replace(entry, '"at":1', '"at":2') WHERE n = 3`, "ERR_LOG", "entry 3"],
  [
    "an entry and its leaf changed",
    "UPDATE log_nodes SET hash = (SELECT hash FROM log_nodes WHERE level = 0 AND at = 0) WHERE level = 0 AND at = 1; UPDATE log SET entry = (SELECT entry FROM log WHERE n = 0) WHERE n = 1",
    "ERR_LOG",
    "entry 1",
  ],
  [
    "a node changed",
    "UPDATE log_nodes SET hash = (SELECT hash FROM log_nodes WHERE level = 0 AND at = 0) WHERE level = 2 AND at = 0",
    "ERR_LOG",
    "entry 3",
  ],
  ["an entry missing", "DELETE FROM log WHERE n = 2", "ERR_STATE", "entries of its log"],
  ["the last entry missing", `DELETE FROM log WHERE n = ${LAST}`, "ERR_STATE", "entries of its log"],
  ["a node missing", "DELETE FROM log_nodes WHERE level = 1 AND at = 0", "ERR_STATE", "entries of its log"],
  ["a node too many", "INSERT INTO log_nodes VALUES (0, 100000, 'x')", "ERR_STATE", "entries of its log"],
  ["no checkpoint", "DELETE FROM meta WHERE key = 'checkpoint'", "ERR_LOG", "no checkpoint"],
  [
    "a checkpoint that says another size",
    "UPDATE meta SET value = json_set(value, '$.size', 1) WHERE key = 'checkpoint'",
    "ERR_LOG",
    "another log",
  ],
  [
    "a checkpoint with another note",
    "UPDATE meta SET value = replace(value, 'opencustody/log/', 'opencustody/lag/') WHERE key = 'checkpoint'",
    "ERR_LOG",
    "another log",
  ],
  ["no acts", "DELETE FROM acts", "ERR_STATE", "Nothing is founded"],
  [
    "an act with another signature",
    "UPDATE acts SET jws = substr(jws, 1, length(jws) - 8) || 'AAAAAAAA'",
    "ERR_ENVELOPE_SIGNATURE",
    "",
  ],
  ["a trigger", "CREATE TRIGGER t AFTER INSERT ON log BEGIN DELETE FROM freezes; END", "ERR_STATE", "its tables"],
  [
    "a view in a table's place",
    "DROP TABLE freezes; CREATE VIEW freezes AS SELECT 'a' AS vault, 'b' AS by, 1 AS at, NULL AS of",
    "ERR_STATE",
    "its tables",
  ],
  ["a further table", "CREATE TABLE more (n INTEGER)", "ERR_STATE", "its tables"],
  [
    "a table without its rules",
    "DROP TABLE free_nonces; CREATE TABLE free_nonces (vault, network, nonce)",
    "ERR_STATE",
    "its tables",
  ],
  ["an index missing", "DROP INDEX requests_nonce", "ERR_STATE", "its tables"],
  [
    "another founder",
    `UPDATE meta SET value = replace(value, '"x":"', '"x":"A') WHERE key = 'founder'`,
    "ERR_LOG",
    "cannot be read",
  ],
  [
    "an open request that says something else",
    "UPDATE requests SET state = 'pending'; UPDATE request_texts SET payload = replace(payload, '0x52908400098527886E0F7030069857D2E4169EE7', '0x8617E340B3D01FA5F11F306F4090FD50E238070D')",
    "ERR_STATE",
    "does not match its digest",
  ],
];
test.each(EDITED)("an edited one is refused: %s", async (_what, sql, code, says) => {
  edit(file, sql);
  await expect(examine(office, file)).rejects.toMatchObject({ ...fault(code), message: told(says) });
});

test("acts that were taken out are missed by the log, where the token does not know them", async () => {
  const { anchor } = office.hsm;
  await office.govern(OLGA, { contact: "One" }, [ALICE, BOB]);
  await office.anchored();
  const later = await backup(office);
  office.hsm = office.hsm.copy();
  office.hsm.anchor = anchor;
  await examine(office, later);
  edit(later, "DELETE FROM acts WHERE n = 2");
  await expect(examine(office, later)).rejects.toMatchObject({ ...fault("ERR_LOG"), message: told("its acts") });
});

test("what is no record at all is refused, and so is a record in use", async () => {
  for (const text of ["", "SQLite format 3\0 and nothing more", "x".repeat(10_000)]) {
    writeFileSync(file, text);
    await expect(examine(office, file)).rejects.toMatchObject(fault("ERR_STATE"));
  }
  // What stands in its write-ahead log would be lost.
  const { journal } = office.desk;
  journal.setMeta("more", "x");
  await journal.durable();
  await expect(examine(office, office.path)).rejects.toMatchObject({ message: told("write-ahead log") });
});

test("a backup that lacks an act which the token knows is refused, and one that has another", async () => {
  await office.govern(OLGA, { contact: "One" }, [ALICE, BOB]);
  await office.anchored();
  await expect(examine(office, file)).rejects.toMatchObject({
    ...fault("ERR_STATE"),
    message: told("restore one made after act 2"),
  });
  await examine(office, await backup(office));
  const { hsm } = office;
  office.hsm = hsm.copy();
  office.hsm.anchor = JSON.stringify({ ...JSON.parse(hsm.anchor ?? ""), head: "0".repeat(64) });
  await expect(examine(office, await backup(office))).rejects.toMatchObject({ message: told("not the one") });
  office.hsm.anchor = undefined;
  await expect(examine(office, await backup(office))).rejects.toMatchObject({ message: told("no anchor") });
});

test("a backup of another agent is refused, whatever token is there; an empty one asks for a succession", async () => {
  const other = await Office.open([ALICE, BOB], 1, OLGA);
  const theirs = await backup(other);
  await expect(examine(office, theirs)).rejects.toMatchObject({ ...fault("ERR_STATE"), message: told("not the one") });
  // Even where nothing is known of acts: the token does not hold its identity.
  office.hsm.anchor = EMPTY_ANCHOR;
  await expect(examine(office, theirs)).rejects.toMatchObject(fault("ERR_HSM_KEY_MISSING"));
  other.dispose();
  office.hsm = new MemoryHsm();
  expect(await examine(office, file)).toMatchObject({ succeed: true, known: null });
});

test("what is missing by the token's own word is known from the first minute", async () => {
  const id = await office.propose(OLGA);
  await office.drive(id);
  office.now += 3600;
  const newest = await known(office);
  office.desk.wake();
  expect(await lose(office, file)).toMatchObject({ known: newest.size });
  expect(office.desk.witnesses.behind).toMatchObject({ person: null, ...headOf(newest) });
});

test("a freeze that the backup does not hold, by the token or by its own log, freezes everything", async () => {
  expect(await examine(office, file)).toMatchObject({ frozen: false });
  freeze(office.desk, { vault: VAULT, by: null, of: null });
  await office.anchored();
  const later = await backup(office);
  expect(await examine(office, later)).toMatchObject({ frozen: false });
  // The token knows it, and the backup is from before.
  expect(await lose(office, file)).toMatchObject({ frozen: true });
  expect(office.desk.journal.freezes()).toMatchObject([{ vault: null, by: null }]);
  await office.anchored();
  await office.reopen();
  // The token knows nothing of it (it was restored too), and somebody took it out of the backup.
  office.hsm = office.hsm.copy();
  office.hsm.anchor = JSON.stringify({ ...JSON.parse(office.hsm.anchor ?? ""), frozen: [] });
  edit(later, "DELETE FROM freezes");
  expect(await examine(office, later)).toMatchObject({ frozen: true });
});

test("a freeze that restoring adds is no older than what the log tells before it, also where the clock was set back", async () => {
  freeze(office.desk, { vault: VAULT, by: null, of: null });
  await office.anchored();
  const { now } = office;
  office.now -= 86_400;
  await examine(office, file, async (part) => {
    const journal = new Journal(part);
    expect(journal.freezes()).toMatchObject([{ vault: null, by: null }]);
    const times = journal.logLines(0, 1_000).map((line) => parseEntry(line)?.at ?? 0);
    expect(times.at(-1)).toBeGreaterThanOrEqual(Math.max(...times) - 60);
    expect(times.at(-1)).toBeLessThanOrEqual(now);
    journal.close();
  });
});

test("a freeze that the admins lifted is not missing", async () => {
  await office.freeze(ALICE, VAULT);
  await office.freeze(BOB);
  await office.enact(OLGA, { verb: "UNFREEZE", change: { vault: VAULT } }, [ALICE, BOB]);
  expect(await examine(office, await backup(office))).toMatchObject({ frozen: false });
  await office.enact(OLGA, { verb: "UNFREEZE", change: { vault: null } }, [ALICE, BOB]);
  const both = await backup(office);
  expect(await examine(office, both)).toMatchObject({ frozen: false });
  await examine(office, both, async (part) => {
    const journal = new Journal(part);
    // Browsers go by the highest number, and the list is not theirs.
    expect(Number(journal.meta("freezes"))).toBeGreaterThanOrEqual(office.now);
    journal.close();
  });
});

test("a signed transaction that was never handed out is not in a backup; one that was is", async () => {
  const kept = await office.propose(OLGA, "7");
  await office.carry(kept, [ALICE, BOB]);
  const { signed } = office.row(kept);
  expect(signed).toMatch(/^0x/);
  const database = new DatabaseSync(await backup(office), { readOnly: true });
  const rows = database.prepare("SELECT id, signed, hash FROM requests ORDER BY at, id").all();
  expect(rows.find((row) => row["id"] === kept)).toMatchObject({ signed: null, hash: expect.any(String) as string });
  expect(rows.filter((row) => row["signed"] !== null)).toHaveLength(1);
  database.close();
});

test("nothing is restored over a record, beside what is left of one, under a running agent, or of nothing", async () => {
  const folder = mkdtempSync(join(tmpdir(), "opencustody-restore-"));
  const data = join(folder, "data");
  const config: Config = {
    data,
    hsm: { module: "/nowhere.so", token: { label: "none" }, pin: { prompt: true } },
    bridge: { url: BRIDGE },
  };
  const attempt = async (path = file) => await restore(config, "", LOG, path);
  try {
    mkdirSync(data, { mode: 0o700 });
    await expect(attempt(join(folder, "none.db"))).rejects.toMatchObject(fault("ERR_USAGE"));
    for (const name of ["agent.db", "agent.db-wal", "agent.db-shm", "agent.db-journal"]) {
      writeFileSync(join(data, name), "");
      await expect(attempt()).rejects.toMatchObject({ ...fault("ERR_STATE"), message: told(join(data, name)) });
      rmSync(join(data, name));
    }
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(data, "agent.sock"), resolve));
    await expect(attempt()).rejects.toMatchObject(fault("ERR_AGENT_RUNNING"));
    await new Promise((resolve) => server.close(resolve));
    // No token: nothing is there afterwards either.
    await expect(attempt()).rejects.toMatchObject({ name: "Fault", code: told("ERR_HSM") });
    expect(existsSync(join(data, "agent.db"))).toBe(false);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
