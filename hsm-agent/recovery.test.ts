/** The recovery quorum: after its delay, in sight of everybody, and stopped by an admin. */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Motion } from "../protocol/governance.ts";
import { CLOCK } from "../protocol/message.ts";
import { type Removal } from "../protocol/people.ts";
import { dueRecoveries, expireRequests } from "./advance.ts";
import { run } from "./commands.ts";
import { Office } from "./testing.ts";
import { fault, type Key, makePerson } from "./testing-people.ts";

const [ALICE, BOB, CAROL] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol")];
const [OLGA, RITA, RON] = [makePerson("Olga"), makePerson("Rita"), makePerson("Ron")];
const HOUR = 3_600;
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
const remove = (name: string, removal: Removal = { what: "person" }): Motion => ({
  verb: "REMOVE",
  change: { name, removal },
});
const policy = (contact: string): Motion => ({ verb: "POLICY", change: { policy: { ...office.policy, contact } } });
const command = async (each: Parameters<typeof run>[1]) => {
  const link = { state: "offline" as const, publishRoster: () => {} };
  return await run({ desk: office.desk, link, backups: office.backups, follow: () => {} }, each);
};

async function recovering(): Promise<string> {
  const id = await office.motion(OLGA, remove("Alice"), true);
  for (const person of [RITA, RON]) expect(await office.approve(person, id)).toBeUndefined();
  await office.drive(id);
  return id;
}

test("a recovery takes effect after its delay and not before; everybody sees it from the first minute", async () => {
  const id = await office.motion(OLGA, remove("Alice"), true);
  const receivers = office.sent("oc-request+jws").map(({ receiver }) => receiver);
  for (const { key } of [ALICE, BOB, CAROL, RITA, RON]) expect(receivers).toContain(key.kid);
  expect(office.row(id)).toMatchObject({ notBefore: office.now + 48 * HOUR });
  expect(office.row(id).payload).toContain("recovery not before");
  for (const person of [RITA, RON]) await office.approve(person, id);
  await office.drive(id);
  expect([office.row(id).state, charter().n]).toEqual(["approved", 1]);
  office.now += 48 * HOUR - 1;
  expect([dueRecoveries(office.desk), expireRequests(office.desk)]).toEqual([[], []]);
  await office.reopen();
  await office.drive(id);
  expect([office.row(id).state, charter().n]).toEqual(["approved", 1]);
  office.now += 1;
  expect(dueRecoveries(office.desk)).toEqual([id]);
  await office.drive(id);
  expect([office.row(id).state, charter().n]).toEqual(["enacted", 2]);
  expect(charter().people.members.map(({ name }) => name)).not.toContain("Alice");
  expect(dueRecoveries(office.desk)).toEqual([]);
});

test.each([
  ["an admin", CAROL],
  ["somebody of the recovery", RITA],
])("meanwhile %s can reject it", async (_who, person) => {
  const id = await recovering();
  office.now += 47 * HOUR;
  expect(await office.reject(person, id)).toBeUndefined();
  office.now += HOUR;
  await office.drive(id);
  expect([office.row(id).state, charter().n]).toEqual(["rejected", 1]);
});

test("the one whom it removes cannot stop that", async () => {
  const id = await recovering();
  expect(await office.reject(ALICE, id)).toBe("ERR_APPROVAL_NOT_ELIGIBLE");
  const plain = await office.motion(OLGA, remove("Carol"));
  expect(await office.reject(CAROL, plain)).toBe("ERR_APPROVAL_NOT_ELIGIBLE");
  expect([id, plain].map((each) => office.row(each).state)).toEqual(["approved", "pending"]);
});

test("while the clock is in doubt no recovery takes effect; somebody who may propose confirms it", async () => {
  const id = await recovering();
  // Nobody looked for two days: the agent was off.
  office.now += 48 * HOUR + 1_800;
  await office.reopen();
  await office.drive(id);
  expect([office.row(id).state, charter().n]).toEqual(["approved", 1]);
  expect(await command({ command: "status" })).toMatchObject({ clock: { inDoubtSince: office.now } });
  const confirm = async (key: Key) =>
    await command({ command: "clock.confirm", jws: await office.message(CLOCK, key, {}) });
  await expect(confirm(ALICE.key)).rejects.toMatchObject(fault("ERR_ENVELOPE_KEY"));
  await confirm(OLGA.file);
  await office.drive(id);
  expect([office.row(id).state, charter().n]).toEqual(["enacted", 2]);
});

test("admins do not approve a recovery, nor withdraw from it, and the recovery people decide nothing else", async () => {
  const id = await office.motion(OLGA, remove("Alice"), true);
  for (const person of [ALICE, BOB]) {
    expect(await office.approve(person, id)).toBe("ERR_APPROVAL_NOT_ELIGIBLE");
    expect(await office.withdraw(person, id)).toBe("ERR_APPROVAL_NOT_ELIGIBLE");
  }
  const other = await office.motion(OLGA, remove("Alice"));
  for (const person of [RITA, RON]) expect(await office.approve(person, other)).toBe("ERR_APPROVAL_NOT_ELIGIBLE");
});

test("another change meanwhile makes it void, and the admins can still decide", async () => {
  const id = await recovering();
  await office.enact(OLGA, policy("Somebody"), [BOB, CAROL]);
  office.now += 48 * HOUR;
  await office.drive(id);
  expect([office.row(id).state, charter().n]).toEqual(["void", 2]);
});

test("a recovery that nobody approved in time expires, an hour after its delay", async () => {
  const id = await office.motion(OLGA, remove("Alice"), true);
  office.now += 49 * HOUR + 60;
  expect(expireRequests(office.desk)).toEqual([id]);
});

test("what a recovery cannot do: where no policy names one, and what is not people, policy or identity", async () => {
  const { governance } = office.policy;
  await office.govern(OLGA, { governance: { ...governance, recovery: null } }, [ALICE, BOB]);
  await expect(office.motion(OLGA, remove("Alice"), true)).rejects.toMatchObject(fault("ERR_POLICY_DENIED"));
});
