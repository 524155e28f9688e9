/** Keys against SoftHSM, in this process: what only the child may do otherwise. */

import { randomBytes } from "node:crypto";
import pkcs11js from "pkcs11js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeSoftHsm, type SoftHsm } from "../../test/softhsm.ts";
import { decodePoint, findKey, generateKey, listKeyIds } from "./keys.ts";
import {
  type Attribute,
  EC_KEY,
  type Module,
  type ObjectHandle,
  openModule,
  PRIVATE_KEY,
  type Session,
  type Template,
  type Token,
} from "./pkcs11.ts";
import { Pool } from "./pool.ts";
import { fromRv } from "./rv.ts";
import type { KeyRequest } from "./wire.ts";

let soft: SoftHsm;
let module: Module;
let token: Token;
let session: Session;

const VAULT: KeyRequest = { curve: "secp256k1", label: "Treasury-1", backup: "none" };

beforeAll(() => {
  soft = makeSoftHsm();
  process.env["SOFTHSM2_CONF"] = soft.env.SOFTHSM2_CONF;
  module = openModule(soft.module);
  token = module.findToken({ label: soft.tokenLabel });
  session = module.openSession(token, "read-write");
  module.login(session, token, soft.pin);
});

afterAll(() => {
  module.close();
  soft.dispose();
});

const isTrue = (handle: ObjectHandle, attribute: Attribute) => module.read(session, handle, attribute)[0] === 1;
const find = (id: Buffer) => module.find(session, { CLASS: PRIVATE_KEY, ID: id }, 10);

test("a second login of the same process is a success", () => {
  expect(() => module.login(session, token, soft.pin)).not.toThrow();
});

test.each(["P-256", "secp256k1"] as const)("a %s key has every attribute that its template says", async (curve) => {
  const id = randomBytes(16);
  const { key, handle } = await generateKey(module, session, id, { curve, label: "x", backup: "none" });
  expect(key).toMatchObject({ id: id.toString("hex"), curve, label: "x", backup: "none" });
  expect(key.publicKey).toHaveLength(65);
  const yes = ["TOKEN", "PRIVATE", "SENSITIVE", "SIGN", "LOCAL", "ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE"] as const;
  for (const attribute of yes) expect([attribute, isTrue(handle, attribute)]).toEqual([attribute, true]);
  const no = ["EXTRACTABLE", "DERIVE", "DECRYPT", "UNWRAP", "MODIFIABLE", "COPYABLE"] as const;
  for (const attribute of no) expect([attribute, isTrue(handle, attribute)]).toEqual([attribute, false]);
  expect((await findKey(module, session, key.id)).key).toEqual(key);
});

test("a wrappable key says so, and no key that the agent can make wraps it", async () => {
  const { key, handle } = await generateKey(module, session, randomBytes(16), { ...VAULT, backup: "wrap" });
  expect(key.backup).toBe("wrap");
  expect(isTrue(handle, "EXTRACTABLE")).toBe(true);
  expect(isTrue(handle, "WRAP_WITH_TRUSTED")).toBe(true);
  const raw = new pkcs11js.PKCS11();
  raw.load(soft.module);
  const aes = raw.C_GenerateKey(session, { mechanism: pkcs11js.CKM_AES_KEY_GEN }, [
    { type: pkcs11js.CKA_TOKEN, value: false },
    { type: pkcs11js.CKA_VALUE_LEN, value: 32 },
    { type: pkcs11js.CKA_WRAP, value: true },
  ]);
  const wrap = () => raw.C_WrapKey(session, { mechanism: 0x210a }, aes, handle, Buffer.alloc(512));
  expect(wrap).toThrow("CKR_KEY_NOT_WRAPPABLE");
});

test("two keys with one id are an error, and neither is taken", async () => {
  const id = randomBytes(16);
  await generateKey(module, session, id, VAULT);
  await generateKey(module, session, id, VAULT);
  await expect(findKey(module, session, id.toString("hex"))).rejects.toMatchObject({ code: "ERR_HSM_KEY_AMBIGUOUS" });
});

test("an id that is not there is missing", async () => {
  await expect(findKey(module, session, "00".repeat(16))).rejects.toMatchObject({ code: "ERR_HSM_KEY_MISSING" });
});

test("without a login keys are hidden, and that is not taken for missing ones", async () => {
  const { key } = await generateKey(module, session, randomBytes(16), VAULT);
  const pool = new Pool(module, token, soft.pin, 2);
  const raw = new pkcs11js.PKCS11();
  raw.load(soft.module);
  raw.C_Logout(session);
  try {
    await expect(findKey(module, session, key.id)).rejects.toMatchObject({ code: "ERR_HSM_DOWN" });
    expect(() => listKeyIds(module, session)).toThrow("login was lost");
    expect(() => pool.ping()).toThrow("login was lost");
    await expect(pool.list()).rejects.toMatchObject({ code: "ERR_HSM_DOWN" });
    pool.reopen();
    expect(await pool.list()).toContainEqual(key);
  } finally {
    module.login(session, token, soft.pin);
  }
});

