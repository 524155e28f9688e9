/** A stop: one person sets it, a quorum lifts it, and it holds for whatever has not left the agent. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { FREEZE } from "../protocol/message.ts";
import { run } from "./commands.ts";
import { freeze } from "./freeze.ts";
import { Office } from "./testing.ts";
import { payloadOf } from "./testing-agent.ts";
import { away } from "./testing-hsm.ts";
import { fault, makePerson, VAULT } from "./testing-people.ts";
import { showRequest } from "./views.ts";

const [ALICE, BOB, CAROL] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol")];
const [OLGA, AUDREY] = [makePerson("Olga"), makePerson("Audrey")];
const COLD = "Cold-1";
let office: Office;
beforeEach(async () => {
  const roles = [[AUDREY, ["auditor"]]] as const;
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA, { roles, vaults: [VAULT, COLD] });
});
afterEach(() => office.dispose());

const frozen = () => office.desk.journal.freezes().map(({ vault, by }) => [vault, by]);
const signedOf = async (id: string) => ((await showRequest(office.desk, id)) as { signed?: string | null }).signed;
const thaw = async (vault: string | null) =>
  await office.enact(OLGA, { verb: "UNFREEZE", change: { vault } }, [ALICE, BOB]);

async function pending(): Promise<string> {
  const id = await office.propose(OLGA);
  await office.drive(id);
  return id;
}
/** Approved, and not driven any further. */
async function approved(): Promise<string> {
  const id = await pending();
  for (const person of [ALICE, BOB]) expect(await office.approve(person, id)).toBeUndefined();
  office.hsm.before = ({ curve }) => (curve === "secp256k1" ? away() : undefined);
  await office.drive(id).catch(() => {});
  office.hsm.before = () => {};
  expect(office.row(id).state).toBe("approved");
  return id;
}

test("one approver freezes; everybody is told, and the sender finds their message named", async () => {
  const jws = await office.message(FREEZE, CAROL.key, { vault: VAULT });
  expect(await office.receive(CAROL.key, jws)).toBeUndefined();
  const { jti } = payloadOf(jws);
  const lists = office.sent("oc-freezes+jws");
  expect(lists.map(({ receiver }) => receiver).toSorted()).toEqual(
    [ALICE, BOB, CAROL, AUDREY].map(({ key }) => key.kid).toSorted(),
  );
  for (const list of lists)
    expect(list).toMatchObject({ freezes: [{ vault: VAULT, by: "Carol", at: office.now, of: jti }] });
  expect(await office.freeze(ALICE, VAULT)).toBeUndefined();
  const numbers = office.sent("oc-freezes+jws").map(({ n }) => Number(n));
  expect(Math.max(...numbers)).toBeGreaterThan(Math.min(...numbers));
  // Both find theirs.
  const last = office.sent("oc-freezes+jws").at(-1)?.["freezes"];
  expect(last).toContainEqual({ vault: VAULT, by: "Carol", at: office.now, of: jti });
  expect(last).toContainEqual(expect.objectContaining({ vault: VAULT, by: "Alice" }));
});

test("who may: an approver or an admin, the operator; not an auditor, nor for a vault that is none", async () => {
  expect(await office.freeze(AUDREY)).toBe("ERR_MEMBER_ROLE");
  expect(await office.freeze(ALICE, "Nowhere")).toBe("ERR_VAULT_UNKNOWN");
  expect(frozen()).toEqual([]);
  const link = { state: "offline" as const, publishRoster: () => {} };
  const answer = run(
    { desk: office.desk, link, backups: office.backups, follow: () => {} },
    { command: "freeze", vault: null },
  );
  await expect(answer).resolves.toMatchObject({ freezes: [{ vault: null, by: null, of: null }] });
  await expect(
    run(
      { desk: office.desk, link, backups: office.backups, follow: () => {} },
      { command: "freeze", vault: "Nowhere" },
    ),
  ).rejects.toMatchObject(fault("ERR_VAULT_UNKNOWN"));
});

test("with the HSM away it works at once, for sender and operator, and is told later", async () => {
  const id = await approved();
  office.hsm.before = away;
  expect(await office.freeze(CAROL)).toBeUndefined();
  expect(frozen()).toEqual([[null, "Carol"]]);
  freeze(office.desk, { vault: VAULT, by: null, of: null });
  expect(office.sent("oc-freezes+jws")).toEqual([]);
  office.hsm.before = () => {};
  await office.drive(id);
  expect(office.row(id)).toMatchObject({ state: "approved", signed: null });
  await office.settle();
  expect(office.sent("oc-freezes+jws")).toHaveLength(4);
});

