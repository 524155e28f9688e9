/** Sessions and what they hold, against SoftHSM in this process: what only the child may do otherwise. */

import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeSoftHsm, type SoftHsm } from "../../test/softhsm.ts";
import type { Disk } from "./disk.ts";
import { generateKey } from "./keys.ts";
import { type Module, openModule, PRIVATE_KEY, type Session, type Token } from "./pkcs11.ts";
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

const find = (id: Buffer) => module.find(session, { CLASS: PRIVATE_KEY, ID: id }, 10);

test("reopened while it works, a pool goes on with new sessions and closes each old one", async () => {
  const live = new Set<string>();
  const counting: Module = {
    ...module,
    openSession: (...call) => {
      const opened = module.openSession(...call);
      live.add(opened.toString("hex"));
      return opened;
    },
    closeSession: (s) => {
      live.delete(s.toString("hex"));
      module.closeSession(s);
    },
  };
  const pool = new Pool(counting, token, soft.pin, 4);
  const { id } = await pool.generate(VAULT);
  const sign = () => Array.from({ length: 4 }, () => pool.sign(id, randomBytes(32)));
  const before = sign();
  await pool.random(8);
  const old = new Set(live);
  const under = sign();
  pool.reopen();
  expect(await Promise.all([...before, ...under, ...sign()])).toHaveLength(12);
  for (const each of old) expect(live).not.toContain(each);
  expect(live.size).toBeLessThanOrEqual(5);
});

test("a key that is not durable is destroyed, and not offered while that is not known", async () => {
  const syncing = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const disk = {
    sync: () => {
      asked.resolve();
      return syncing.promise;
    },
  };
  const found: string[] = [];
  const seeing: Module = {
    ...module,
    random: (...call) => {
      const bytes = module.random(...call);
      found.push(bytes.toString("hex"));
      return bytes;
    },
  };
  const pool = new Pool(seeing, token, soft.pin, 2, disk as unknown as Disk);
  const made = pool.generate(VAULT);
  const failed = expect(made).rejects.toThrow("disk");
  const id = () => Buffer.from(found[0] ?? "", "hex");
  await asked.promise;
  expect(find(id())).toHaveLength(1);
  expect((await pool.list()).map((key) => key.id)).not.toContain(found[0]);
  await expect(pool.sign(found[0] ?? "", randomBytes(32))).rejects.toMatchObject({ code: "ERR_HSM_KEY_MISSING" });
  syncing.reject(new Error("the disk failed"));
  await failed;
  expect(find(id())).toEqual([]);
});

test("a pool runs at most its size at a time, one operation a session", async () => {
  const busy = new Set<string>();
  let most = 0;
  const watched: Module = {
    ...module,
    sign: async (s, key, digest) => {
      const name = s.toString("hex");
      expect(busy.has(name)).toBe(false);
      busy.add(name);
      most = Math.max(most, busy.size);
      const signature = await module.sign(s, key, digest);
      busy.delete(name);
      return signature;
    },
  };
  const pool = new Pool(watched, token, soft.pin, 3);
  const { id } = await pool.generate(VAULT);
  const signatures = await Promise.all(Array.from({ length: 40 }, () => pool.sign(id, randomBytes(32))));
  expect(signatures.every((signature) => signature.length === 64)).toBe(true);
  expect(most).toBe(3);
});

test("a session that failed is closed and not handed out again", async () => {
  const dead: string[] = [];
  const used: string[] = [];
  let failures = 0;
  const failing: Module = {
    ...module,
    closeSession: (s) => {
      dead.push(s.toString("hex"));
      module.closeSession(s);
    },
    sign: async (s, key, digest) => {
      if (failures-- > 0) throw fromRv("C_Sign", 0xb3);
      used.push(s.toString("hex"));
      return module.sign(s, key, digest);
    },
  };
  const pool = new Pool(failing, token, soft.pin, 1);
  const { id } = await pool.generate(VAULT);
  await pool.sign(id, randomBytes(32));
  failures = 1;
  await expect(pool.sign(id, randomBytes(32))).rejects.toMatchObject({ code: "ERR_HSM_DOWN" });
  used.length = 0;
  await pool.sign(id, randomBytes(32));
  expect(dead).toHaveLength(2);
  expect(dead).not.toContain(used[0]);
});

test("a dead handle is looked up once more; handles are otherwise cached", async () => {
  let dead = 0;
  let searches = 0;
  const moving: Module = {
    ...module,
    find: (...call) => {
      searches += 1;
      return module.find(...call);
    },
    sign: async (...call) => {
      if (dead-- > 0) throw fromRv("C_SignInit", 0x60);
      return module.sign(...call);
    },
  };
  const pool = new Pool(moving, token, soft.pin, 2);
  const { id } = await pool.generate(VAULT);
  await Promise.all([pool.sign(id, randomBytes(32)), pool.sign(id, randomBytes(32))]);
  expect(searches).toBe(0);
  dead = 1;
  await pool.sign(id, randomBytes(32));
  expect(searches).toBe(2);
  dead = 2;
  await expect(pool.sign(id, randomBytes(32))).rejects.toMatchObject({ code: "ERR_HSM_KEY_MISSING" });
});

test("a pool lists only keys that it would sign with", async () => {
  const pool = new Pool(module, token, soft.pin, 2);
  const { id } = await pool.generate(VAULT);
  const twice = randomBytes(16);
  await generateKey(module, session, twice, VAULT);
  await generateKey(module, session, twice, VAULT);
  const ids = (await pool.list()).map((key) => key.id);
  expect(ids).toContain(id);
  expect(ids).not.toContain(twice.toString("hex"));
});

test.each([0, 31, 33, 64])("a digest of %i bytes is refused by the child too", async (length) => {
  const pool = new Pool(module, token, soft.pin, 1);
  const signed = pool.sign("00".repeat(16), new Uint8Array(length));
  await expect(signed).rejects.toMatchObject({ code: "ERR_HSM_DIGEST" });
});
