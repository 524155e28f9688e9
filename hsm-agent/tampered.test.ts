/** Requests and approvals that somebody edited in the record: the agent may start on it, and signs nothing. */
import { DatabaseSync } from "node:sqlite";
import { recoverTransactionAddress } from "viem";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sha256Hex } from "../protocol/primitive.ts";
import { advance } from "./advance.ts";
import { enact } from "./enact.ts";
import { Office } from "./testing.ts";
import { fault, makePerson } from "./testing-people.ts";
import { addressOf } from "./vaults.ts";

const [ALICE, BOB, CAROL] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol")];
const OLGA = makePerson("Olga");
let office: Office;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA);
});
afterEach(() => office.dispose());

async function issued(): Promise<string> {
  const id = await office.propose(OLGA);
  await advance(office.desk, id);
  return id;
}

/** Approved by two; nothing is driven further. */
async function quorum(): Promise<string> {
  const id = await issued();
  expect(await office.approve(ALICE, id)).toBeUndefined();
  expect(await office.approve(BOB, id)).toBeUndefined();
  return id;
}

const drive = async (id: string) => await office.drive(id);

const OURS = "request = (SELECT id FROM requests WHERE verb = 'SEND')";
/** What somebody with the database in their hands might try; the agent may start on it, but signs nothing. */
const TAMPERED: [string, (database: DatabaseSync) => void][] = [
  ["the request's vault", (d) => d.exec("UPDATE requests SET vault = 'Treasury-2'")],
  ["the request's policy", (d) => editPayload(d, "policy", { n: 2, digest: "0".repeat(64) })],
  ["the digest of the request's policy", (d) => editPayload(d, "policy", { n: 1, digest: "0".repeat(64) })],
  ["the digest of the request's people", (d) => editPayload(d, "people", { n: 1, digest: "0".repeat(64) })],
  ["the request's expiry", (d) => d.exec("UPDATE requests SET expires = expires + 3600")],
  ["the request's nonce", (d) => d.exec("UPDATE requests SET nonce = 99")],
  ["the request's initiator", (d) => d.exec("UPDATE requests SET initiator = 'Alice'")],
  ["the request's verb", (d) => d.exec("UPDATE requests SET verb = 'DRILL'")],
  ["away the proposal", (d) => d.exec("UPDATE request_texts SET proposal_jws = NULL")],
  [
    "the proposal",
    (d) =>
      d.exec("UPDATE request_texts SET proposal_jws = jws WHERE id = (SELECT id FROM requests WHERE verb = 'SEND')"),
  ],
  [
    "the bytes of an approval",
    (d) =>
      d.exec(`UPDATE records SET jws = substr(jws, 1, length(jws) - 4) || 'AAAA' WHERE ${OURS} AND person = 'Bob'`),
  ],
  [
    "one person's approval under another's name",
    (d) =>
      d.exec(
        `UPDATE records SET jws = (SELECT jws FROM records WHERE ${OURS} AND person = 'Alice') WHERE ${OURS} AND person = 'Bob'`,
      ),
  ],
  [
    "one person's approval as another's, with its id",
    (d) => {
      const row = d.prepare(`DELETE FROM records WHERE ${OURS} AND person = 'Alice' RETURNING jti, jws`).get();
      d.prepare(`UPDATE records SET jti = ?, jws = ? WHERE ${OURS}`).run(String(row?.["jti"]), String(row?.["jws"]));
    },
  ],
];
test.each(TAMPERED)("nothing is signed where somebody edited %s in the record", async (_what, change) => {
  const id = await quorum();
  const before = office.hsm.signatures.length;
  const restart = office.reopen((path) => edit(path, change));
  await expect(restart.then(async () => await drive(id))).rejects.toMatchObject({ name: "Fault" });
  expect(office.hsm.signatures).toHaveLength(before);
});

