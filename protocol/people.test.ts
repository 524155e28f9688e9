import fc from "fast-check";
import * as v from "valibot";
import { expect, test } from "vitest";
import { isFault } from "./error.ts";
import {
  type Addition,
  addTo,
  canDecide,
  extensionsOf,
  findMember,
  findOwner,
  ownerOfAddress,
  type People,
  PeopleSchema,
  type Removal,
  RolesSchema,
  removeFrom,
  sortRoles,
} from "./people.ts";
import { thumbprint } from "./primitive.ts";
import {
  ADA,
  ADAS_FILE,
  BOB,
  BOBS_DEVICE,
  CAROL,
  CAROLS_DEVICE,
  CAROLS_FILE,
  DAN,
  EVE,
  OLGA,
  STRANGER,
} from "./vectors/keys.ts";
import { ada, bob, carol, FOUNDERS, type Person } from "./vectors/world.ts";

const coded = (code: string): unknown => expect.objectContaining({ name: "Fault", code });
const adding = (name: string, change: Partial<Addition> = {}): Addition => {
  return { name, roles: [], extension: null, file: null, device: null, ...change };
};
const whole = ({ name, key, enrolled }: Person): Addition =>
  adding(name, { roles: ["approver"], extension: key.jwk, device: enrolled });
const GONE = { what: "person" } as const;

test("somebody new, with all that one pairing brings", () => {
  const people = addTo(FOUNDERS, whole(carol));
  expect(people.n).toBe(2);
  expect(findMember(people, "Carol")).toEqual({
    name: "Carol",
    roles: ["approver"],
    extensions: [CAROL.jwk],
    files: [],
    devices: [carol.enrolled],
  });
  expect(canDecide(people, "Carol", "approver")).toBe(true);
  expect(canDecide(people, "Carol", "admin")).toBe(false);
  expect(FOUNDERS.members).toHaveLength(5);
});

test("what is added to somebody known joins what is there, roles in their order", () => {
  const people = addTo(FOUNDERS, adding("Ada", { roles: ["initiator", "approver"], file: CAROLS_FILE.jwk }));
  expect(findMember(people, "Ada")).toMatchObject({
    roles: ["initiator", "approver", "admin"],
    extensions: [ADA.jwk],
    files: [ADAS_FILE.jwk, CAROLS_FILE.jwk],
  });
});

test("a device that is enrolled anew is what was said of it last; nothing new is refused", () => {
  const said = { ...ada.enrolled, vendor: "Trezor" as const, model: "safe5" };
  expect(findMember(addTo(FOUNDERS, adding("Ada", { device: said })), "Ada").devices).toEqual([said]);
  expect(() => addTo(FOUNDERS, adding("Ada", { device: ada.enrolled }))).toThrow(coded("ERR_MEMBER_EXISTS"));
  expect(() => addTo(FOUNDERS, adding("Ada", { roles: ["admin"] }))).toThrow(coded("ERR_MEMBER_EXISTS"));
});

test.each([
  ["another's extension", adding("Zoe", { roles: ["approver"], extension: BOB.jwk }), "ERR_MEMBER_EXISTS"],
  ["one's own extension as a key file", adding("Bob", { file: BOB.jwk }), "ERR_MEMBER_EXISTS"],
  ["a key file as an extension", adding("Bob", { extension: OLGA.jwk }), "ERR_MEMBER_EXISTS"],
  ["one key as both", adding("Bob", { extension: CAROL.jwk, file: CAROL.jwk }), "ERR_DEVICE_LIMIT"],
  ["another's device", adding("Ada", { device: bob.enrolled }), "ERR_DEVICE_TAKEN"],
  ["nobody's role", adding("Zoe", { extension: CAROL.jwk }), "ERR_MEMBER_ROLE"],
  ...["ada", "ADA", "B0b", "0lga"].map((name) => {
    return [`a name like another: ${name}`, adding(name, { roles: ["auditor"] }), "ERR_NAME"] as const;
  }),
] as const)("refused: %s", (_what, addition, code) => {
  expect(() => addTo(FOUNDERS, addition)).toThrow(coded(code));
});

test.each([
  ["somebody unknown", "Zoe", GONE, "ERR_MEMBER_UNKNOWN"],
  ["somebody in another spelling", "bob", GONE, "ERR_MEMBER_UNKNOWN"],
  ["another's browser", "Bob", { what: "browser", key: thumbprint(ADA.jwk) }, "ERR_MEMBER_UNKNOWN"],
  ["a key file as a browser", "Olga", { what: "browser", key: thumbprint(OLGA.jwk) }, "ERR_MEMBER_UNKNOWN"],
  ["another's device", "Ada", { what: "device", address: BOBS_DEVICE.address }, "ERR_DEVICE_UNKNOWN"],
  ["a role that is not had", "Ada", { what: "role", role: "auditor" }, "ERR_MEMBER_ROLE"],
  ["the only role", "Eve", { what: "role", role: "auditor" }, "ERR_MEMBER_ROLE"],
] as const)("not removed: %s", (_what, name, removal, code) => {
  expect(() => removeFrom(FOUNDERS, name, removal)).toThrow(coded(code));
});

