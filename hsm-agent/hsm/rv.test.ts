import { expect, test } from "vitest";
import { Fault } from "../../protocol/error.ts";
import { ModuleFault, toFault } from "./rv.ts";

const coded = (message: string, code: number) => Object.assign(new Error(message), { code });

test("both shapes of pkcs11js's errors give the same fault", () => {
  const withCode = toFault("C_Sign", coded("CKR_DEVICE_ERROR", 48));
  const without = toFault("C_Sign", new Error("CKR_DEVICE_ERROR:48"));
  expect(withCode).toBeInstanceOf(ModuleFault);
  expect(without).toMatchObject({ code: "ERR_HSM_DOWN", rv: 48, message: withCode.message });
  expect(without.message).toContain("C_Sign: CKR_DEVICE_ERROR 0x30");
});

test.each([
  [0xa0, "ERR_HSM_PIN"],
  [0xa4, "ERR_HSM_PIN"],
  [0x60, "ERR_HSM_KEY_MISSING"],
  [0x70, "ERR_HSM_UNSUPPORTED"],
  [0x140, "ERR_HSM_UNSUPPORTED"],
  [0xd1, "ERR_HSM_KEY_ATTRIBUTES"],
  [0xb3, "ERR_HSM_DOWN"],
  [0x80000001, "ERR_HSM_DOWN"],
])("CK_RV 0x%s means %s", (rv, code) => {
  expect(toFault("C_X", coded("CKR_VENDOR_DEFINED", rv)).code).toBe(code);
});

test("a fault passes unchanged, and the text of any other error goes nowhere", () => {
  const fault = new Fault("ERR_HSM_TOKEN", "x");
  expect(toFault("C_X", fault)).toBe(fault);
  const other = toFault("C_Login", new TypeError("Argument 2: 1234"));
  expect(other.code).toBe("ERR_INTERNAL");
  expect(other.message).not.toContain("1234");
});