const LAST = '(SELECT max(n) FROM log WHERE entry LIKE \'%"kind":"withdrawal"%\')';
/** What Alice took back, or Carol rejected, taken out of the record. */
const TAKEN_OUT: [string, (database: DatabaseSync) => void][] = [
  ["by itself", () => {}],
  [
    "with the row as it was before",
    (d) =>
      d.exec(
        `UPDATE requests SET revision = 1, logged = 1, entry = (SELECT min(n) FROM log WHERE entry LIKE '%"state":"pending"%')`,
      ),
  ],
  [
    "with its line of the log",
    (d) => d.exec(`UPDATE log SET entry = replace(entry, 'withdrawal', 'approval') WHERE n = ${LAST}`),
  ],
  [
    "with its line, and the hash of that",
    (d) => {
      const [from, line] = [
        'SELECT n, entry FROM log WHERE n = (SELECT min(n) FROM log WHERE entry LIKE \'%"state":"pending"%\')',
        LAST,
      ];
      const { n, entry } = d.prepare(from).get() as { n: number; entry: string };
      d.prepare(
        `UPDATE log_nodes SET hash = (SELECT hash FROM log_nodes WHERE level = 0 AND at = ?) WHERE level = 0 AND at = ${line}`,
      ).run(n);
      d.prepare(`UPDATE log SET entry = ? WHERE n = ${line}`).run(entry);
    },
  ],
];
test.each(TAKEN_OUT)(
  "an approval that was taken back counts no more, where that was taken out of the record %s",
  async (_how, change) => {
    const id = await issued();
    expect(await office.approve(ALICE, id)).toBeUndefined();
    expect(await office.withdraw(ALICE, id)).toBeUndefined();
    await office.reopen((path) =>
      edit(path, (d) => {
        change(d);
        d.exec("DELETE FROM records WHERE kind = 'withdrawal'");
      }),
    );
    const before = office.hsm.signatures.length;
    expect(await office.approve(BOB, id)).toBeUndefined();
    await expect(drive(id)).rejects.toMatchObject(fault("ERR_STATE"));
    // By now the log tells of it as the record does.
    await office.reopen();
    await expect(drive(id)).rejects.toMatchObject(fault("ERR_STATE"));
    expect([office.row(id).state, office.row(id).signed]).toEqual(["approved", null]);
    expect(office.hsm.signatures.slice(before).filter((one) => one.id === office.desk.journal.vaults()[0]?.id)).toEqual(
      [],
    );
  },
);

test("a request that was rejected stays so, where the rejection was taken out of the record", async () => {
  const id = await issued();
  await office.approve(ALICE, id);
  await office.reject(CAROL, id);
  await office.reopen((path) =>
    edit(path, (d) =>
      d.exec(
        "DELETE FROM records WHERE kind = 'rejection'; DELETE FROM free_nonces; UPDATE requests SET state = 'pending' WHERE verb = 'SEND'",
      ),
    ),
  );
  expect(await office.approve(BOB, id)).toBeUndefined();
  await expect(drive(id)).rejects.toMatchObject(fault("ERR_STATE"));
  await office.reopen();
  await expect(drive(id)).rejects.toMatchObject(fault("ERR_STATE"));
  expect([office.row(id).state, office.row(id).signed]).toEqual(["approved", null]);
});

test("the vault's row is of no account: the key that signs is the one that the request and the policy name", async () => {
  const id = await quorum();
  const [vault] = office.desk.journal.vaults();
  await office.reopen((path) =>
    edit(path, (d) => d.exec("UPDATE vaults SET public_key = '04' || lower(hex(randomblob(64)))")),
  );
  await drive(id);
  const raw = office.row(id).signed as `0x02${string}`;
  expect(await recoverTransactionAddress({ serializedTransaction: raw })).toBe(vault && addressOf(vault));
  await expect(office.propose(OLGA)).rejects.toMatchObject(fault("ERR_VAULT_UNKNOWN"));
});

test("a motion is driven by its own road: it never makes a vault's signature, and a transfer never an act", async () => {
  const id = await quorum();
  await expect(enact(office.desk, office.row(id))).rejects.toMatchObject(fault("ERR_STATE"));
  expect(office.desk.journal.acts()).toHaveLength(1);
});

function edit(path: string, change: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(path);
  change(database);
  database.close();
}

/** With a digest that fits. */
function editPayload(database: DatabaseSync, member: string, value: unknown): void {
  const row = database
    .prepare("SELECT id, payload FROM requests JOIN request_texts USING (id) WHERE verb = 'SEND'")
    .get();
  const text = JSON.stringify({ ...(JSON.parse(String(row?.["payload"])) as object), [member]: value });
  const digest = sha256Hex(new TextEncoder().encode(text));
  const id = String(row?.["id"]);
  database.prepare("UPDATE request_texts SET payload = ? WHERE id = ?").run(text, id);
  database.prepare("UPDATE requests SET digest = ? WHERE id = ?").run(digest, id);
}