test("a removed device's address never goes to another person, and may come back to its own", () => {
  const removals: Removal[] = [GONE, { what: "device", address: BOBS_DEVICE.address }];
  for (const removal of removals) {
    const people = removeFrom(FOUNDERS, "Bob", removal);
    expect(people.former).toEqual([{ name: "Bob", address: BOBS_DEVICE.address }]);
    expect(ownerOfAddress(people, BOBS_DEVICE.address)).toBe("Bob");
    expect(canDecide(people, "Bob", "approver")).toBe(false);
    for (const name of ["Ada", "Carol", "bobby"]) {
      const taken = adding(name, { roles: ["approver"], device: bob.enrolled });
      expect(() => addTo(people, taken)).toThrow(coded("ERR_DEVICE_TAKEN"));
    }
    const back = addTo(people, adding("Bob", { roles: ["approver"], device: bob.enrolled }));
    expect(back.former).toEqual([]);
    expect(findMember(back, "Bob").devices).toEqual([bob.enrolled]);
  }
});

test("keys and roles go one by one", () => {
  const noBrowser = removeFrom(FOUNDERS, "Ada", { what: "browser", key: thumbprint(ADA.jwk) });
  expect(findOwner(noBrowser, thumbprint(ADA.jwk))).toBeUndefined();
  expect(canDecide(noBrowser, "Ada", null)).toBe(false);
  expect(findMember(removeFrom(FOUNDERS, "Ada", { what: "role", role: "admin" }), "Ada").roles).toEqual(["approver"]);
  const file = removeFrom(FOUNDERS, "Olga", { what: "file", key: thumbprint(OLGA.jwk) });
  expect(findMember(file, "Olga").files).toHaveLength(1);
});

test("who owns a key, and of which kind; whose extensions there are", () => {
  expect(findOwner(FOUNDERS, thumbprint(OLGA.jwk))).toMatchObject({ member: { name: "Olga" }, kind: "files" });
  expect(findOwner(FOUNDERS, thumbprint(DAN.jwk))).toMatchObject({ member: { name: "Dan" }, kind: "extensions" });
  expect(findOwner(FOUNDERS, thumbprint(STRANGER.jwk))).toBeUndefined();
  expect(extensionsOf(FOUNDERS, ["Eve", "Olga", "Ada"])).toEqual([thumbprint(EVE.jwk), thumbprint(ADA.jwk)]);
  expect(() => extensionsOf(FOUNDERS, ["Zoe"])).toThrow(coded("ERR_MEMBER_UNKNOWN"));
});

test("8 keys of a kind and 8 devices are the most", () => {
  const key = (at: number) => ({ ...STRANGER.jwk, x: `${String(at).padStart(2, "0")}${STRANGER.jwk.x.slice(2)}` });
  let people = FOUNDERS;
  for (let at = 0; at < 7; at += 1) people = addTo(people, adding("Ada", { extension: key(at) }));
  expect(() => addTo(people, adding("Ada", { extension: key(9) }))).toThrow(coded("ERR_DEVICE_LIMIT"));
  expect(addTo(people, adding("Ada", { file: key(9) })).n).toBe(9);
});

test("200 people are the most", () => {
  const member = (at: number) => ({
    name: `P.${at}x`,
    roles: ["auditor" as const],
    extensions: [],
    files: [],
    devices: [],
  });
  const full = {
    ...FOUNDERS,
    members: [...FOUNDERS.members, ...Array.from({ length: 195 }, (_, at) => member(at + 1000))],
  };
  expect(v.is(PeopleSchema, full)).toBe(true);
  expect(() => addTo(full, adding("Zoe", { roles: ["auditor"] }))).toThrow(coded("ERR_DEVICE_LIMIT"));
});

test("roles: each once, in their order", () => {
  expect(sortRoles(["auditor", "initiator", "admin"])).toEqual(["initiator", "admin", "auditor"]);
  expect(v.is(RolesSchema, [])).toBe(true);
  for (const roles of [["admin", "approver"], ["admin", "admin"], ["owner"]])
    expect(v.is(RolesSchema, roles)).toBe(false);
});

test("whatever is added and removed in whatever order: an address has one owner for ever, a key one owner at a time", () => {
  const names = ["Ada", "Bob", "Carol", "Zoe"];
  const addition = fc.record({
    name: fc.constantFrom(...names),
    roles: fc.constantFrom([], ["approver" as const], ["admin" as const]),
    extension: fc.constantFrom(null, ADA.jwk, BOB.jwk, CAROL.jwk),
    file: fc.constantFrom(null, CAROLS_FILE.jwk),
    device: fc.constantFrom(null, ada.enrolled, bob.enrolled, carol.enrolled),
  });
  const removal = fc.tuple(
    fc.constantFrom(...names),
    fc.constantFrom<Removal>(
      GONE,
      { what: "device", address: BOBS_DEVICE.address },
      { what: "device", address: CAROLS_DEVICE.address },
      { what: "browser", key: thumbprint(ADA.jwk) },
      { what: "role", role: "approver" },
    ),
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(addition, removal), { maxLength: 30 }), (changes) => {
      const owners = new Map<string, string>();
      let people: People = FOUNDERS;
      for (const change of changes) {
        const { n } = people;
        try {
          people = Array.isArray(change) ? removeFrom(people, ...change) : addTo(people, change);
          expect(people.n).toBe(n + 1);
        } catch (error) {
          expect(isFault(error)).toBe(true);
        }
        expect(v.is(PeopleSchema, people)).toBe(true);
        for (const { address } of [ada.enrolled, bob.enrolled, carol.enrolled]) {
          const owner = ownerOfAddress(people, address);
          const before = owners.get(address);
          if (before !== undefined) expect(owner).toBe(before);
          if (owner !== undefined) owners.set(address, owner);
        }
      }
    }),
  );
});
