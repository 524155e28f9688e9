/** A record that comes back from a backup: nothing is signed on it until the admins have decided so, on the gap as it is known then. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { APPROVAL, CANCELLATION } from "../protocol/message.ts";
import { dueRecoveries, expireRequests } from "./advance.ts";
import { removeRecord } from "./backup.ts";
import { run } from "./commands.ts";
import { type Command } from "./control.ts";
import { sourceOf, verifyLog } from "./log-verify.ts";
import { exportProof } from "./proof.ts";
import { cancel } from "./proposals.ts";
import type { Restore } from "./restoring.ts";
import type { Checkpoint } from "./showing.ts";
import { stopRequest } from "./stops.ts";
import type { Office } from "./testing.ts";
import { fault, NETWORK, type Person, VAULT } from "./testing-people.ts";
import {
  ALICE,
  BOB,
  backup,
  CAROL,
  carryOutRestore,
  companyWithGap,
  gap,
  handedOut,
  headOf,
  known,
  logIn,
  lose,
  OLGA,
  proposeRestore,
  show,
} from "./testing-restore.ts";
import { readBack } from "./verify.ts";
import { showRequest } from "./views.ts";

let office: Office;
let [sent, waiting, file] = ["", "", ""];
let newest: Checkpoint;
beforeEach(async () => {
  ({ office, sent, waiting, file, newest } = await companyWithGap());
});
afterEach(() => office.dispose());

const command = async (each: Command) => {
  const link = { state: "offline" as const, publishRoster: () => {} };
  return await run({ desk: office.desk, link, backups: office.backups, follow: () => {} }, each);
};
const REMOVE_CAROL = { verb: "REMOVE", change: { name: "Carol", removal: { what: "person" } } } as const;
const motion = async (change: Restore) => await proposeRestore(office, change);
const restore = async (change: Restore) => await carryOutRestore(office, change);
const sign = async (amount: string) => await handedOut(office, amount);
const next = () => office.desk.journal.nextNonce(VAULT, NETWORK);

test("the whole road: read-only, the gap in numbers, RESTORE by the admins' devices, and on it goes", async () => {
  const { size } = office.desk.journal.logHead();
  const restored = await lose(office, file);
  const { witnesses, journal } = office.desk;
  expect(restored).toMatchObject({ act: 1, frozen: false, succeed: false });
  expect(witnesses.restoredAt).toBe(office.now);
  // Nothing is proposed, signed, made or handed out, whatever it is.
  const policy = { ...office.policy, contact: "x" };
  await expect(office.propose(OLGA)).rejects.toMatchObject(fault("ERR_LOG"));
  await expect(office.motion(OLGA, { verb: "POLICY", change: { policy } })).rejects.toMatchObject(fault("ERR_LOG"));
  await expect(command({ command: "invite", jws: "" })).rejects.toMatchObject(fault("ERR_LOG"));
  const create = command({ command: "vault.create", name: "Second", backup: "none", nonces: [] });
  await expect(create).rejects.toMatchObject(fault("ERR_LOG"));
  // Approvals of what is open are kept, and nothing comes of them.
  for (const person of [ALICE, BOB]) expect(await office.approve(person, waiting)).toBeUndefined();
  const before = office.hsm.signatures.length;
  await office.drive(waiting);
  expect(office.row(waiting)).toMatchObject({ state: "approved", signed: null });
  expect(office.hsm.signatures).toHaveLength(before);
  // Both browsers had seen more: each is told so, and sent what leads on.
  expect(await show(office, ALICE, newest)).toBe("ERR_LOG");
  expect(await show(office, BOB, newest)).toBe("ERR_LOG");
  expect(gap(office).seen).toEqual({ size, root: newest.root });
  expect(await command({ command: "status" })).toMatchObject({
    restoredAt: office.now,
    behind: { person: "Alice", size, from: gap(office).log.size },
  });
  const id = await restore(gap(office, 9));
  expect([office.row(id).state, office.row(waiting).state]).toEqual(["enacted", "void"]);
  expect(office.row(sent)).toMatchObject({ state: "signed", released: expect.any(Number) as number });
  expect([witnesses.isReadOnly, witnesses.isCurrent, journal.meta("restored")]).toEqual([false, true, undefined]);
  expect(await sign("4")).toMatchObject({ nonce: 9, signed: expect.stringMatching(/^0x/) as string });
  await office.anchored();
  expect(JSON.parse(office.hsm.anchor ?? "")).toMatchObject({ act: 2 });
  await office.reopen();
  expect(office.desk.charter.require().n).toBe(2);
});

test("while it is read-only the token forgets nothing of what there was; afterwards it lags, and that is enough", async () => {
  office.now += 3600;
  office.desk.wake();
  await lose(office, file);
  const { anchor } = office.hsm;
  expect(JSON.parse(anchor ?? "")).toMatchObject({ log: { size: newest.size } });
  office.now += 3600;
  office.desk.wake();
  await office.anchored();
  expect(office.hsm.anchor).toBe(anchor);
  // The token alone knows of the gap.
  expect(gap(office).seen).toEqual(headOf(newest));
  // Whoever takes the mark away has an older record, which is refused.
  const copy = join(office.folder, "copy.db");
  await expect(
    office.reopen((path) => {
      copyFileSync(path, copy);
      edit(path, "DELETE FROM meta WHERE key = 'restored'");
    }),
  ).rejects.toMatchObject({ ...fault("ERR_STATE"), message: expect.stringContaining("does not lead there") as string });
  await office.reopen((path) => replace(copy, path));
  for (const person of [ALICE, BOB]) await show(office, person, newest);
  await restore(gap(office, 9));
  await office.anchored();
  // Killed between the act and the anchor.
  office.hsm.anchor = anchor;
  await office.reopen();
  expect(office.desk.witnesses.isReadOnly).toBe(false);
});

test("RESTORE waits until as many people were heard as decide on it, and names all that they know", async () => {
  await lose(office, file);
  expect(await show(office, ALICE, newest)).toBe("ERR_LOG");
  const id = await restore(gap(office, 9));
  expect(office.row(id).state).toBe("approved");
  expect(dueRecoveries(office.desk)).toEqual([]);
  // The same gap again changes nothing; the second person was the one that was missing.
  expect(await show(office, ALICE, newest)).toBe("ERR_LOG");
  expect(office.row(id).state).toBe("approved");
  expect(await show(office, BOB, newest)).toBe("ERR_LOG");
  expect(dueRecoveries(office.desk)).toEqual([id]);
  await office.drive(id);
  expect(office.row(id).state).toBe("enacted");
});

test("what was given up is history to a browser that has not heard of it; what nobody named stops the agent again", async () => {
  const named = newest;
  await sign("4");
  const unnamed = await known(office);
  await lose(office, file);
  for (const person of [ALICE, BOB]) await show(office, person, named);
  const { log } = gap(office);
  await restore(gap(office, 9));
  office.forget();
  expect(await show(office, CAROL, named, 1)).toBeUndefined();
  expect(office.sent("oc-act+jws").filter(({ receiver }) => receiver === CAROL.key.kid)).toMatchObject([{ n: 2 }]);
  expect(office.desk.witnesses.isReadOnly).toBe(false);
  // With the act the browser goes on from the head that it names, and counts.
  await office.reopen();
  const { witnesses } = office.desk;
  expect(await logIn(office, CAROL, { log, witness: null })).toBeUndefined();
  expect(witnesses.seen).toBe(1);
  expect(await show(office, ALICE, await known(office))).toBeUndefined();
  expect(witnesses.isCurrent).toBe(true);
  // Somebody who knew more than was named.
  expect(await show(office, CAROL, unnamed, 1)).toBe("ERR_LOG");
  expect(witnesses.isReadOnly).toBe(true);
  await expect(office.propose(OLGA)).rejects.toMatchObject(fault("ERR_LOG"));
  for (const person of [ALICE, BOB]) await show(office, person, await known(office));
  expect(office.row(await restore(gap(office, 9))).state).toBe("enacted");
});

test("nobody holds what was given up against a RESTORE: who knows its act and shows it all the same is told so, and stops nothing", async () => {
  await lose(office, file);
  for (const person of [ALICE, BOB]) await show(office, person, newest);
  expect(office.row(await restore(gap(office, 9))).state).toBe("enacted");
  await office.reopen();
  const { witnesses } = office.desk;
  const removal = await office.motion(OLGA, REMOVE_CAROL);
  await office.approve(ALICE, removal);
  for (const act of [2, 3, 9]) expect(await show(office, CAROL, newest, act)).toBe("ERR_LOG");
  // Nor does it count by what she said to an earlier start.
  expect([witnesses.isReadOnly, witnesses.seen, witnesses.heard]).toEqual([false, 0, 0]);
  for (const person of [ALICE, BOB]) expect(await show(office, person, await known(office), 2)).toBeUndefined();
  await office.approve(BOB, removal);
  await office.drive(removal);
  expect(office.row(removal).state).toBe("enacted");
});

test("a browser that is behind is told of what leads on alone, under its key of today", async () => {
  await lose(office, file);
  expect(office.desk.journal.memberSeal(ALICE.key.kid)).toBeUndefined();
  await show(office, BOB, newest);
  const id = await motion(gap(office, 9));
  await office.settle();
  office.forget();
  await show(office, ALICE, newest);
  expect(office.desk.journal.memberSeal(ALICE.key.kid)).toEqual(ALICE.seal.jwk);
  const requests = office.sent("oc-request+jws").filter(({ receiver }) => receiver === ALICE.key.kid);
  expect(requests.map(({ request }) => request)).toEqual([id]);
  expect((await office.views()).filter(({ receiver }) => receiver === ALICE.key.kid)).toEqual([]);
});

test("an approval of a RESTORE may know what it gives up, and no more; of anything else what the log holds", async () => {
  await lose(office, file);
  for (const person of [ALICE, BOB]) await show(office, person, newest);
  const id = await motion(gap(office, 9));
  const approval = async (by: Person, of: string, log: { size: number; root: string }) => {
    const { digest } = office.row(of);
    const signature = by.sign(readBack(office.row(of)).statement);
    const body = { request: of, digest, address: by.address, signature, log };
    return await office.receive(by.key, await office.message(APPROVAL, by.key, body, { exp: office.row(of).expires }));
  };
  expect(await approval(ALICE, waiting, headOf(newest))).toBe("ERR_LOG");
  expect(await approval(ALICE, id, { size: newest.size + 1, root: newest.root })).toBe("ERR_LOG");
  expect(await approval(ALICE, id, headOf(newest))).toBeUndefined();
  // Nothing of it counts as having shown what is here.
  expect(office.desk.witnesses.seen).toBe(0);
});

test("what was signed and in nobody's hands at the backup ends without a hash, and the log still holds", async () => {
  const [expired, superseded] = [await office.propose(OLGA, "4"), await office.propose(OLGA, "5")];
  for (const id of [expired, superseded]) await office.carry(id, [ALICE, BOB]);
  await lose(office, await backup(office));
  for (const person of [ALICE, BOB]) await show(office, person, await known(office));
  const [end, other] = [office.row(expired), office.row(superseded)];
  expect([end.state, end.signed, end.hash]).toEqual(["signed", null, expect.stringMatching(/^0x/)]);
  office.desk.journal.transaction(() => stopRequest(office.desk, end, "expired"));
  await restore(gap(office, Math.min(end.nonce ?? 0, other.nonce ?? 0)));
  for (const [id, state] of [
    [expired, "expired"],
    [superseded, "void"],
  ] as const)
    expect(office.row(id)).toMatchObject({ state, signed: null, hash: null });
  await known(office);
  const verified = await verifyLog(sourceOf(office.desk.journal), null);
  expect(verified.signed).toBe(office.desk.journal.logSize());
  expect((await exportProof(office.desk, superseded)).signed).toBeNull();
});

test("what may have been signed since ends with the RESTORE alone: no receipt says before that nothing was", async () => {
  await lose(office, file);
  for (const person of [ALICE, BOB]) await show(office, person, newest);
  const open = office.row(waiting).state;
  expect(await office.reject(ALICE, waiting)).toBe("ERR_LOG");
  const cancellation = await office.message(CANCELLATION, OLGA.file, { request: waiting });
  await expect(cancel(office.desk, cancellation)).rejects.toMatchObject(fault("ERR_LOG"));
  const refused = await motion(gap(office, 9));
  const over = await motion(gap(office, 9));
  expect(await office.reject(ALICE, refused)).toBeUndefined();
  office.now = Math.max(office.row(waiting).expires, office.row(over).expires);
  // What leads on has its time, and may be rejected.
  expect(expireRequests(office.desk)).toEqual([over]);
  await office.drive(waiting);
  expect(office.row(waiting).state).toBe(open);
  expect([refused, over].map((id) => office.row(id).state)).toEqual(["rejected", "expired"]);
  await restore(gap(office, 9));
  expect(office.row(waiting).state).toBe("void");
});

test("nonces: none that was handed out comes again, none that the network waits for is lost", async () => {
  const [first, second] = [await office.propose(OLGA, "4"), await office.propose(OLGA, "5")];
  await office.carry(second, [ALICE, BOB]);
  await showRequest(office.desk, second);
  // 7 and 8 are used, 9 is open, 10 was handed out; the waiting one of before has no more chance.
  expect([office.row(first).nonce, office.row(second).nonce, next()]).toEqual([10, 11, 12]);
  await lose(office, await backup(office));
  for (const person of [ALICE, BOB]) await show(office, person, await known(office));
  expect(gap(office).nonces).toEqual([{ vault: VAULT, network: NETWORK, nonce: 8 }]);
  const change = gap(office);
  await expect(motion({ ...change, nonces: [] })).rejects.toMatchObject(fault("ERR_STATE"));
  for (const nonce of [7, 10_009]) await expect(motion(gap(office, nonce))).rejects.toMatchObject(fault("ERR_STATE"));
  const strange = { vault: "Treasury-2", network: NETWORK, nonce: 1 };
  await expect(motion({ ...change, nonces: [...change.nonces, strange] })).rejects.toMatchObject(fault("ERR_STATE"));
  await restore(change);
  expect([(await sign("6")).nonce, (await sign("7")).nonce, (await sign("8")).nonce]).toEqual([8, 10, 12]);
});

function edit(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

function replace(from: string, path: string): void {
  removeRecord(path);
  copyFileSync(from, path);
}