test.each([null, VAULT])(
  "what is frozen (%s) is not proposed and not approved; what was approved waits, also over a restart",
  async (vault) => {
    const [first, second] = [await approved(), await pending()];
    await office.freeze(CAROL, vault);
    await expect(office.propose(OLGA)).rejects.toMatchObject(fault("ERR_FROZEN"));
    expect(await office.approve(ALICE, second)).toBe("ERR_FROZEN");
    for (let n = 0; n < 2; n += 1) {
      await office.drive(first);
      expect(office.row(first)).toMatchObject({ state: "approved", signed: null });
      await office.reopen();
    }
    expect(frozen()).toEqual([[vault, "Carol"]]);
    // A stop of that very request still works.
    expect(await office.reject(BOB, second)).toBeUndefined();
  },
);

test("another vault goes on", async () => {
  const id = await approved();
  await office.freeze(CAROL, COLD);
  await office.drive(id);
  expect(office.row(id).state).toBe("signed");
  expect(await signedOf(id)).toMatch(/^0x02/);
});

test("what is signed and was not handed out is kept back; what was handed out is told again", async () => {
  const [first, second] = [await approved(), await approved()];
  await office.drive(first);
  await office.drive(second);
  const handed = await signedOf(first);
  expect(handed).toMatch(/^0x02/);
  await office.freeze(CAROL, VAULT);
  for (let n = 0; n < 2; n += 1) {
    expect(await signedOf(second)).toBeNull();
    expect(await showRequest(office.desk, second)).toMatchObject({ state: "signed", problem: "Treasury-1 is frozen" });
    expect(await signedOf(first)).toBe(handed);
    await office.reopen();
  }
  await thaw(VAULT);
  expect(await signedOf(second)).toMatch(/^0x02/);
});

test("no command shows the signed form of what is kept back", async () => {
  const id = await approved();
  await office.drive(id);
  const { signed } = office.row(id);
  await office.freeze(CAROL);
  const link = { state: "offline" as const, publishRoster: () => {} };
  for (const command of [
    { command: "request.show", id },
    { command: "request.list" },
    { command: "status" },
    { command: "members.list" },
  ] as const) {
    const answer = await run({ desk: office.desk, link, backups: office.backups, follow: () => {} }, command);
    expect(JSON.stringify(answer)).not.toContain(signed);
  }
  expect(JSON.stringify(await office.receipts())).not.toContain(signed);
});

test("only the admins' quorum lifts it, and then what waited goes on by itself", async () => {
  const id = await approved();
  await office.freeze(CAROL, VAULT);
  const motion = await office.motion(OLGA, { verb: "UNFREEZE", change: { vault: VAULT } });
  await office.approve(ALICE, motion);
  await office.drive(motion);
  expect(frozen()).toHaveLength(1);
  await office.approve(BOB, motion);
  await office.drive(motion);
  expect(frozen()).toEqual([]);
  expect(office.row(id)).toMatchObject({ state: "signed" });
  await office.settle();
  expect(office.sent("oc-freezes+jws").at(-1)).toMatchObject({ freezes: [] });
});

test("what expired meanwhile does not go on", async () => {
  const id = await approved();
  await office.freeze(CAROL);
  office.now += 3_660;
  await thaw(null);
  expect(office.row(id)).toMatchObject({ state: "expired", signed: null });
});

test("a vault's freeze is lifted alone, everything with all", async () => {
  await office.freeze(CAROL, VAULT);
  await office.freeze(CAROL, COLD);
  await office.freeze(ALICE, null);
  await thaw(VAULT);
  expect(frozen()).toEqual([
    [null, "Alice"],
    [COLD, "Carol"],
  ]);
  const id = await office.propose(OLGA).catch(() => "frozen");
  expect(id).toBe("frozen");
  await thaw(null);
  expect(frozen()).toEqual([]);
});

test("there is nothing to lift where nothing is frozen, and no recovery lifts anything", async () => {
  await expect(office.motion(OLGA, { verb: "UNFREEZE", change: { vault: null } })).rejects.toMatchObject(
    fault("ERR_STATE"),
  );
  await office.freeze(CAROL, VAULT);
  await expect(office.motion(OLGA, { verb: "UNFREEZE", change: { vault: COLD } })).rejects.toMatchObject(
    fault("ERR_STATE"),
  );
  await expect(office.motion(OLGA, { verb: "UNFREEZE", change: { vault: VAULT } }, true)).rejects.toMatchObject(
    fault("ERR_POLICY_DENIED"),
  );
});

