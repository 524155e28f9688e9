/** Before the founding nothing works but what leads to it. */
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  APPROVAL,
  CANCELLATION,
  CLOCK,
  INVITATION,
  MOTION,
  PROPOSAL,
  REJECTION,
  VOUCH,
  WITHDRAWAL,
} from "../protocol/message.ts";
import { run } from "./commands.ts";
import type { Command } from "./control.ts";
import type { Consequence } from "./desk.ts";
import { confirmFounder } from "./founding.ts";
import { cancel, propose } from "./proposals.ts";
import { Office } from "./testing.ts";
import { fault, type Key, makeKey, makePerson, NETWORK, newJti, type Person, TO, VAULT } from "./testing-people.ts";

const [ALICE, BOB, AUDREY] = [makePerson("Alice"), makePerson("Bob"), makePerson("Audrey")];
const OLGA = makePerson("Olga");
const FOUNDERS = [ALICE, BOB, AUDREY];
const WRONG = "abacus abacus abacus abacus abacus abacus";
const ID = "01JDA7Q9T2M4XYZ0";
let office: Office;
let invites: Map<Person, Key>;
beforeEach(async () => {
  ({ office, invites } = await Office.draft([ALICE, BOB], 2, OLGA, { roles: [[AUDREY, ["auditor"]]] }));
});
afterEach(() => office.dispose());

const command = async (each: Command): Promise<unknown> => {
  const followed: Consequence[] = [];
  const link = { state: "offline" as const, publishRoster: () => {} };
  return await run({ desk: office.desk, link, backups: office.backups, follow: (one) => followed.push(one) }, each);
};

async function joinAll(): Promise<void> {
  for (const [person, key] of invites) await office.join(person, key);
}

const COMMANDS: Record<Command["command"], { make: () => Promise<Command> | Command; code: string | null }> = {
  status: { make: () => ({ command: "status" }), code: null },
  found: { make: () => ({ command: "found" }), code: "ERR_FOUNDING" },
  invite: {
    make: async () => {
      const body = { name: "Eve", roles: ["approver" as const], key: makeKey().jwk, until: office.now + 60 };
      return { command: "invite", jws: await office.message(INVITATION, OLGA.file, body) };
    },
    code: "ERR_FOUNDING",
  },
  "pairing.confirm": { make: () => ({ command: "pairing.confirm", name: "Eve", words: WRONG }), code: "ERR_PAIRING" },
  "pairing.vouch": {
    make: async () => {
      const body = { name: "Alice", words: WRONG, recovery: false };
      return { command: "pairing.vouch", jws: await office.message(VOUCH, OLGA.file, body) };
    },
    code: "ERR_FOUNDING",
  },
  "found.invite": { make: () => ({ command: "found.invite", name: "Olga" }), code: "ERR_MEMBER_UNKNOWN" },
  "clock.confirm": {
    make: async () => ({ command: "clock.confirm", jws: await office.message(CLOCK, OLGA.file, {}) }),
    code: "ERR_FOUNDING",
  },
  "members.list": { make: () => ({ command: "members.list" }), code: null },
  motion: {
    make: async () => {
      const body = { motion: { verb: "DRILL" as const, change: { vault: VAULT } }, recovery: false };
      return { command: "motion", jws: await office.message(MOTION, OLGA.file, body) };
    },
    code: "ERR_FOUNDING",
  },
  "vault.create": {
    make: () => ({ command: "vault.create", name: "Second", backup: "none", nonces: [] }),
    code: "ERR_FOUNDING",
  },
  "vault.list": { make: () => ({ command: "vault.list" }), code: null },
  "vault.nonce": {
    make: () => ({ command: "vault.nonce", name: VAULT, network: "eip155:10", nonce: 0 }),
    code: "ERR_FOUNDING",
  },
  "policy.show": { make: () => ({ command: "policy.show", n: null }), code: "ERR_FOUNDING" },
  freeze: { make: () => ({ command: "freeze", vault: null }), code: "ERR_FOUNDING" },
  "rotate.prepare": { make: () => ({ command: "rotate.prepare" }), code: "ERR_FOUNDING" },
  "request.propose": {
    make: async () => ({ command: "request.propose", jws: await proposal() }),
    code: "ERR_FOUNDING",
  },
  "request.cancel": {
    make: async () => ({
      command: "request.cancel",
      jws: await office.message(CANCELLATION, OLGA.file, { request: ID }),
    }),
    code: "ERR_FOUNDING",
  },
  backup: { make: () => ({ command: "backup", path: join(office.folder, "backup.db") }), code: "ERR_FOUNDING" },
  "restore.show": { make: () => ({ command: "restore.show" }), code: "ERR_FOUNDING" },
  "proof.export": { make: () => ({ command: "proof.export", id: "0000000000000000" }), code: "ERR_REQUEST_UNKNOWN" },
  "log.head": { make: () => ({ command: "log.head" }), code: null },
  "log.page": { make: () => ({ command: "log.page", from: 0 }), code: null },
  "request.list": { make: () => ({ command: "request.list" }), code: null },
  "request.show": { make: () => ({ command: "request.show", id: ID }), code: "ERR_REQUEST_UNKNOWN" },
};

