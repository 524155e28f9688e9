/** Proofs of requests that an agent really carried, in every way that they end; verified with the file and the fingerprint alone. */
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CANCELLATION } from "../protocol/message.ts";
import { fingerprint, type PublicJwk } from "../protocol/primitive.ts";
import { encodeProof } from "../protocol/proof-form.ts";
import { expireRequests } from "./advance.ts";
import { run } from "./commands.ts";
import { exportProof, verifyFile } from "./proof.ts";
import { cancel } from "./proposals.ts";
import { Office } from "./testing.ts";
import { fault, makePerson, VAULT } from "./testing-people.ts";

const [ALICE, BOB, CAROL, OLGA] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol"), makePerson("Olga")];
let office: Office;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA);
});
afterEach(() => office.dispose());

const hsm = () => fingerprint(office.desk.identity.signer.kid);
async function proved(id: string, by = hsm()) {
  const proof = await exportProof(office.desk, id);
  const verdict = await verifyFile(new TextEncoder().encode(encodeProof(proof)), by);
  expect(verdict.steps.filter(({ ok }) => !ok)).toEqual([]);
  return { proof, verdict };
}
async function pending(): Promise<string> {
  const id = await office.propose(OLGA);
  await office.drive(id);
  return id;
}
const command = async (each: Parameters<typeof run>[1]) => {
  const link = { state: "offline" as const, publishRoster: () => {} };
  return await run({ desk: office.desk, link, backups: office.backups, follow: () => {} }, each);
};

test("a signed transfer is proved with its transaction, which is handed out by that", async () => {
  const id = await office.carry(await pending(), [ALICE, BOB]);
  expect(office.row(id).released).toBeNull();
  const { proof, verdict } = await proved(id);
  expect(proof.signed).toBe(office.row(id).signed);
  expect(office.row(id).released).toBe(office.now);
  expect(verdict.proved).toMatchObject({
    receipt: { state: "signed" },
    approvers: [{ name: "Alice" }, { name: "Bob" }],
  });
  expect(await command({ command: "proof.export", id })).toMatchObject({ kind: "OpenCustody proof" });
});

test("what is frozen and was never handed out is not handed out by a proof", async () => {
  const id = await office.carry(await pending(), [ALICE, BOB]);
  await office.freeze(CAROL, VAULT);
  await expect(exportProof(office.desk, id)).rejects.toMatchObject(fault("ERR_STATE"));
  expect(office.row(id).released).toBeNull();
});

test("what was rejected, cancelled, ran out of time or was made void is proved as well", async () => {
  const [rejected, cancelled, withdrawn] = [await pending(), await pending(), await pending()];
  await office.approve(ALICE, rejected);
  await office.reject(BOB, rejected);
  await cancel(office.desk, await office.message(CANCELLATION, OLGA.file, { request: cancelled }));
  await office.approve(ALICE, withdrawn);
  await office.withdraw(ALICE, withdrawn);
  const stateOf = async (id: string) => (await proved(id)).verdict.proved?.receipt.state;
  expect(await stateOf(withdrawn)).toBe("pending");
  office.now = office.row(withdrawn).expires;
  expireRequests(office.desk);
  const open = await pending();
  await office.approve(BOB, open);
  await office.govern(OLGA, { contact: "Somebody else" }, [ALICE, BOB]);
  const states = [await stateOf(rejected), await stateOf(cancelled), await stateOf(withdrawn), await stateOf(open)];
  expect(states).toEqual(["rejected", "cancelled", "expired", "void"]);
});

test("changes are proved, from the founding to the last", async () => {
  const founding = office.desk.journal.requests().find(({ verb }) => verb === "FOUND")?.id ?? "";
  const policy = await office.govern(OLGA, { contact: "Somebody else" }, [ALICE, BOB]);
  const removal = { what: "role", role: "admin" } as const;
  const gone = await office.enact(OLGA, { verb: "REMOVE", change: { name: "Carol", removal } }, [ALICE, BOB]);
  for (const [at, id] of [founding, policy, gone].entries()) {
    const { proof, verdict } = await proved(id);
    expect(proof.act).not.toBeNull();
    expect(proof.acts).toHaveLength(at + 1);
    expect(verdict.said).toContain("is enacted");
  }
});

test("a drill is proved, and is no act", async () => {
  const id = await office.motion(OLGA, { verb: "DRILL", change: { vault: VAULT } });
  await office.carry(id, [ALICE, BOB, CAROL]);
  const { proof, verdict } = await proved(id);
  expect([proof.act, proof.signed, verdict.proved?.receipt.state]).toEqual([null, null, "enacted"]);
});

test("after a rotation the same request is proved to whoever pinned the first identity, and to whoever pinned the last", async () => {
  const first = hsm();
  const id = await office.carry(await pending(), [ALICE, BOB]);
  await proved(id);
  const { key } = (await command({ command: "rotate.prepare" })) as { key: PublicJwk };
  const rotation = await office.enact(OLGA, { verb: "ROTATE", change: { to: key } }, [ALICE, BOB]);
  expect(hsm()).not.toBe(first);
  for (const by of [first, hsm()]) {
    expect((await proved(id, by)).proof.acts).toHaveLength(2);
    await proved(rotation, by);
  }
});

test("what nobody was asked, or nobody answered, is not proved", async () => {
  const never = await office.propose(OLGA);
  await expect(exportProof(office.desk, never)).rejects.toMatchObject(fault("ERR_PROOF"));
  await office.drive(never);
  await expect(exportProof(office.desk, never)).rejects.toMatchObject(fault("ERR_PROOF"));
  await expect(exportProof(office.desk, "0000000000000000")).rejects.toMatchObject(fault("ERR_REQUEST_UNKNOWN"));
});

test("while the checkpoint is signed the request may change: the proof is of one moment", async () => {
  const id = await pending();
  await office.deliver(ALICE.key.kid, await office.approval(ALICE, id));
  let isFirst = true;
  office.hsm.before = async () => {
    if (!isFirst) return;
    isFirst = false;
    await office.deliver(BOB.key.kid, await office.approval(BOB, id));
  };
  const { proof } = await proved(id);
  expect(proof.messages).toHaveLength(2);
});

test("a record that was edited proves nothing", async () => {
  const id = await office.carry(await pending(), [ALICE, BOB]);
  await proved(id);
  const other = await office.approval(CAROL, id);
  await office.reopen((path) => {
    const record = new DatabaseSync(path);
    record.prepare("UPDATE records SET jws = ? WHERE request = ? AND person = 'Alice'").run(other, id);
    record.close();
  });
  await expect(exportProof(office.desk, id)).rejects.toMatchObject(fault("ERR_PROOF"));
});
