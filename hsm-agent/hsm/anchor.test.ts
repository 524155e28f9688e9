/** The anchor's objects against SoftHSM, in this process. Through the child: anchor-owner.test.ts. */

import pkcs11js from "pkcs11js";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { makeSoftHsm, type SoftHsm } from "../../test/softhsm.ts";
import { readAnchor, writeAnchor } from "./anchor.ts";
import { DATA, type Module, openModule, type Session, type Template, type Token } from "./pkcs11.ts";
import { fromRv } from "./rv.ts";

let soft: SoftHsm;
let module: Module;
let token: Token;
let session: Session;

beforeAll(() => {
  soft = makeSoftHsm();
  process.env["SOFTHSM2_CONF"] = soft.env.SOFTHSM2_CONF;
  module = openModule(soft.module);
  token = module.findToken({ label: soft.tokenLabel });
  session = module.openSession(token, "read-write");
  module.login(session, token, soft.pin);
});

afterEach(() => {
  for (const object of module.find(session, { CLASS: DATA }, 1000)) module.destroy(session, object);
});

afterAll(() => {
  module.close();
  soft.dispose();
});

const NAME: Template = { CLASS: DATA, TOKEN: true, APPLICATION: "OpenCustody", LABEL: "OpenCustody anchor" };
const plant = (value: string, changes: Template = {}) =>
  module.create(session, { ...NAME, PRIVATE: true, VALUE: Buffer.from(value, "latin1"), ...changes });
/** The values of all anchor objects. */
const stored = () =>
  module.find(session, NAME, 1000).map((object) => module.read(session, object, "VALUE").toString("latin1"));
/** `now` in ms: by default a clock so far back that the next number is one more. */
const write = (text: string, through = module, now = 0) => writeAnchor(through, session, text, now);
const read = () => readAnchor(module, session);
const refused = (code: string): unknown => expect.objectContaining({ code });

test("there is none, then the one written last, under the next number", () => {
  expect(read()).toBeUndefined();
  write("first");
  expect([read(), stored()]).toEqual(["first", ["v1 1 first"]]);
  write(" ~ ");
  expect([read(), stored()]).toEqual([" ~ ", ["v1 2  ~ "]]);
  write("x".repeat(2048));
  expect(read()).toBe("x".repeat(2048));
});

test("a write that was given up and lands late does not count, and stops nobody", () => {
  write("before", module, 1_000);
  // What the HSM was given at 2,000, and did not do yet.
  const late: Template[] = [];
  const hanging: Module = {
    ...module,
    create: (_, template) => {
      late.push(template);
      throw fromRv("C_CreateObject", 0x30);
    },
  };
  expect(() => write("late", hanging, 2_000)).toThrow(refused("ERR_HSM_DOWN"));
  write("newer", module, 3_000);
  for (const template of late) module.create(session, template);
  expect([read(), stored().toSorted()]).toEqual(["newer", ["v1 2000 late", "v1 3000 newer"]]);
  // The clock went back: never below what is there.
  write("newest", module, 5);
  expect(stored()).toEqual(["v1 3001 newest"]);
});

test("the object is the token's, private and cannot be changed", () => {
  write("x");
  const [object] = module.find(session, NAME, 2);
  if (object === undefined) throw new Error("no anchor");
  const is = (name: "TOKEN" | "PRIVATE" | "MODIFIABLE") => module.read(session, object, name)[0];
  expect([is("TOKEN"), is("PRIVATE"), is("MODIFIABLE")]).toEqual([1, 1, 0]);
  const raw = new pkcs11js.PKCS11();
  raw.load(soft.module);
  const change = () => raw.C_SetAttributeValue(session, object, [{ type: pkcs11js.CKA_VALUE, value: "v1 1 y" }]);
  expect(change).toThrow(/CKR_/);
});

test("without a login it is hidden, and that is not taken for none", () => {
  write("x");
  const raw = new pkcs11js.PKCS11();
  raw.load(soft.module);
  raw.C_Logout(session);
  try {
    expect(module.find(session, NAME, 2)).toEqual([]);
    expect(read).toThrow(refused("ERR_HSM_DOWN"));
    expect(() => write("y")).toThrow(refused("ERR_HSM_DOWN"));
  } finally {
    module.login(session, token, soft.pin);
  }
  expect(stored()).toEqual(["v1 1 x"]);
});

test.each(["v1 9 old", "v1 10 old"])(
  "after a crash between making and destroying the highest number counts: %s",
  (other) => {
    plant(other);
    plant("v1 11 new");
    plant("v1 2 oldest");
    expect(read()).toBe("new");
    write("newer");
    expect(stored()).toEqual(["v1 12 newer"]);
  },
);

