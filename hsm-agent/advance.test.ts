import { parseTransaction, recoverTransactionAddress } from "viem";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Fault } from "../protocol/error.ts";
import type { RequestState } from "../protocol/message.ts";
import { CANCELLATION } from "../protocol/message.ts";
import { advance, expireRequests } from "./advance.ts";
import { freeze } from "./freeze.ts";
import type { HsmKey } from "./hsm/wire.ts";
import { cancel } from "./proposals.ts";
import { Office } from "./testing.ts";
import { away } from "./testing-hsm.ts";
import { fault, makePerson } from "./testing-people.ts";
import { addressOf } from "./vaults.ts";

const [ALICE, BOB, CAROL] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol")];
const OLGA = makePerson("Olga");
let office: Office;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA);
});
afterEach(() => office.dispose());

const isVault = ({ curve }: HsmKey) => curve === "secp256k1";
const vaultSignatures = () => {
  const vault = office.desk.journal.vaults()[0]?.id;
  return office.hsm.signatures.filter(({ id }) => id === vault);
};

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

async function expectSignedOnce(id: string): Promise<void> {
  const { state, signed, hash, digest } = office.row(id);
  expect(state).toBe("signed");
  const raw = signed as `0x02${string}`;
  const [vault] = office.desk.journal.vaults();
  expect(await recoverTransactionAddress({ serializedTransaction: raw })).toBe(vault && addressOf(vault));
  expect(parseTransaction(raw)).toMatchObject({ nonce: 7, value: 1_500_000_000_000_000_000n });
  // Whatever was signed on the way, it was these unsigned bytes.
  expect(new Set(vaultSignatures().map((s) => s.digest)).size).toBe(1);
  await drive(id);
  await office.reopen();
  await drive(id);
  expect(office.row(id)).toMatchObject({ signed, hash, digest });
  expect((await office.receipts()).filter((r) => r["state"] === "signed" && r["receiver"] === ALICE.key.kid)).toEqual([
    expect.objectContaining({ hash, digest, request: id }),
  ]);
}

test("with a quorum it is signed, and everybody whom it was sent to has a receipt", async () => {
  const id = await quorum();
  await drive(id);
  await expectSignedOnce(id);
  const receivers = (await office.receipts()).map((r) => r["receiver"]);
  for (const person of [ALICE, BOB, CAROL]) expect(receivers).toContain(person.key.kid);
});

test("without one it waits, and the vault key is not asked", async () => {
  const id = await issued();
  await office.approve(ALICE, id);
  await drive(id);
  expect(office.row(id)).toMatchObject({ state: "pending", signed: null });
  expect(vaultSignatures()).toEqual([]);
});

/** The HSM is lost before or after its nth signature from here; then the agent is killed. */
const CRASHES = [1, 2, 3].flatMap((n) => [
  { n, when: "before" as const },
  { n, when: "after" as const },
]);
test.each(CRASHES)("killed $when signature $n on the way: one signed form, of the same bytes", async ({ n, when }) => {
  const id = await office.propose(OLGA);
  let count = 0;
  const crash = () => {
    count += 1;
    if (count === n) throw new Fault("ERR_HSM_DOWN", "The HSM was lost.");
  };
  if (when === "before") office.hsm.before = crash;
  const real = office.hsm.sign.bind(office.hsm);
  if (when === "after")
    office.hsm.sign = async (key, digest) => {
      const signature = await real(key, digest);
      crash();
      return signature;
    };
  // Issue, approvals, receipts, vault: wherever the loss falls, the next start goes on from the record.
  for (let round = 0; round < 6 && office.row(id).state !== "signed"; round += 1) {
    await drive(id).catch(async () => await office.reopen());
    if (office.row(id).state === "pending")
      for (const person of [ALICE, BOB]) await office.approve(person, id).catch(async () => await office.reopen());
  }
  await drive(id);
  await expectSignedOnce(id);
});

test("killed after the vault's signature and before it was stored: signed again, stored once", async () => {
  const id = await quorum();
  const real = office.hsm.sign.bind(office.hsm);
  office.hsm.sign = async (key, digest) => {
    const signature = await real(key, digest);
    if (vaultSignatures().length === 1) throw new Error("killed");
    return signature;
  };
  await expect(drive(id)).rejects.toThrow("killed");
  expect(office.row(id)).toMatchObject({ state: "approved", signed: null });
  await office.reopen();
  await drive(id);
  expect(vaultSignatures()).toHaveLength(2);
  await expectSignedOnce(id);
});

