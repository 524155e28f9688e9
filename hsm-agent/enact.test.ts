/** What changes people, policy and identity: the quorum of the documents before it, in its time, and nothing else. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { applyAct } from "../protocol/charter.ts";
import type { Motion } from "../protocol/governance.ts";
import { CANCELLATION } from "../protocol/message.ts";
import { findMember, type Removal } from "../protocol/people.ts";
import { expireRequests } from "./advance.ts";
import { cancel } from "./proposals.ts";
import { Office } from "./testing.ts";
import { away } from "./testing-hsm.ts";
import { deviceOf, makeDevice, makePerson, VAULT } from "./testing-people.ts";

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

test("with the admins' quorum a motion takes effect, and everybody is told by its act", async () => {
  const id = await office.motion(OLGA, policy("Somebody"));
  expect(office.sent("oc-request+jws")).toHaveLength(5);
  await office.approve(ALICE, id);
  await office.drive(id);
  expect([office.row(id).state, charter().policy.n]).toEqual(["pending", 1]);
  await office.approve(BOB, id);
  await office.drive(id);
  expect([office.row(id).state, charter().policy.n, office.policy.contact]).toEqual(["enacted", 2, "Somebody"]);
  expect(office.sent("oc-act+jws").map(({ receiver }) => receiver)).toHaveLength(5);
  expect((await office.receipts()).at(-1)).toMatchObject({ request: id, state: "enacted" });
  // It takes effect once.
  await office.drive(id);
  expect(charter().n).toBe(2);
});

test("anybody can follow the acts: they carry all that proves them", async () => {
  await office.enact(OLGA, policy("Somebody"), [ALICE, BOB]);
  await office.enact(OLGA, remove("Carol"), [ALICE, BOB]);
  let followed: Awaited<ReturnType<typeof applyAct>>["charter"] | null = null;
  for (const jws of office.desk.journal.acts())
    ({ charter: followed } = await applyAct(followed, jws, office.desk.identity.jwk));
  expect(followed).toEqual(charter());
});

test("neither initiator, auditor nor a person not yet enrolled counts", async () => {
  const id = await office.motion(OLGA, policy("Somebody"));
  for (const person of [RITA, RON]) expect(await office.approve(person, id)).toBe("ERR_APPROVAL_NOT_ELIGIBLE");
  expect(await office.reject(RITA, id)).toBe("ERR_APPROVAL_NOT_ELIGIBLE");
  const file = makePerson("x").file;
  const change = { name: "Alice", roles: [], extension: null, file: file.jwk, device: null };
  await office.reject(CAROL, id);
  await office.enact(OLGA, { verb: "ENROLL", change }, [ALICE, BOB]);
  const own = await office.motion({ ...ALICE, file }, policy("Alices"));
  expect(await office.approve(ALICE, own)).toBe("ERR_APPROVAL_INITIATOR");
  expect(await office.reject(ALICE, own)).toBe("ERR_APPROVAL_INITIATOR");
  await office.approve(BOB, own);
  await office.drive(own);
  expect(office.row(own).state).toBe("pending");
});

test("who withdrew does not count; a rejection, a cancellation or its time ends it", async () => {
  const first = await office.motion(OLGA, policy("First"));
  await office.approve(ALICE, first);
  await office.withdraw(ALICE, first);
  await office.approve(BOB, first);
  await office.drive(first);
  expect(office.row(first).state).toBe("pending");
  expect(await office.reject(CAROL, first)).toBeUndefined();
  const second = await office.motion(OLGA, policy("Second"));
  await cancel(office.desk, await office.message(CANCELLATION, OLGA.file, { request: second }));
  const third = await office.motion(OLGA, policy("Third"));
  office.now += HOUR + 60;
  expect(await office.approve(ALICE, third)).toBe("ERR_REQUEST_EXPIRED");
  expect(expireRequests(office.desk)).toEqual([third]);
  expect([first, second, third].map((id) => office.row(id).state)).toEqual(["rejected", "cancelled", "expired"]);
  expect(charter().n).toBe(1);
});

test.each(["before", "after"])(
  "killed %s the HSM's signature: the act is signed again, and takes effect once",
  async (when) => {
    const id = await office.motion(OLGA, policy("Somebody"));
    for (const person of [ALICE, BOB]) await office.approve(person, id);
    const real = office.hsm.sign.bind(office.hsm);
    office.hsm.sign = async (key, digest) => {
      if (when === "before") return away();
      await real(key, digest);
      throw new Error("killed");
    };
    await expect(office.drive(id)).rejects.toThrow();
    expect(office.row(id).state).toBe("approved");
    office.hsm.sign = real;
    await office.reopen();
    await office.drive(id);
    expect([office.row(id).state, charter().n]).toEqual(["enacted", 2]);
  },
);

const STOPS: [string, (id: string) => Promise<unknown>, string][] = [
  ["a rejection", async (id) => await office.reject(CAROL, id), "rejected"],
  ["a withdrawal", async (id) => await office.withdraw(ALICE, id), "pending"],
  ["its time's end", async () => (office.now += HOUR + 60), "expired"],
];
test.each(STOPS)("%s while the act is being signed wins", async (_what, stop, state) => {
  const id = await office.motion(OLGA, policy("Somebody"));
  for (const person of [ALICE, BOB]) await office.approve(person, id);
  office.hsm.before = async () => {
    office.hsm.before = () => {};
    await stop(id);
  };
  await office.drive(id);
  expect([office.row(id).state, charter().n]).toEqual([state, 1]);
});

test("of two motions that are signed at once one takes effect, and the other is void", async () => {
  const [one, two] = [await office.motion(OLGA, policy("One")), await office.motion(OLGA, policy("Two"))];
  for (const id of [one, two]) for (const person of [ALICE, BOB]) await office.approve(person, id);
  await Promise.all([office.drive(one), office.drive(two)]);
  expect([office.row(one).state, office.row(two).state].toSorted()).toEqual(["enacted", "void"]);
  expect(charter().n).toBe(2);
});

test("of two that change no document both take effect, one after the other", async () => {
  await office.freeze(CAROL, VAULT);
  await office.freeze(CAROL, null);
  const motions = [VAULT, null].map((vault): Motion => ({ verb: "UNFREEZE", change: { vault } }));
  const ids: string[] = [];
  for (const motion of motions) ids.push(await office.motion(OLGA, motion));
  for (const id of ids) for (const person of [ALICE, BOB]) await office.approve(person, id);
  await Promise.all(ids.map(async (id) => await office.drive(id)));
  expect(ids.map((id) => office.row(id).state)).toEqual(["enacted", "enacted"]);
  expect(charter().n).toBe(3);
  await office.reopen();
  expect(charter().n).toBe(3);
});

test("a change of people or policy makes every open request void, and everybody concerned is told", async () => {
  const transfer = await office.propose(OLGA);
  await office.drive(transfer);
  await office.approve(ALICE, transfer);
  const drill = await office.motion(OLGA, { verb: "DRILL", change: { vault: VAULT } });
  const issued = await office.propose(OLGA);
  office.forget();
  await office.enact(OLGA, remove("Carol"), [ALICE, BOB]);
  for (const id of [transfer, drill, issued]) {
    expect(office.row(id).state).toBe("void");
    // Nobody was asked for it yet.
    if (id === issued) continue;
    const told = (await office.receipts()).filter(({ request }) => request === id);
    expect(told).toContainEqual(expect.objectContaining({ state: "void", receiver: BOB.key.kid }));
  }
  expect(await office.approve(BOB, transfer)).toBe("ERR_REQUEST_STATE");
  expect(office.row(await office.propose(OLGA)).nonce).toBe(7);
});

test("everything of a person can be taken and given by the admins: role, browser, device, key file", async () => {
  const extra = { ...CAROL, ...makeDevice(), vendor: "Trezor" as const };
  await office.enrol(extra);
  const add = {
    name: "Carol",
    roles: ["initiator" as const],
    extension: null,
    file: CAROL.file.jwk,
    device: deviceOf(extra),
  };
  await office.enact(OLGA, { verb: "ENROLL", change: add }, [ALICE, BOB]);
  expect(findMember(charter().people, "Carol")).toMatchObject({
    roles: ["initiator", "approver", "admin"],
    devices: [{}, {}],
  });
  const removals: Removal[] = [
    { what: "role", role: "approver" },
    { what: "device", address: CAROL.address },
    { what: "file", key: CAROL.file.kid },
    { what: "browser", key: CAROL.key.kid },
  ];
  for (const removal of removals) await office.enact(OLGA, remove("Carol", removal), [ALICE, BOB]);
  expect(findMember(charter().people, "Carol")).toEqual({
    name: "Carol",
    roles: ["initiator", "admin"],
    extensions: [],
    files: [],
    devices: [deviceOf(extra)],
  });
  expect(charter().people.former).toEqual([{ name: "Carol", address: CAROL.address }]);
});