test("the same freeze again changes nothing; after it was lifted it does not freeze again", async () => {
  const jws = await office.message(FREEZE, CAROL.key, { vault: VAULT });
  await office.receive(CAROL.key, jws);
  const before = office.desk.journal.freezes();
  office.now += 10;
  expect(await office.receive(CAROL.key, jws)).toBeUndefined();
  expect(office.desk.journal.freezes()).toEqual(before);
  expect(office.sent("oc-freezes+jws").at(-1)).toMatchObject({ receiver: CAROL.key.kid });
  await thaw(VAULT);
  expect(await office.receive(CAROL.key, jws)).toBe("ERR_REQUEST_STATE");
  await office.reopen();
  expect(await office.receive(CAROL.key, jws)).toBe("ERR_REQUEST_STATE");
  expect(frozen()).toEqual([]);
});

test("a freeze that is one already is refused, and is none when it is played again after the admins lifted it", async () => {
  await office.freeze(CAROL, VAULT);
  const second = await office.message(FREEZE, CAROL.key, { vault: VAULT });
  expect(await office.receive(CAROL.key, second)).toBe("ERR_FROZEN");
  await thaw(VAULT);
  await office.receive(CAROL.key, second);
  expect(frozen()).toEqual([]);
  // A new one is one.
  expect(await office.freeze(CAROL, VAULT)).toBeUndefined();
  expect(frozen()).toEqual([[VAULT, "Carol"]]);
});

test("a freeze ends what would lift it: those who approved that did not know of it", async () => {
  await office.freeze(CAROL, VAULT);
  const lifting = async (vault: string | null) => {
    const id = await office.motion(OLGA, { verb: "UNFREEZE", change: { vault } });
    await office.approve(ALICE, id);
    return id;
  };
  const [one, all] = [await lifting(VAULT), await lifting(null)];
  await office.freeze(BOB, COLD);
  expect([one, all].map((id) => office.row(id).state)).toEqual(["pending", "void"]);
  await office.freeze(BOB, VAULT);
  expect(office.row(one).state).toBe("void");
  expect(await office.approve(BOB, one)).toBe("ERR_REQUEST_STATE");
  expect(frozen()).toHaveLength(3);
});

test("a freeze ends it even while its act is being signed", async () => {
  await office.freeze(CAROL, VAULT);
  const id = await office.motion(OLGA, { verb: "UNFREEZE", change: { vault: VAULT } });
  for (const person of [ALICE, BOB]) await office.approve(person, id);
  const jws = await office.message(FREEZE, ALICE.key, { vault: VAULT });
  office.hsm.before = async () => {
    office.hsm.before = () => {};
    await office.deliver(ALICE.key.kid, jws);
  };
  await office.drive(id);
  expect(office.row(id).state).toBe("void");
  expect(frozen()).toHaveLength(2);
});

test("a freeze is remembered as long as it could be played again, and no message lives longer", async () => {
  const long = await office.message(FREEZE, CAROL.key, { vault: VAULT }, { exp: office.now + 9 * 86_400 });
  expect(await office.receive(CAROL.key, long)).toBe("ERR_ENVELOPE_EXPIRED");
  expect(frozen()).toEqual([]);
});

test("a freeze that comes while the list is being signed is told too", async () => {
  await office.deliver(CAROL.key.kid, await office.message(FREEZE, CAROL.key, { vault: VAULT }));
  const second = await office.message(FREEZE, ALICE.key, { vault: COLD });
  office.hsm.before = async () => {
    office.hsm.before = () => {};
    await office.deliver(ALICE.key.kid, second);
  };
  await office.settle();
  const { jti } = payloadOf(second);
  for (const { key } of [ALICE, BOB, CAROL, AUDREY]) {
    const last = office
      .sent("oc-freezes+jws")
      .filter(({ receiver }) => receiver === key.kid)
      .at(-1);
    expect(JSON.stringify(last)).toContain(jti);
  }
});

test("changes of people and policy are decided while everything is frozen", async () => {
  await office.freeze(CAROL);
  await office.govern(OLGA, { contact: "Somebody" }, [ALICE, BOB]);
  expect(office.policy.contact).toBe("Somebody");
  expect(frozen()).toEqual([[null, "Carol"]]);
});

test("a freeze outlives whoever set it", async () => {
  await office.freeze(CAROL);
  await office.enact(OLGA, { verb: "REMOVE", change: { name: "Carol", removal: { what: "person" } } }, [ALICE, BOB]);
  expect(frozen()).toEqual([[null, "Carol"]]);
  await expect(office.propose(OLGA)).rejects.toMatchObject(fault("ERR_FROZEN"));
});
