import { expect, test } from "vitest";
import { addDevice, addKey, confirmDevice, extensionsOf, findMember, findOwner, NOBODY } from "./people.ts";
import { fault, makeKey, makePerson } from "./testing.ts";

const ALICE = makePerson("Alice");
const BOB = makePerson("Bob");
const LEDGER = { vendor: "Ledger", model: "nano-x" } as const;
const two = addKey(
  addKey(NOBODY, "Alice", ["approver"], "extensions", ALICE.key.jwk),
  "Bob",
  ["approver"],
  "extensions",
  BOB.key.jwk,
);

test("every change is a new document with the next number", () => {
  expect(NOBODY).toEqual({ v: 1, n: 1, members: [] });
  expect(two.n).toBe(3);
  const again = addKey(two, "Alice", ["initiator", "approver"], "files", makeKey().jwk);
  expect(again).toMatchObject({
    n: 4,
    members: [{ name: "Alice", roles: ["approver", "initiator"] }, { name: "Bob" }],
  });
  expect(two.members[0]?.files).toEqual([]);
});

test("a key belongs to one person, whatever its kind", () => {
  expect(findOwner(two, ALICE.key.kid)).toMatchObject({ member: { name: "Alice" }, kind: "extensions" });
  expect(findOwner(two, makeKey().kid)).toBeUndefined();
  for (const name of ["Alice", "Bob", "Carol"])
    expect(() => addKey(two, name, ["initiator"], "files", ALICE.key.jwk)).toThrow(
      expect.objectContaining(fault("ERR_MEMBER_EXISTS")),
    );
});

test.each(["ALICE", "AIice", "B0b", "Al1ce"])("%s looks like a member and is refused", (name) => {
  expect(() => addKey(two, name, ["approver"], "extensions", makeKey().jwk)).toThrow(
    expect.objectContaining(fault("ERR_NAME")),
  );
});

test("a device waits for confirmation, and the same again changes nothing", () => {
  const device = { ...LEDGER, address: ALICE.address };
  const pending = addDevice(two, "Alice", device);
  expect(findMember(pending, "Alice").devices).toEqual([{ ...device, state: "pending" }]);
  expect(addDevice(pending, "Alice", device)).toBe(pending);
  const enrolled = confirmDevice(pending, "Alice", ALICE.address);
  expect(findMember(enrolled, "Alice").devices).toEqual([{ ...device, state: "enrolled" }]);
  expect(addDevice(enrolled, "Alice", device)).toBe(enrolled);
});

test("a confirmed device is one person's for ever; one that waits takes it from nobody", () => {
  const device = { ...LEDGER, address: ALICE.address };
  const taken = expect.objectContaining(fault("ERR_DEVICE_TAKEN")) as Error;
  const squatted = addDevice(addDevice(two, "Bob", device), "Alice", device);
  const confirmed = confirmDevice(squatted, "Alice", ALICE.address);
  expect(findMember(confirmed, "Alice").devices).toEqual([{ ...device, state: "enrolled" }]);
  expect(findMember(confirmed, "Bob").devices).toEqual([]);
  expect(() => addDevice(confirmed, "Bob", device)).toThrow(taken);
  expect(() => confirmDevice(addDevice(squatted, "Bob", device), "Zoe", ALICE.address)).toThrow();
});

test("four devices of a person may wait, not more: the document does not grow without end", () => {
  let people = two;
  for (let n = 0; n < 4; n += 1) people = addDevice(people, "Alice", { ...LEDGER, address: makePerson("x").address });
  const fifth = { ...LEDGER, address: ALICE.address };
  expect(() => addDevice(people, "Alice", fifth)).toThrow(expect.objectContaining(fault("ERR_DEVICE_LIMIT")));
  const first = findMember(people, "Alice").devices[0]?.address ?? "";
  expect(findMember(addDevice(confirmDevice(people, "Alice", first), "Alice", fifth), "Alice").devices).toHaveLength(5);
});

test("only an address that the person has is confirmed, and only a member's", () => {
  const pending = addDevice(two, "Alice", { ...LEDGER, address: ALICE.address });
  expect(() => confirmDevice(pending, "Alice", BOB.address)).toThrow(
    expect.objectContaining(fault("ERR_DEVICE_UNKNOWN")),
  );
  expect(() => confirmDevice(pending, "Bob", ALICE.address)).toThrow(
    expect.objectContaining(fault("ERR_DEVICE_UNKNOWN")),
  );
  expect(() => confirmDevice(pending, "Zoe", ALICE.address)).toThrow(
    expect.objectContaining(fault("ERR_MEMBER_UNKNOWN")),
  );
});

test("a request is addressed to all extensions of its people, in order", () => {
  const second = makeKey();
  const people = addKey(two, "Alice", ["approver"], "extensions", second.jwk);
  expect(extensionsOf(people, ["Bob", "Alice"])).toEqual([BOB.key.kid, ALICE.key.kid, second.kid]);
  expect(() => extensionsOf(people, ["Zoe"])).toThrow(expect.objectContaining(fault("ERR_MEMBER_UNKNOWN")));
});
