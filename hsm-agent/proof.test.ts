/**
 * Proofs of requests that an agent really carried, in every way that they end; verified with the file and the fingerprint alone, and once
 * more, all together, by the verifier in Python.
 */
import { spawnSync } from "node:child_process";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { CANCELLATION } from "../protocol/message.ts";
import { fingerprint, type PublicJwk } from "../protocol/primitive.ts";
import { encodeProof } from "../protocol/proof-form.ts";
import { expireRequests } from "./advance.ts";
import { run } from "./commands.ts";
import { exportProof, verifyFile } from "./proof.ts";
import { cancel } from "./proposals.ts";
import { Office } from "./testing.ts";
import { away } from "./testing-hsm.ts";
import { fault, makePerson, VAULT } from "./testing-people.ts";
import { backup, gap, known, lose, show } from "./testing-restore.ts";

const VERDICTS = fileURLToPath(new URL("../test/verifier/verdicts.py", import.meta.url));
const [ALICE, BOB, CAROL, OLGA] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol"), makePerson("Olga")];
let office: Office;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA);
});
afterEach(() => office.dispose());

/** What was proved here, for the other verifier. */
const exported: { file: string; hsm: string }[] = [];
afterAll(() => {
  const input = exported.map((one) => `${JSON.stringify(one)}\n`).join("");
  const { stdout, stderr } = spawnSync("python3", ["-B", VERDICTS], { input, encoding: "utf8" });
  expect(stderr).toBe("");
  expect(stdout).toBe("ok\n".repeat(exported.length));
});

const hsm = () => fingerprint(office.desk.identity.signer.kid);
async function proved(id: string, by = hsm()) {
  const proof = await exportProof(office.desk, id);
  const verdict = await verifyFile(new TextEncoder().encode(encodeProof(proof)), by);
  expect(verdict.steps.filter(({ ok }) => !ok)).toEqual([]);
  exported.push({ file: encodeProof(proof), hsm: by });
  return { proof, verdict };
}
const stateOf = async (id: string) => (await proved(id)).verdict.proved?.receipt.state;
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
  expect(await stateOf(withdrawn)).toBe("pending");
  office.now = office.row(withdrawn).expires;
  expireRequests(office.desk);
  const open = await pending();
  await office.approve(BOB, open);
  await office.govern(OLGA, { contact: "Somebody else" }, [ALICE, BOB]);
  const states = [await stateOf(rejected), await stateOf(cancelled), await stateOf(withdrawn), await stateOf(open)];
  expect(states).toEqual(["rejected", "cancelled", "expired", "void"]);
});

test("what was approved and is frozen is proved, and no longer once it has lost its quorum", async () => {
  const id = await pending();
  for (const person of [ALICE, BOB]) await office.approve(person, id);
  office.hsm.before = ({ curve }) => (curve === "secp256k1" ? away() : undefined);
  await office.drive(id).catch(() => {});
  office.hsm.before = () => {};
  await office.freeze(CAROL, VAULT);
  expect(await stateOf(id)).toBe("approved");
  await office.withdraw(BOB, id);
  await office.drive(id);
  const { verdict } = await proved(id);
  expect(verdict.proved).toMatchObject({ receipt: { state: "pending" }, approvers: [{ name: "Alice" }] });
  expect(office.row(id).state).toBe("pending");
});

test("a recovery is proved while it waits, and when its time has come", async () => {
  const people = [makePerson("Rita"), makePerson("Ron")];
  office.dispose();
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA, {
    policy: {
      governance: {
        threshold: 2,
        vendors: [],
        expiresAfter: 60,
        recovery: { people: ["Rita", "Ron"], threshold: 2, delay: 48 },
      },
    },
    roles: people.map((person) => [person, ["auditor"]]),
  });
  const removal = { what: "role", role: "admin" } as const;
  const id = await office.motion(OLGA, { verb: "REMOVE", change: { name: "Carol", removal } }, true);
  await office.carry(id, people);
  expect(await stateOf(id)).toBe("approved");
  office.now = office.row(id).notBefore ?? 0;
  await office.drive(id);
  expect(await stateOf(id)).toBe("enacted");
});

test("what the HSM could not sign is proved to have failed", async () => {
  const id = await pending();
  office.hsm.lose(office.desk.journal.vaults()[0]?.id ?? "");
  await office.carry(id, [ALICE, BOB]);
  expect(await stateOf(id)).toBe("failed");
});

test("a RESTORE is proved, and what it made void", async () => {
  const open = await pending();
  await office.approve(ALICE, open);
  const signed = await office.carry(await pending(), [ALICE, BOB]);
  await proved(signed);
  const file = await backup(office);
  await office.carry(await pending(), [ALICE, BOB]);
  const newest = await known(office);
  await lose(office, file);
  for (const person of [ALICE, BOB]) await show(office, person, newest);
  const id = await office.enact(OLGA, { verb: "RESTORE", change: gap(office) }, [ALICE, BOB]);
  expect([await stateOf(id), await stateOf(open), await stateOf(signed)]).toEqual(["enacted", "void", "signed"]);
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
    const { proof, verdict } = await proved(id, by);
    expect(proof.acts).toHaveLength(2);
    // Whoever pinned the first is told that another signed the log.
    expect(verdict.said.includes(`signed by ${hsm()}`)).toBe(by === first);
    expect(verdict.proved?.signer).toBe(hsm());
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

test("what was signed while the checkpoint was signed is handed out as any other, or not at all", async () => {
  const id = await pending();
  await office.approve(ALICE, id);
  const meanwhile = (work: () => Promise<unknown>) => {
    office.hsm.before = async () => {
      office.hsm.before = () => {};
      await work();
    };
  };
  await office.deliver(BOB.key.kid, await office.approval(BOB, id));
  meanwhile(async () => await office.drive(id));
  const { proof } = await proved(id);
  expect([proof.signed, office.row(id).released]).toEqual([office.row(id).signed, office.now]);
  const frozen = await pending();
  await office.approve(ALICE, frozen);
  await office.deliver(BOB.key.kid, await office.approval(BOB, frozen));
  meanwhile(async () => {
    await office.drive(frozen);
    await office.freeze(CAROL, VAULT);
  });
  await expect(exportProof(office.desk, frozen)).rejects.toMatchObject(fault("ERR_STATE"));
  expect(office.row(frozen)).toMatchObject({ state: "signed", released: null });
});

test("an answer is proved that came before the clock fell back over a restart", async () => {
  // The mark is made, and the rest of its minute goes by.
  office.now += 600;
  const id = await pending();
  office.now += 59;
  await office.approve(ALICE, id);
  office.now -= 59;
  await office.reopen();
  await office.carry(id, [BOB]);
  const [first] = office.desk.journal.records(id);
  const { verdict } = await proved(id);
  expect(verdict.proved?.receipt).toMatchObject({ state: "signed", at: (first?.at ?? 0) - 59 });
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
