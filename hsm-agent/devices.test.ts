/** A member's further device: it waits, and counts for nothing, until the admins enrol it. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { ENROLMENT, WELCOME } from "../protocol/message.ts";
import { findMember } from "../protocol/people.ts";
import { advance } from "./advance.ts";
import { Office } from "./testing.ts";
import { away } from "./testing-hsm.ts";
import { deviceOf, makeDevice, makePerson, type Person } from "./testing-people.ts";

const [ALICE, BOB, CAROL, DAVE] = [makePerson("Alice"), makePerson("Bob"), makePerson("Carol"), makePerson("Dave")];
const OLGA = makePerson("Olga");
const NOTHING = { requests: [], roster: false };
let office: Office;
let id: string;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB, CAROL], 2, OLGA, { roles: [[DAVE, ["auditor", "approver"]]] });
  id = await office.propose(OLGA);
  await advance(office.desk, id);
});
afterEach(() => office.dispose());

const people = () => office.desk.charter.require().people;

const enrolment = async (person: Person) =>
  await office.message(ENROLMENT, person.key, { ...deviceOf(person), path: "m/44'/60'/7'/0/0" });

test("a further device waits for an ENROLL and stops nobody's requests; again it changes nothing", async () => {
  const before = people();
  const further = { ...DAVE, ...makeDevice() };
  const jws = await enrolment(further);
  expect(await office.deliver(DAVE.key.kid, jws)).toEqual(NOTHING);
  expect(office.row(id).state).toBe("pending");
  expect(office.desk.journal.waitingDevices()).toEqual([{ name: "Dave", device: deviceOf(further) }]);
  expect(await office.deliver(DAVE.key.kid, jws)).toEqual(NOTHING);
  expect(office.desk.journal.waitingDevices()).toHaveLength(1);
  expect(people()).toBe(before);
  await office.settle();
  const devices = [
    { address: DAVE.address, state: "enrolled" },
    { address: further.address, state: "pending" },
  ];
  expect(office.sent(WELCOME.typ).at(-1)).toMatchObject({ receiver: DAVE.key.kid, standing: "member", devices });
});

test("it counts for nothing until then", async () => {
  const further = { ...ALICE, ...makeDevice() };
  expect(await office.enrol(further)).toBeUndefined();
  expect(await office.approve(further, id)).toBe("ERR_APPROVAL_DEVICE");
  const change = { name: "Alice", roles: [], extension: null, file: null, device: deviceOf(further) };
  await office.enact(OLGA, { verb: "ENROLL", change }, [BOB, CAROL]);
  expect(office.desk.journal.waitingDevices()).toEqual([]);
  const next = await office.propose(OLGA);
  await office.drive(next);
  expect(await office.approve(further, next)).toBeUndefined();
});

test("a device that nobody enrolled is not proposed", async () => {
  const change = { name: "Alice", roles: [], extension: null, file: null, device: deviceOf(makePerson("x")) };
  await expect(office.motion(OLGA, { verb: "ENROLL", change })).rejects.toMatchObject({ code: "ERR_DEVICE_UNKNOWN" });
});

test("another person's device is not enrolled, also where that person is gone", async () => {
  expect(await office.enrol({ ...DAVE, address: ALICE.address })).toBe("ERR_DEVICE_TAKEN");
  await office.enact(OLGA, { verb: "REMOVE", change: { name: "Alice", removal: { what: "person" } } }, [BOB, CAROL]);
  expect(await office.enrol({ ...DAVE, address: ALICE.address })).toBe("ERR_DEVICE_TAKEN");
  expect(office.desk.journal.waitingDevices()).toEqual([]);
});

test("four devices of a person may wait, not more: the record does not grow without end", async () => {
  for (let n = 0; n < 4; n += 1) expect(await office.enrol({ ...DAVE, ...makeDevice() })).toBeUndefined();
  expect(await office.enrol({ ...DAVE, ...makeDevice() })).toBe("ERR_DEVICE_LIMIT");
  expect(findMember(people(), "Dave").devices).toHaveLength(1);
});

test("messages are handled while the HSM is away, and answered when it is back", async () => {
  office.hsm.before = away;
  const before = office.sent(WELCOME.typ).length;
  const further = { ...DAVE, ...makeDevice() };
  expect(await office.deliver(DAVE.key.kid, await enrolment(further))).toEqual(NOTHING);
  await expect(office.settle()).rejects.toMatchObject({ code: "ERR_HSM_DOWN" });
  expect(office.desk.journal.waitingDevices()).toHaveLength(1);
  expect(office.sent(WELCOME.typ)).toHaveLength(before);
  office.hsm.before = () => {};
  await office.settle();
  expect(office.sent(WELCOME.typ)).toHaveLength(before + 1);
});