test.each<[string, Template]>([
  ["extractable without a trusted key", { SENSITIVE: true, EXTRACTABLE: true, SIGN: true, MODIFIABLE: false }],
  ["not sensitive", { SENSITIVE: false, EXTRACTABLE: false, SIGN: true, MODIFIABLE: false }],
  ["able to derive", { SENSITIVE: true, EXTRACTABLE: false, SIGN: true, DERIVE: true, MODIFIABLE: false }],
  ["modifiable", { SENSITIVE: true, EXTRACTABLE: false, SIGN: true, DERIVE: false, MODIFIABLE: true }],
])("a key made elsewhere that is %s is not used", async (_, template) => {
  const id = randomBytes(16);
  const params = Buffer.from("06052b8104000a", "hex");
  await module.generateEcKeyPair(
    session,
    { TOKEN: true, EC_PARAMS: params, ID: id },
    { TOKEN: true, PRIVATE: true, DECRYPT: false, UNWRAP: false, ID: id, DERIVE: false, ...template },
  );
  const found = findKey(module, session, id.toString("hex"));
  await expect(found).rejects.toMatchObject({ code: "ERR_HSM_KEY_ATTRIBUTES" });
});

test("a new key whose attributes read back wrong is destroyed", async () => {
  const lying: Module = {
    ...module,
    read: (s, object, attribute) =>
      attribute === "NEVER_EXTRACTABLE" ? Buffer.from([0]) : module.read(s, object, attribute),
  };
  const id = randomBytes(16);
  await expect(generateKey(lying, session, id, VAULT)).rejects.toMatchObject({ code: "ERR_HSM_KEY_ATTRIBUTES" });
  expect(find(id)).toEqual([]);
});

test.each<[string, (signature: Buffer) => Buffer]>([
  ["wrong", (signature) => Buffer.from(signature.map((byte) => byte ^ 1))],
  ["short", (signature) => signature.subarray(1)],
])("a new key whose signature is %s is destroyed", async (_, alter) => {
  const broken: Module = { ...module, sign: async (...call) => alter(await module.sign(...call)) };
  const id = randomBytes(16);
  await expect(generateKey(broken, session, id, VAULT)).rejects.toMatchObject({ code: "ERR_HSM_SIGNATURE" });
  expect(find(id)).toEqual([]);
});

test("a module that does not know CKA_COPYABLE gets the template without it, and only that", async () => {
  const templates: Template[] = [];
  const older: Module = {
    ...module,
    generateEcKeyPair: async (s, publicKey, privateKey) => {
      templates.push(privateKey);
      if ("COPYABLE" in privateKey) throw fromRv("C_GenerateKeyPair", 0x12);
      return module.generateEcKeyPair(s, publicKey, privateKey);
    },
  };
  await generateKey(older, session, randomBytes(16), VAULT);
  const [first, second] = templates;
  expect({ ...second, COPYABLE: false }).toEqual(first);
});

test("listing leaves out ids of another length", async () => {
  const params = Buffer.from("06052b8104000a", "hex");
  const id = Buffer.from("ab", "hex");
  await module.generateEcKeyPair(session, { TOKEN: true, EC_PARAMS: params, ID: id }, { TOKEN: true, ID: id });
  expect(module.find(session, { CLASS: PRIVATE_KEY, KEY_TYPE: EC_KEY, ID: id }, 2)).toHaveLength(1);
  expect(listKeyIds(module, session)).not.toContain("ab");
});

test("a key of somebody else's that does not show its id is left out, and hides no other", async () => {
  const [mine, foreign] = [randomBytes(16), randomBytes(16)];
  for (const id of [mine, foreign]) await generateKey(module, session, id, VAULT);
  const [hidden] = find(foreign);
  const answering = (rv: number): Module => ({
    ...module,
    read: (from, handle, attribute) => {
      if (attribute === "ID" && hidden?.equals(handle)) throw fromRv("C_GetAttributeValue", rv);
      return module.read(from, handle, attribute);
    },
  });
  // ATTRIBUTE_SENSITIVE, ATTRIBUTE_TYPE_INVALID, and one that was removed meanwhile: OBJECT_HANDLE_INVALID.
  for (const rv of [0x11, 0x12, 0x82]) {
    const ids = listKeyIds(answering(rv), session);
    expect(ids).toContain(mine.toString("hex"));
    expect(ids).not.toContain(foreign.toString("hex"));
  }
  // DEVICE_ERROR says something of the HSM.
  expect(() => listKeyIds(answering(0x30), session)).toThrow("CK_RV 0x30");
});

test("a public point is told from its DER wrapping by its exact length", async () => {
  const { key } = await generateKey(module, session, randomBytes(16), VAULT);
  const der = Buffer.concat([Buffer.from([0x04, 0x41]), key.publicKey]);
  expect(decodePoint("secp256k1", der)).toEqual(key.publicKey);
  expect(decodePoint("secp256k1", key.publicKey)).toEqual(key.publicKey);
  const refused = [der.subarray(1), key.publicKey.subarray(1), Buffer.concat([der, Buffer.alloc(1)]), Buffer.alloc(65)];
  for (const point of refused) expect(() => decodePoint("secp256k1", point)).toThrow("not an uncompressed point");
  expect(() => decodePoint("P-256", key.publicKey)).toThrow("not an uncompressed point");
});

test("a missing token names those that are there; two of one label are an error", () => {
  expect(() => module.findToken({ label: "nobody" })).toThrow(`"${soft.tokenLabel}"`);
  expect(() => module.findToken({ label: soft.tokenLabel, serial: "0" })).toThrow("no token");
  expect(() => module.findToken({})).toThrow("hsm.token.label");
  expect(module.findToken({ serial: token.serial }).label).toBe(soft.tokenLabel);
});