const STOPS: [string, RequestState, (id: string) => Promise<unknown>][] = [
  ["a rejection", "rejected", async (id) => await office.reject(CAROL, id)],
  [
    "its cancellation",
    "cancelled",
    async (id) => await cancel(office.desk, await office.message(CANCELLATION, OLGA.file, { request: id })),
  ],
  ["its expiry", "expired", async () => (office.now += 3_600 + 60)],
  ["a new policy", "void", async () => await office.govern(OLGA, { contact: "Nobody" }, [ALICE, BOB])],
  ["a new member", "void", async () => await office.hire(OLGA, makePerson("Dave"), ["approver"], [ALICE, BOB])],
  [
    "a member's removal",
    "void",
    async () =>
      await office.enact(OLGA, { verb: "REMOVE", change: { name: "Carol", removal: { what: "person" } } }, [
        ALICE,
        BOB,
      ]),
  ],
  ["a withdrawal", "pending", async (id) => await office.withdraw(ALICE, id)],
  ["a freeze by somebody", "approved", async () => await office.freeze(CAROL)],
  ["the operator's freeze", "approved", async () => freeze(office.desk, { vault: "Treasury-1", by: null, of: null })],
];
test.each(STOPS)("%s while the signature is being made wins: %s", async (_what, state, stop) => {
  const id = await quorum();
  office.hsm.before = async (key) => {
    if (!isVault(key)) return;
    office.hsm.before = () => {};
    await stop(id);
  };
  await drive(id);
  expect(vaultSignatures()).toHaveLength(1);
  expect(office.row(id)).toMatchObject({ state, signed: null, hash: null });
  await drive(id);
  await office.reopen();
  await drive(id);
  expect(office.row(id)).toMatchObject({ state, signed: null });
  expect(vaultSignatures()).toHaveLength(1);
  // The nonce that was not used is the next one's; that of an open request is not, and of a frozen vault nothing is proposed.
  const next = await office.propose(OLGA).catch((error: unknown) => (error instanceof Fault ? error.code : ""));
  if (state === "approved") expect(next).toBe("ERR_FROZEN");
  else expect(office.row(next).nonce).toBe(state === "pending" ? 8 : 7);
});

test.each(STOPS)("%s while the HSM is away wins likewise: %s", async (_what, state, stop) => {
  const id = await quorum();
  office.hsm.before = (key) => {
    if (isVault(key)) away();
  };
  await expect(drive(id)).rejects.toMatchObject(fault("ERR_HSM_DOWN"));
  expect(office.row(id).state).toBe("approved");
  await stop(id);
  office.hsm.before = () => {};
  await drive(id);
  expect(office.row(id)).toMatchObject({ state, signed: null });
  expect(vaultSignatures()).toEqual([]);
});

test("after a withdrawal the others can still reach the quorum", async () => {
  const id = await quorum();
  await office.withdraw(ALICE, id);
  await drive(id);
  expect(office.row(id).state).toBe("pending");
  expect(await office.approve(CAROL, id)).toBeUndefined();
  await drive(id);
  await expectSignedOnce(id);
});

test("a signature that does not verify ends the request and is released to nobody", async () => {
  const id = await quorum();
  const real = office.hsm.sign.bind(office.hsm);
  const [vault] = office.desk.journal.vaults();
  office.hsm.sign = async (key, digest) => (key === vault?.id ? new Uint8Array(64).fill(1) : await real(key, digest));
  await drive(id);
  expect(office.row(id)).toMatchObject({ state: "failed", signed: null });
  expect(office.row(id).problem).toContain("does not verify");
  office.hsm.sign = real;
  expect(office.row(await office.propose(OLGA)).nonce).toBe(7);
});

test("a vault key that is gone ends it too", async () => {
  const id = await quorum();
  office.hsm.lose(office.desk.journal.vaults()[0]?.id ?? "");
  await drive(id);
  expect(office.row(id)).toMatchObject({ state: "failed", signed: null });
});

test("a rejection that comes with the broken signature is the rejection", async () => {
  const id = await quorum();
  const real = office.hsm.sign.bind(office.hsm);
  const [vault] = office.desk.journal.vaults();
  office.hsm.sign = async (key, digest) => {
    if (key !== vault?.id) return await real(key, digest);
    await office.reject(CAROL, id);
    return new Uint8Array(64).fill(1);
  };
  await drive(id);
  expect(office.row(id).state).toBe("rejected");
});

test("expired requests end by themselves, once", async () => {
  const id = await issued();
  expect(expireRequests(office.desk)).toEqual([]);
  office.now += 3_600 + 60;
  expect(expireRequests(office.desk)).toEqual([id]);
  expect(expireRequests(office.desk)).toEqual([]);
  expect(office.row(id).state).toBe("expired");
});
