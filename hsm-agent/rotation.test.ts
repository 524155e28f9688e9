/** The HSM's identity: replaced by itself, or where its token is lost by the next one, and never without the devices' quorum. */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Motion } from "../protocol/governance.ts";
import type { PublicJwk } from "../protocol/primitive.ts";
import { run } from "./commands.ts";
import { succeedOn } from "./init.ts";
import { Office } from "./testing.ts";
import { MemoryHsm } from "./testing-hsm.ts";
import { fault, makePerson, VAULT } from "./testing-people.ts";

const [ALICE, BOB, CAROL] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol")];
const [OLGA, RITA, RON] = [makePerson("Olga"), makePerson("Rita"), makePerson("Ron")];
let office: Office;
beforeEach(async () => {
  const recovery = { people: ["Rita", "Ron"], threshold: 2, delay: 48 };
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA, {
    policy: { governance: { threshold: 2, vendors: [], expiresAfter: 60, recovery } },
    roles: [
      [RITA, ["auditor"]],
      [RON, ["auditor"]],
    ],
  });
});
afterEach(() => office.dispose());

const charter = () => office.desk.charter.require();
const policy = (contact: string): Motion => ({ verb: "POLICY", change: { policy: { ...office.policy, contact } } });
const command = async (each: Parameters<typeof run>[1]) => {
  const link = { state: "offline" as const, publishRoster: () => {} };
  return await run({ desk: office.desk, link, backups: office.backups, follow: () => {} }, each);
};

test("ROTATE by the identity in force: the agent serves as the next one, and what was open is void", async () => {
  const old = office.desk.identity;
  const open = await office.propose(OLGA);
  await office.drive(open);
  const { key } = (await command({ command: "rotate.prepare" })) as { key: typeof old.jwk };
  expect(await command({ command: "rotate.prepare" })).toMatchObject({ key });
  const id = await office.motion(OLGA, { verb: "ROTATE", change: { to: key } });
  office.forget();
  for (const person of [ALICE, BOB]) await office.approve(person, id);
  await office.drive(id);
  expect(office.desk.identity.jwk).toEqual(key);
  expect(charter()).toMatchObject({ n: 2, hsm: key });
  expect([office.row(id).state, office.row(open).state]).toEqual(["enacted", "void"]);
  const act = office.sent("oc-act+jws")[0];
  expect(act).toMatchObject({ n: 2, iss: old.signer.kid });
  // Whoever followed the act believes the next identity only: it tells how both requests ended.
  await office.drive(id);
  await office.drive(open);
  const receipts = (await office.receipts()).filter(({ state }) => state === "enacted" || state === "void");
  expect(new Set(receipts.map(({ request }) => request))).toEqual(new Set([id, open]));
  // Opened under the next identity's key alone.
  // It goes on.
  const next = await office.propose(OLGA);
  await office.carry(next, [ALICE, BOB]);
  expect(office.row(next).state).toBe("signed");
  await office.reopen();
  expect(charter().n).toBe(2);
});

test("a message for the identity before is not used, and a receipt of that time is signed anew when it is asked for", async () => {
  const early = await office.propose(OLGA);
  await office.carry(early, [ALICE, BOB]);
  const late = await office.syncOf(ALICE);
  const { key } = (await command({ command: "rotate.prepare" })) as { key: PublicJwk };
  await office.enact(OLGA, { verb: "ROTATE", change: { to: key } }, [ALICE, BOB]);
  await office.settle();
  office.forget();
  expect(await office.deliver(ALICE.key.kid, late)).toEqual({ requests: [], roster: false });
  expect(office.desk.journal.outbox()).toEqual([]);
  await office.deliver(ALICE.key.kid, await office.syncOf(ALICE, [early], 2));
  expect((await office.receipts()).filter(({ receiver }) => receiver === ALICE.key.kid)).toMatchObject([
    { request: early, state: "signed" },
  ]);
});

test("the next identity is of no use before its ROTATE: not made by another, not used for anything else", async () => {
  const before = office.desk.identity.jwk;
  await command({ command: "rotate.prepare" });
  await office.reopen();
  expect(office.desk.identity.jwk).toEqual(before);
  await expect(office.motion(OLGA, { verb: "ROTATE", change: { to: before } })).rejects.toMatchObject(
    fault("ERR_STATE"),
  );
});

/** The token is lost: the same record on a new one, as `opencustody succeed` leaves it. */
async function succeed(): Promise<MemoryHsm> {
  const lost = office.hsm;
  const { journal } = office.desk;
  const fresh = new MemoryHsm();
  await succeedOn(journal, fresh, office.desk.log);
  office.hsm = fresh;
  await office.reopen();
  return lost;
}

test("succession: the next identity is believed by nobody until the devices' quorum has signed", async () => {
  const old = office.desk.identity.signer.kid;
  const open = await office.propose(OLGA);
  await office.drive(open);
  await succeed();
  expect(office.desk.identity.signer.kid).not.toBe(old);
  expect(charter()).toMatchObject({ n: 1 });
  for (const attempt of [
    async () => await office.propose(OLGA),
    async () => await office.motion(OLGA, policy("x")),
    async () => await office.motion(OLGA, { verb: "DRILL", change: { vault: VAULT } }),
  ])
    await expect(attempt()).rejects.toMatchObject(fault("ERR_STATE"));
  // A stop works all the same.
  expect(await office.freeze(CAROL)).toBeUndefined();
  const to = office.desk.identity.jwk;
  const id = await office.motion(OLGA, { verb: "ROTATE", change: { to } });
  await office.approve(ALICE, id);
  await office.drive(id);
  expect(charter().n).toBe(1);
  await office.reopen();
  await office.approve(BOB, id);
  await office.drive(id);
  expect(charter()).toMatchObject({ n: 2, hsm: to });
  expect([office.row(id).state, office.row(open).state]).toEqual(["enacted", "void"]);
  const act = office.sent("oc-act+jws").find(({ n }) => n === 2);
  expect(act).toMatchObject({ iss: office.desk.identity.signer.kid });
  await office.reopen();
  expect(office.desk.journal.freezes()).toHaveLength(1);
  await office.enact(OLGA, { verb: "UNFREEZE", change: { vault: null } }, [ALICE, BOB]);
  await office.enact(OLGA, policy("Somebody"), [ALICE, BOB]);
  expect(charter().n).toBe(4);
});

test("succession: nothing is signed by the new token for what was approved before, and the old token is refused after", async () => {
  const id = await office.propose(OLGA);
  await office.drive(id);
  for (const person of [ALICE, BOB]) await office.approve(person, id);
  const lost = await succeed();
  await office.drive(id).catch(() => {});
  expect(office.row(id).signed).toBeNull();
  await office.enact(OLGA, { verb: "ROTATE", change: { to: office.desk.identity.jwk } }, [ALICE, BOB]);
  expect(office.row(id).state).toBe("void");
  office.hsm = lost;
  await expect(office.reopen()).rejects.toMatchObject({ name: "Fault" });
});

test("succession begins once, on an empty token, and after a founding", async () => {
  const { journal, log } = office.desk;
  await expect(succeedOn(journal, office.hsm, log)).rejects.toMatchObject(fault("ERR_STATE"));
  await succeedOn(journal, new MemoryHsm(), log);
  await expect(succeedOn(journal, new MemoryHsm(), log)).rejects.toMatchObject(fault("ERR_STATE"));
  const { office: draft } = await Office.draft([ALICE], 1, OLGA);
  await expect(succeedOn(draft.desk.journal, new MemoryHsm(), log)).rejects.toMatchObject(fault("ERR_STATE"));
  draft.dispose();
});
