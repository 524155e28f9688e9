/** The agent starts on a whole record of governance that is no older than its token knows, and on no other. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { freeze } from "./freeze.ts";
import { Office } from "./testing.ts";
import { fault, makeKey, makePerson, VAULT } from "./testing-people.ts";
import { createVault, policyVaultOf } from "./vaults.ts";

const [ALICE, BOB, CAROL] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol")];
const OLGA = makePerson("Olga");
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

test("a whole record comes back as it was", async () => {
  const before = office.desk.charter.current;
  await office.reopen();
  expect(office.desk.charter.current).toEqual(before);
  expect(before).toMatchObject({ n: 3, policy: { n: 3, contact: "Second" } });
});

const JWS = (n: number) => `(SELECT jws FROM acts WHERE n = ${n})`;
const BROKEN: [string, Edit, string?][] = [
  ["nothing of it", (d) => d.exec("DELETE FROM acts"), "ERR_STATE"],
  ["the last act missing", (d) => d.exec("DELETE FROM acts WHERE n = 3"), "ERR_STATE"],
  ["one in the middle missing", (d) => d.exec("DELETE FROM acts WHERE n = 2"), "ERR_CHARTER"],
  ["the founding missing", (d) => d.exec("DELETE FROM acts WHERE n = 1")],
  ["one twice", (d) => d.exec(`INSERT INTO acts VALUES (4, ${JWS(3)}, 1, 1)`), "ERR_CHARTER"],
  ["the founding at the end once more", (d) => d.exec(`INSERT INTO acts VALUES (4, ${JWS(1)}, 1, 1)`), "ERR_CHARTER"],
  [
    "two in another order",
    (d) =>
      d.exec("UPDATE acts SET n = 9 WHERE n = 2; UPDATE acts SET n = 2 WHERE n = 3; UPDATE acts SET n = 3 WHERE n = 9"),
    "ERR_CHARTER",
  ],
  [
    "a broken signature",
    (d) => d.exec("UPDATE acts SET jws = substr(jws, 1, length(jws) - 8) || 'AAAAAAAA' WHERE n = 3"),
    "ERR_ENVELOPE_SIGNATURE",
  ],
  [
    "an edited payload",
    (d) => {
      const row = d.prepare("SELECT jws FROM acts WHERE n = 3").get();
      const [header, payload = "", signature] = String(row?.["jws"]).split(".");
      const text = Buffer.from(payload, "base64url").toString().replace("Second", "Secret");
      d.prepare("UPDATE acts SET jws = ? WHERE n = 3").run(
        [header, Buffer.from(text).toString("base64url"), signature].join("."),
      );
    },
    "ERR_ENVELOPE_SIGNATURE",
  ],
  ["something that is no act", (d) => d.exec("INSERT INTO acts VALUES (4, 'x.y.z', 1, 1)")],
  ["another identity as its founder", (d) => setMeta(d, "founder", JSON.stringify(makeKey().jwk))],
  ["another identity as its own", (d) => setMeta(d, "thumbprint", makeKey().kid), "ERR_STATE"],
  [
    "an identity key that the token does not hold",
    (d) => setMeta(d, "identity", "0".repeat(32)),
    "ERR_HSM_KEY_MISSING",
  ],
  [
    "a succession to a key that the token does not hold",
    (d) => {
      setMeta(d, "succession", makeKey().kid);
      setMeta(d, "next-identity", "0".repeat(32));
    },
    "ERR_HSM_KEY_MISSING",
  ],
];
test.each(BROKEN)("it does not start on a record with %s", async (_what, change, code) => {
  const start = office.reopen((path) => edit(path, change));
  await expect(start).rejects.toMatchObject(code === undefined ? { name: "Fault" } : fault(code));
});

function setMeta(database: DatabaseSync, key: string, value: string): void {
  database.prepare("INSERT OR REPLACE INTO meta VALUES (?, ?)").run(key, value);
}

test("an older record is refused with the token as it is now, whole as it may be", async () => {
  const older = join(office.folder, "older.db");
  await office.reopen((path) => copyFileSync(path, older));
  await office.govern(OLGA, { contact: "Third" }, [ALICE, BOB]);
  await expect(office.reopen((path) => copyFileSync(older, path))).rejects.toMatchObject({
    ...fault("ERR_STATE"),
    message: expect.stringContaining("older") as string,
  });
});

test("two histories from one point: the token knows which", async () => {
  const fork = join(office.folder, "fork.db");
  await office.reopen((path) => copyFileSync(path, fork));
  const { anchor } = office.hsm;
  await office.govern(OLGA, { contact: "One way" }, [ALICE, BOB]);
  await office.anchored();
  const known = office.hsm.anchor;
  office.hsm.anchor = anchor;
  await office.reopen((path) => copyFileSync(fork, path));
  await office.govern(OLGA, { contact: "Another" }, [ALICE, BOB]);
  await office.govern(OLGA, { contact: "And on" }, [ALICE, BOB]);
  await office.reopen();
  office.hsm.anchor = known;
  await expect(office.reopen()).rejects.toMatchObject({
    ...fault("ERR_STATE"),
    message: expect.stringContaining("not the one that the token knows") as string,
  });
});

const ANCHORS: [string, string | undefined][] = [
  ["no anchor", undefined],
  ["an anchor of another version", '{"act":3}'],
  ["an anchor that is not JSON", "anchor"],
  ["an anchor with more", '{"act":0,"head":null,"frozen":[],"more":1}'],
];
test.each(ANCHORS)("it does not start on a token with %s", async (_what, anchor) => {
  // What is written later is of the session that ends.
  await office.reopen();
  office.hsm.anchor = anchor;
  await expect(office.reopen()).rejects.toMatchObject(fault("ERR_STATE"));
});

test("an anchor that lags, because the agent was killed before it was written, is enough", async () => {
  const { anchor } = office.hsm;
  await office.govern(OLGA, { contact: "Third" }, [ALICE, BOB]);
  await office.reopen();
  const newest = office.hsm.anchor;
  office.hsm.anchor = anchor;
  await office.reopen();
  expect(office.desk.charter.require().n).toBe(4);
  office.desk.wake();
  await office.reopen();
  expect(office.hsm.anchor).toBe(newest);
});

test("an anchor that cannot be written now is written later", async () => {
  const { anchor } = office.hsm;
  const real = office.hsm.writeAnchor.bind(office.hsm);
  office.hsm.writeAnchor = async () => await Promise.reject(new Error("away"));
  await office.govern(OLGA, { contact: "Third" }, [ALICE, BOB]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(office.hsm.anchor).toBe(anchor);
  office.hsm.writeAnchor = real;
  office.desk.wake();
  await office.reopen();
  expect(office.hsm.anchor).toContain('"act":4');
});

test("a freeze that somebody took out of the record stops the start; one that an act lifted does not", async () => {
  freeze(office.desk, { vault: VAULT, by: null, of: null });
  await office.freeze(CAROL);
  await office.reopen();
  const copy = join(office.folder, "copy.db");
  for (const sql of ["DELETE FROM freezes", "DELETE FROM freezes WHERE vault = ''"]) {
    const start = office.reopen((path) => {
      copyFileSync(path, copy);
      edit(path, (d) => d.exec(sql));
    });
    const message = expect.stringContaining("freeze") as string;
    await expect(start).rejects.toMatchObject({ ...fault("ERR_STATE"), message });
    await office.reopen((path) => copyFileSync(copy, path));
  }
  const { anchor } = office.hsm;
  await office.enact(OLGA, { verb: "UNFREEZE", change: { vault: null } }, [ALICE, BOB]);
  await office.reopen();
  expect(office.desk.journal.freezes()).toEqual([]);
  // Killed between the act and the anchor.
  office.hsm.anchor = anchor;
  await office.reopen();
  expect(office.desk.journal.freezes()).toEqual([]);
});

test("dozens of frozen vaults fit an anchor, also one that lags", async () => {
  const vaults = [...office.policy.vaults];
  for (let n = 10; n < 51; n += 1) vaults.push(policyVaultOf(await createVault(office.desk, `V${n}`, "none", [])));
  await office.govern(OLGA, { vaults }, [ALICE, BOB]);
  for (const { name } of vaults) freeze(office.desk, { vault: name, by: null, of: null });
  await office.reopen();
  const many = office.hsm.anchor;
  for (const vault of ["V10", "V11", "V12"])
    await office.enact(OLGA, { verb: "UNFREEZE", change: { vault } }, [ALICE, BOB]);
  await office.reopen();
  office.hsm.anchor = many;
  await office.reopen();
  expect(office.desk.journal.freezes()).toHaveLength(39);
  const start = office.reopen((path) => edit(path, (d) => d.exec("DELETE FROM freezes WHERE vault = 'V20'")));
  await expect(start).rejects.toMatchObject(fault("ERR_STATE"));
});
