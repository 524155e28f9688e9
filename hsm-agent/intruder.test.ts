/** Whoever has the database in their hands is nobody all the same, or the agent does not start. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Charter } from "../protocol/charter.ts";
import { Office } from "./testing.ts";
import { deviceOf, fault, makePerson, newJti, VAULT } from "./testing-people.ts";

const [ALICE, BOB, CAROL] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol")];
const OLGA = makePerson("Olga");
const MALLORY = makePerson("Mallory");
let office: Office;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA);
  await office.govern(OLGA, { contact: "First" }, [ALICE, BOB]);
  await office.govern(OLGA, { contact: "Second" }, [BOB, CAROL]);
});
afterEach(() => office.dispose());

type Edit = (database: DatabaseSync) => void;
function edit(path: string, change: Edit): void {
  const database = new DatabaseSync(path);
  change(database);
  database.close();
}

function setMeta(database: DatabaseSync, key: string, value: string): void {
  database.prepare("INSERT OR REPLACE INTO meta VALUES (?, ?)").run(key, value);
}

/** Somebody writes themselves, or what serves them, into every table that there is. */
const INSERTED: [string, Edit][] = [
  [
    "an invite",
    (d) =>
      d
        .prepare(
          "INSERT INTO invites (kid, name, roles, inviter, key, exp) VALUES (?, 'Mallory', '[\"admin\"]', NULL, ?, 9999999999)",
        )
        .run(MALLORY.key.kid, JSON.stringify(MALLORY.key.jwk)),
  ],
  [
    "a pairing, vouched for",
    (d) =>
      d
        .prepare(
          "INSERT INTO pairings (kid, jti, name, roles, inviter, key, seal, device, vouched, tries, at) VALUES (?, ?, 'Mallory', '[\"approver\",\"admin\"]', 'Olga', ?, ?, ?, 1, 0, 1)",
        )
        .run(
          MALLORY.key.kid,
          newJti(),
          JSON.stringify(MALLORY.key.jwk),
          JSON.stringify(MALLORY.seal.jwk),
          JSON.stringify(deviceOf(MALLORY)),
        ),
  ],
  [
    "a pairing as somebody who is an admin",
    (d) =>
      d
        .prepare(
          "INSERT INTO pairings (kid, jti, name, roles, inviter, key, seal, device, vouched, tries, at) VALUES (?, ?, 'Alice', '[]', 'Olga', ?, ?, ?, 1, 0, 1)",
        )
        .run(
          MALLORY.key.kid,
          newJti(),
          JSON.stringify(MALLORY.key.jwk),
          JSON.stringify(MALLORY.seal.jwk),
          JSON.stringify(deviceOf(MALLORY)),
        ),
  ],
  [
    "a device that waits",
    (d) =>
      d
        .prepare("INSERT INTO waiting_devices VALUES ('Alice', ?, ?, 1)")
        .run(MALLORY.address, JSON.stringify(deviceOf(MALLORY))),
  ],
  [
    "a receiving key",
    (d) =>
      d
        .prepare("INSERT INTO member_seals (shown, kid, n, key, acts) VALUES (0, ?, 99, ?, 0)")
        .run(MALLORY.key.kid, JSON.stringify(MALLORY.seal.jwk)),
  ],
  [
    "a draft of another founding",
    (d) =>
      setMeta(
        d,
        "founding",
        JSON.stringify({ people: [{ name: "Mallory", roles: ["admin"], key: null }], policy: {} }),
      ),
  ],
  [
    "a vault",
    (d) => d.prepare("INSERT INTO vaults VALUES ('Mine', ?, ?, 'none', 1)").run("1".repeat(32), "2".repeat(130)),
  ],
  ["nonces", (d) => d.exec("INSERT INTO free_nonces VALUES ('Treasury-1', 'eip155:1', 1)")],
  [
    "what a message to somebody says",
    (d) =>
      d
        .prepare("INSERT INTO owed (what, receiver, body, seal) VALUES ('welcome', ?, '{}', ?)")
        .run(MALLORY.key.kid, JSON.stringify(MALLORY.seal.jwk)),
  ],
];
test.each(INSERTED)("whoever writes %s into the record is nobody all the same", async (_what, change) => {
  const before: Charter = office.desk.charter.require();
  await office.reopen((path) => edit(path, change));
  expect(office.desk.charter.current).toEqual(before);
  const id = await office.propose(OLGA);
  await office.drive(id);
  await office.settle();
  // Not as themselves, and not with another's name.
  const codes = [await office.approve(MALLORY, id), await office.reject(MALLORY, id), await office.freeze(MALLORY)];
  for (const code of codes) expect([undefined, "ERR_APPROVAL_NOT_ELIGIBLE", "ERR_MEMBER_ROLE"]).toContain(code);
  const device = { ...ALICE, address: MALLORY.address, sign: MALLORY.sign };
  expect(await office.approve(device, id)).toBe("ERR_APPROVAL_DEVICE");
  expect(office.desk.journal.records(id)).toEqual([]);
  expect(office.desk.journal.freezes()).toEqual([]);
  const motion = office.motion({ ...MALLORY, file: MALLORY.key }, { verb: "DRILL", change: { vault: VAULT } });
  await expect(motion).rejects.toMatchObject({ name: "Fault" });
  expect(office.sent("oc-request+jws").filter(({ receiver }) => receiver === MALLORY.key.kid)).toEqual([]);
  expect(office.sent("oc-act+jws").filter(({ receiver }) => receiver === MALLORY.key.kid)).toEqual([]);
  await office.carry(id, [ALICE, BOB]);
  expect(office.row(id).state).toBe("signed");
});

test("a person, a device, a rule or a token in an act of one's own stops the start", async () => {
  // A request stands in its act as text.
  const edits = ["First", 'threshold\\":2', ALICE.address, ALICE.key.jwk.x];
  const copy = join(office.folder, "copy.db");
  for (const text of edits) {
    const start = office.reopen((path) => {
      copyFileSync(path, copy);
      edit(path, (d) => {
        for (const row of d.prepare("SELECT n, jws FROM acts").all()) {
          const [header, payload = "", signature] = String(row["jws"]).split(".");
          const other = text.slice(0, -1) + (text.endsWith("0") ? "1" : "0");
          const changed = Buffer.from(payload, "base64url").toString().replaceAll(text, other);
          const jws = [header, Buffer.from(changed).toString("base64url"), signature].join(".");
          d.prepare("UPDATE acts SET jws = ? WHERE n = ?").run(jws, Number(row["n"]));
        }
      });
    });
    await expect(start).rejects.toMatchObject({ name: "Fault" });
    await office.reopen((path) => copyFileSync(copy, path));
  }
});

test("an open request of one's own, for documents that are not in force, is neither issued nor signed", async () => {
  const id = await office.propose(OLGA);
  await office.drive(id);
  for (const person of [ALICE, BOB]) await office.approve(person, id);
  await office.govern(OLGA, { contact: "Third" }, [ALICE, BOB]);
  expect(office.row(id).state).toBe("void");
  const signatures = office.hsm.signatures.length;
  await office.reopen((path) =>
    edit(path, (d) => d.exec(`UPDATE requests SET state = 'approved', nonce = 7 WHERE id = '${id}'`)),
  );
  await expect(office.drive(id)).rejects.toMatchObject(fault("ERR_STATE"));
  expect(office.hsm.signatures).toHaveLength(signatures);
});
