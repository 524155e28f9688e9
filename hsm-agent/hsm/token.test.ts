/** The choice of the token where slots are many, change hands or do not answer: against a module of which every slot is the test's. */
import { expect, test } from "vitest";
import { type Binding, callsOf, type Token } from "./pkcs11.ts";
import { Pool } from "./pool.ts";

interface Stick {
  readonly label: string;
  readonly serial: string;
  readonly pin: string;
}

const OURS: Stick = { label: "ours", serial: "1", pin: "right" };
const THEIRS: Stick = { label: "theirs", serial: "2", pin: "another" };
const USER_PIN_INITIALIZED = 0x8;

/** What a slot holds: a token, or the CKR_ with which C_GetTokenInfo fails there. */
class Reader {
  readonly slots: (Stick | number)[];
  /** By serial: PINs that were tried and refused. */
  readonly refused: string[] = [];
  #logins = new Set<Stick>();

  constructor(...slots: (Stick | number)[]) {
    this.slots = slots;
  }

  /** Whoever pulls a token ends its login. */
  put(slot: number, stick: Stick): void {
    this.slots[slot] = stick;
    this.#logins = new Set();
  }

  get binding(): Binding {
    const at = (slot: Buffer) => this.slots[slot[0] ?? 0];
    const fail = (name: string, rv: number) => Object.assign(new Error(`${name}:${rv}`), { code: rv });
    return {
      C_GetSlotList: () => this.slots.map((_, slot) => Buffer.from([slot])),
      C_GetTokenInfo: (slot: Buffer) => {
        const stick = at(slot);
        if (typeof stick !== "object") throw fail("CKR_OF_THIS_SLOT", stick ?? 3);
        const { label, serial } = stick;
        return { label, serialNumber: serial, manufacturerID: "", model: "", flags: USER_PIN_INITIALIZED };
      },
      C_OpenSession: (slot: Buffer) => slot,
      C_CloseSession: () => undefined,
      C_GetSessionInfo: (slot: Buffer) => ({ state: this.#logins.has(at(slot) as Stick) ? 1 : 0 }),
      C_Login: (slot: Buffer, _: number, pin: string) => {
        const stick = at(slot) as Stick;
        if (pin !== stick.pin) {
          this.refused.push(stick.serial);
          throw fail("CKR_PIN_INCORRECT", 0xa0);
        }
        this.#logins.add(stick);
      },
    } as unknown as Binding;
  }
}

const serialIn = (reader: Reader, choice: { label?: string; serial?: string }): string =>
  callsOf(reader.binding).findToken(choice).serial;

function poolOn(reader: Reader): Pool {
  const module = callsOf(reader.binding);
  const token: Token = module.findToken({ label: OURS.label });
  return new Pool(module, token, OURS.pin, 2);
}

test("reopened, a pool tries its PIN on no other token that is in its token's slot by now", () => {
  const reader = new Reader(OURS);
  const pool = poolOn(reader);
  reader.put(0, THEIRS);
  expect(() => pool.ping()).toThrow("login was lost");
  expect(() => pool.reopen()).toThrow('no token with label "ours" and serial "1"');
  expect(reader.refused).toEqual([]);
  reader.put(0, OURS);
  pool.reopen();
  pool.ping();
});

test("reopened, a pool follows its token to another slot", () => {
  const reader = new Reader(OURS, THEIRS);
  const pool = poolOn(reader);
  reader.put(0, THEIRS);
  reader.put(1, OURS);
  pool.reopen();
  pool.ping();
  expect(reader.refused).toEqual([]);
});

test.each([
  ["TOKEN_NOT_RECOGNIZED", 0xe1],
  ["TOKEN_NOT_PRESENT", 0xe0],
  ["DEVICE_ERROR", 0x30],
])("a slot of others that answers %s hides no token", (_, rv) => {
  expect(serialIn(new Reader(rv, OURS, rv), { label: "ours" })).toBe("1");
  expect(serialIn(new Reader(rv, THEIRS, OURS), { serial: "1" })).toBe("1");
});

test("where the named token is not among those that answer, a slot that does not is the reason", () => {
  expect(() => serialIn(new Reader(THEIRS, 0x30), { label: "ours" })).toThrow("C_GetTokenInfo");
  expect(() => serialIn(new Reader(THEIRS), { label: "ours" })).toThrow('no token with label "ours"');
  expect(() => serialIn(new Reader(OURS, OURS, 0x30), { label: "ours" })).toThrow("2 tokens");
});