async function proposal(): Promise<string> {
  const gas = { limit: "21000", maxFeePerGas: "1", maxPriorityFeePerGas: "1" };
  const body = { vault: VAULT, network: NETWORK, asset: "ETH", amount: "1", to: TO, gas };
  return await office.message(PROPOSAL, OLGA.file, body);
}

test.each(Object.entries(COMMANDS))("before the founding: the command %s", async (_name, { make, code }) => {
  await joinAll();
  const keys = (await office.hsm.keys()).length;
  const answer = command(await make());
  if (code === null) await answer;
  else await expect(answer).rejects.toMatchObject(fault(code));
  expect(await office.hsm.keys()).toHaveLength(keys);
  expect(office.desk.journal.requests()).toEqual([]);
  expect(office.desk.journal.freezes()).toEqual([]);
});

test("nor is there another way in than the command", async () => {
  await expect(propose(office.desk, await proposal())).rejects.toMatchObject(fault("ERR_FOUNDING"));
  const jws = await office.message(CANCELLATION, OLGA.file, { request: ID });
  await expect(cancel(office.desk, jws)).rejects.toMatchObject(fault("ERR_FOUNDING"));
  await expect(office.motion(OLGA, { verb: "ROTATE", change: { to: makeKey().jwk } })).rejects.toMatchObject(
    fault("ERR_FOUNDING"),
  );
});

test("before the founding: what a browser that is pairing sends", async () => {
  await joinAll();
  const about = { request: ID, digest: "0".repeat(64) };
  expect(await office.sync(ALICE)).toBeUndefined();
  expect(await office.enrol(ALICE)).toBeUndefined();
  expect(await office.freeze(ALICE)).toBe("ERR_FOUNDING");
  expect(await office.freeze(ALICE, VAULT)).toBe("ERR_FOUNDING");
  const messages = [
    await office.message(REJECTION, ALICE.key, { ...about, reason: "other" }),
    await office.message(WITHDRAWAL, ALICE.key, about),
    await office.message(APPROVAL, ALICE.key, {
      ...about,
      address: ALICE.address,
      signature: ALICE.sign("x"),
      log: null,
    }),
  ];
  for (const jws of messages) expect(await office.receive(ALICE.key, jws)).toBe("ERR_REQUEST_UNKNOWN");
  expect(office.sent("oc-act+jws")).toEqual([]);
  expect(office.sent("oc-freezes+jws")).toEqual([]);
  // Somebody whom the founding does not name.
  office.desk.journal.addPairing(
    {
      kid: OLGA.key.kid,
      jti: newJti(),
      name: "Olga",
      roles: [],
      inviter: null,
      key: OLGA.key.jwk,
      seal: OLGA.seal.jwk,
    },
    office.now,
  );
  for (const person of FOUNDERS) await confirmFounder(office.desk, person.name, office.words(person));
  const [row] = office.desk.journal.requests(["proposed"]);
  await office.drive(row?.id ?? "");
  expect(await office.approve(OLGA, row?.id ?? "")).toBe("ERR_APPROVAL_NOT_ELIGIBLE");
  expect(await office.reject(OLGA, row?.id ?? "")).toBe("ERR_APPROVAL_NOT_ELIGIBLE");
});