test("nothing older goes before the new one was read back, and what a crash leaves is readable", () => {
  write("old");
  const calls: string[] = [];
  const dying: Module = {
    ...module,
    create: (...call) => {
      calls.push("create");
      return module.create(...call);
    },
    read: (...call) => {
      calls.push("read");
      return module.read(...call);
    },
    destroy: () => {
      calls.push("destroy");
      throw fromRv("C_DestroyObject", 0x30);
    },
  };
  expect(() => write("new", dying)).toThrow(refused("ERR_HSM_DOWN"));
  const after = calls.slice(calls.indexOf("create") + 1);
  expect(after).toEqual(["read", "read", "read", "read", "destroy"]);
  expect(stored().toSorted()).toEqual(["v1 1 old", "v1 2 new"]);
  expect(read()).toBe("new");
  write("newest");
  expect(stored()).toEqual(["v1 3 newest"]);
});

test("a new object that does not read back leaves the old one", () => {
  write("old");
  const forgetful: Module = { ...module, create: (...[s]) => module.create(s, { CLASS: DATA, TOKEN: false }) };
  expect(() => write("new", forgetful)).toThrow(refused("ERR_HSM_KEY_ATTRIBUTES"));
  expect(read()).toBe("old");
});

const MALFORMED = [
  "",
  "v1 1 ",
  "v1 1",
  "v2 1 x",
  "V1 1 x",
  "v1 0 x",
  "v1 01 x",
  "v1 -1 x",
  "v1 1e3 x",
  "v1  1 x",
  " v1 1 x",
  "v1 1 x\n",
  "v1 1 x\ny",
  "v1 1 \u00e9",
  "v1 1 x\0",
  "v1 1000000000000000 x",
  `v1 1 ${"x".repeat(2049)}`,
];

test.each(MALFORMED.map((value) => [value.slice(0, 24), value] as const))(
  "a malformed anchor is refused, whatever is beside it, and not quoted: %j",
  (_, value) => {
    plant("v1 500 secret");
    plant(value);
    for (const call of [read, () => write("y")]) {
      expect(call).toThrow(refused("ERR_HSM_KEY_ATTRIBUTES"));
      expect(call).not.toThrow("secret");
    }
    expect(stored()).toHaveLength(2);
  },
);

test("an anchor that needs no login is refused: anybody could have made it", () => {
  write("x");
  plant("v1 99 y", { PRIVATE: false });
  expect(read).toThrow(refused("ERR_HSM_KEY_ATTRIBUTES"));
  expect(() => write("z")).toThrow(refused("ERR_HSM_KEY_ATTRIBUTES"));
});

test("two texts under the highest number are refused; the same text twice, or two lower ones, are not", () => {
  plant("v1 3 a");
  plant("v1 3 b");
  expect(read).toThrow(refused("ERR_HSM_KEY_AMBIGUOUS"));
  expect(() => write("c")).toThrow(refused("ERR_HSM_KEY_AMBIGUOUS"));
  plant("v1 4 d");
  plant("v1 4 d");
  expect(read()).toBe("d");
  write("e");
  expect(stored()).toEqual(["v1 5 e"]);
});

test("a listing is never cut short, and the last number is not passed", () => {
  for (let n = 1; n <= 100; n += 1) plant(`v1 ${n} x`);
  expect(read()).toBe("x");
  plant("v1 101 x");
  expect(read).toThrow(refused("ERR_HSM_KEY_AMBIGUOUS"));
  for (const object of module.find(session, NAME, 1000)) module.destroy(session, object);
  plant("v1 999999999999999 x");
  expect(read()).toBe("x");
  expect(() => write("y")).toThrow(refused("ERR_HSM_KEY_ATTRIBUTES"));
});

test("another program's write in between is noticed", () => {
  const racing: Module = {
    ...module,
    create: (s, template) => {
      plant("v1 2 theirs");
      return module.create(s, template);
    },
  };
  expect(() => write("ours", racing)).toThrow(refused("ERR_HSM_KEY_AMBIGUOUS"));
  expect(stored().toSorted()).toEqual(["v1 1 ours", "v1 2 theirs"]);
});

test("an object that goes between search and reading is looked for once more, and need not be destroyed", () => {
  write("x");
  const gone = (times: number): Module => ({
    ...module,
    read: (...call) => {
      times -= 1;
      if (times >= 0) throw fromRv("C_GetAttributeValue", 0x82);
      return module.read(...call);
    },
  });
  expect(readAnchor(gone(1), session)).toBe("x");
  expect(() => readAnchor(gone(2), session)).toThrow(refused("ERR_HSM_KEY_MISSING"));
  const late: Module = {
    ...module,
    destroy: (...call) => {
      module.destroy(...call);
      module.destroy(...call);
    },
  };
  write("y", late);
  expect(stored()).toEqual(["v1 2 y"]);
});

test("a token that takes no CKA_MODIFIABLE gets the object without it, and only that", () => {
  const templates: Template[] = [];
  const older: Module = {
    ...module,
    create: (s, template) => {
      templates.push(template);
      if ("MODIFIABLE" in template) throw fromRv("C_CreateObject", 0x12);
      return module.create(s, template);
    },
  };
  write("x", older);
  const [first, second] = templates;
  expect({ ...second, MODIFIABLE: false }).toEqual(first);
  expect(read()).toBe("x");
});
