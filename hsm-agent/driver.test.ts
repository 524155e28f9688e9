import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Fault } from "../protocol/error.ts";
import type { Consequence } from "./desk.ts";
import { Driver } from "./driver.ts";
import { freeze, unfreeze } from "./freeze.ts";
import { Office } from "./testing.ts";
import { makePerson } from "./testing-people.ts";

const [ALICE, BOB] = [makePerson("Alice"), makePerson("Bob")];
const OLGA = makePerson("Olga");
/** Milliseconds; only ever waited for. */
const RETRY = 5;
let office: Office;
let driver: Driver;
let followed: Consequence[];
beforeEach(async () => {
  office = await Office.open([ALICE, BOB], 2, OLGA);
  followed = [];
  driver = new Driver(office.desk, (consequence) => followed.push(consequence), RETRY);
});
afterEach(async () => {
  await driver.stop();
  office.dispose();
});

const until = async (done: () => boolean) =>
  await vi.waitFor(() => expect(done()).toBe(true), { timeout: 30_000, interval: 2 });

async function approved(): Promise<string> {
  const id = await office.propose(OLGA);
  driver.drive(id);
  await until(() => office.row(id).state === "pending");
  for (const person of [ALICE, BOB]) await office.approve(person, id);
  return id;
}

test("drives a request from proposal to signature", async () => {
  const id = await approved();
  driver.drive(id);
  await until(() => office.row(id).state === "signed");
});

test("an HSM that is away is asked again until it is back, however many asked", async () => {
  const id = await approved();
  let asked = 0;
  let away = true;
  office.hsm.before = () => {
    asked += 1;
    if (away) throw new Fault("ERR_HSM_DOWN", "The HSM is down.");
  };
  for (let n = 0; n < 20; n += 1) driver.drive(id);
  await until(() => asked > 22);
  away = false;
  await until(() => office.row(id).state === "signed");
});

test("an error that nobody foresaw is tried again too", async () => {
  const id = await approved();
  let failures = 3;
  office.hsm.before = () => {
    if (failures-- > 0) throw new Error("disk I/O error");
  };
  driver.drive(id);
  await until(() => office.row(id).state === "signed");
});

test("a record that was changed is not tried again", async () => {
  const id = await approved();
  await office.reopen((path) => {
    const database = new DatabaseSync(path);
    database.exec("UPDATE requests SET nonce = 99");
    database.close();
  });
  const errors = vi.fn();
  const watched = new Driver({ ...office.desk, log: { ...office.desk.log, error: errors } as never }, () => {}, RETRY);
  watched.drive(id);
  await until(() => errors.mock.calls.length === 1);
  await watched.stop();
  expect(errors).toHaveBeenCalledWith(expect.objectContaining({ request: id, code: "ERR_STATE" }), "request waits");
});

test("a withdrawal while the HSM is away comes to rest", async () => {
  const id = await approved();
  let down = true;
  let asked = 0;
  office.hsm.before = ({ curve }) => {
    if (curve !== "secp256k1") return;
    asked += 1;
    if (down) throw new Fault("ERR_HSM_DOWN", "The HSM is down.");
  };
  driver.drive(id);
  await until(() => asked > 0);
  await office.withdraw(ALICE, id);
  down = false;
  driver.drive(id);
  await until(() => office.row(id).state === "pending" && office.row(id).logged === office.row(id).revision);
  expect(office.row(id).signed).toBeNull();
});

test("a freeze while the signature is made comes to rest, and what was approved goes on when it is lifted", async () => {
  const id = await approved();
  let asked = 0;
  office.hsm.before = ({ curve }) => {
    if (curve !== "secp256k1") return;
    asked += 1;
    if (asked === 1) freeze(office.desk, { vault: null, by: null, of: null });
  };
  driver.drive(id);
  await until(() => asked === 1);
  await driver.stop();
  expect(office.row(id)).toMatchObject({ state: "approved", signed: null });
  unfreeze(office.desk, null);
  const next = new Driver(office.desk, () => {}, RETRY);
  next.drive(id);
  await until(() => office.row(id).state === "signed");
  await next.stop();
});

test("what follows from an act is told, once, and nothing of a request that changes nobody's rights", async () => {
  const id = await approved();
  driver.drive(id);
  await until(() => office.row(id).state === "signed");
  expect(followed).toEqual([]);
  const waiting = await office.propose(OLGA);
  const removal = { what: "role", role: "admin" } as const;
  const policy = { ...office.policy, governance: { ...office.policy.governance, threshold: 1 } };
  const motion = await office.motion(OLGA, { verb: "POLICY", change: { policy } });
  for (const person of [ALICE, BOB]) await office.approve(person, motion);
  driver.drive(motion);
  await until(() => followed.length === 1);
  expect(followed).toEqual([{ requests: [waiting, id], roster: true, rotated: false }]);
  await office.motion(OLGA, { verb: "REMOVE", change: { name: "Bob", removal } });
  expect(followed).toHaveLength(1);
});

test("nothing is begun after the end", async () => {
  const id = await office.propose(OLGA);
  await driver.stop();
  driver.drive(id);
  await driver.stop();
  expect(office.row(id).state).toBe("proposed");
});
