import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readConfig, socketPath } from "./config.ts";

const folder = mkdtempSync(join(tmpdir(), "opencustody-config-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, "opencustody.json");

const GOOD = {
  data: "data",
  hsm: { module: "/usr/lib/softhsm/libsofthsm2.so", token: { label: "vaults" }, pin: { file: "secret/pin" } },
  bridge: { url: "wss://bridge.example.com/" },
};

function read(value: unknown): ReturnType<typeof readConfig> {
  writeFileSync(file, typeof value === "string" ? value : JSON.stringify(value));
  return readConfig(file);
}

test("relative paths are meant from the file's own folder; a module's is for the loader", () => {
  const config = read(GOOD);
  expect(config).toMatchObject({
    data: join(folder, "data"),
    hsm: { module: GOOD.hsm.module, pin: { file: join(folder, "secret/pin") } },
  });
  expect(socketPath(config)).toBe(join(folder, "data/agent.sock"));
  expect(read({ ...GOOD, data: "/var/lib/opencustody" }).data).toBe("/var/lib/opencustody");
});

test("what is left out is off; what is there is found from the file's own folder too", () => {
  const plain = read(GOOD);
  expect([plain.health, plain.backup, Object.keys(plain.hsm)]).toEqual([
    undefined,
    undefined,
    ["module", "token", "pin"],
  ]);
  const full = read({
    ...GOOD,
    hsm: { ...GOOD.hsm, files: "tokens" },
    health: { socket: "data/health.sock" },
    backup: { folder: "/mnt/backup" },
  });
  expect(full).toMatchObject({
    hsm: { files: join(folder, "tokens") },
    health: { socket: join(folder, "data/health.sock") },
    backup: { folder: "/mnt/backup" },
  });
});

test.each(["127.0.0.1", "127.0.0.53", "127.255.255.255", "::1"])("health is served at %s", (host) => {
  expect(read({ ...GOOD, health: { host, port: 9464 } }).health).toEqual({ host, port: 9464 });
});

const HOSTS = [
  "0.0.0.0",
  "::",
  "10.0.0.1",
  "127.0.0.256",
  "127.0.0.1.example.com",
  "127.1",
  "0x7f.0.0.1",
  "localhost",
  "::ffff:127.0.0.1",
  "[::1]",
  "127.0.0.1 ",
  "::1%lo",
  "",
];
test.each(HOSTS)("health is not served at %j", (host) => {
  const complaint = "health.host: must be an address of this machine only, 127.0.0.1 or ::1";
  expect(messageOf(() => read({ ...GOOD, health: { host, port: 9464 } }))).toContain(complaint);
});

const PINS: unknown[] = [{ file: "pin" }, { descriptor: 3 }, { prompt: true }];
test.each(PINS)("a PIN is at %j", (pin) => {
  expect(Object.keys(read({ ...GOOD, hsm: { ...GOOD.hsm, pin } }).hsm.pin)).toEqual(Object.keys(pin as object));
});

const hsm = (change: object) => ({ ...GOOD, hsm: { ...GOOD.hsm, ...change } });
const WRONG: [string, unknown, string][] = [
  ["an unknown member", { ...GOOD, policy: {} }, "policy: "],
  ["an unknown member within", hsm({ slot: 3 }), "hsm.slot: "],
  ["no data folder", { ...GOOD, data: undefined }, "data: "],
  ["an empty path", { ...GOOD, data: "" }, "data: "],
  ["the PIN itself", hsm({ pin: "1234" }), "hsm.pin: "],
  ["the PIN itself, deeper", hsm({ pin: { value: "1234" } }), "hsm.pin: "],
  ["two places of the PIN", hsm({ pin: { file: "pin", prompt: true } }), "hsm.pin"],
  ["no prompt", hsm({ pin: { prompt: false } }), "hsm.pin"],
  ["a standard stream", hsm({ pin: { descriptor: 0 } }), "hsm.pin"],
  ["a token by label and serial", hsm({ token: { label: "a", serial: "b" } }), "hsm.token"],
  ["a token by slot", hsm({ token: 0 }), "hsm.token: "],
  ["a bridge without TLS elsewhere", { ...GOOD, bridge: { url: "ws://bridge.example.com/" } }, "bridge.url: "],
  ["a bridge by another scheme", { ...GOOD, bridge: { url: "https://bridge.example.com/" } }, "bridge.url: "],
  ["a port that is none", { ...GOOD, health: { host: "::1", port: 65_536 } }, "health.port: "],
  ["a port in words", { ...GOOD, health: { host: "::1", port: "9464" } }, "health"],
  ["health on every address", { ...GOOD, health: { port: 9464 } }, "health"],
  ["health in two places", { ...GOOD, health: { host: "::1", port: 1, socket: "s" } }, "health"],
  ["health without a place", { ...GOOD, health: true }, "health: "],
  ["a backup without a folder", { ...GOOD, backup: {} }, "backup.folder: "],
  ["a backup elsewhere", { ...GOOD, backup: { folder: "b", url: "https://b.example.com" } }, "backup.url: "],
  ["a token's files without a name", hsm({ files: "" }), "hsm.files: "],
  ["a list", [], "expected"],
];
test.each(WRONG)("refused, and named: %s", (_what, value, words) => {
  expect(() => read(value)).toThrow(
    expect.objectContaining({ code: "ERR_CONFIG", message: expect.stringContaining(words) as string }),
  );
});

test("what a wrong file holds is not repeated: it may be the PIN's", () => {
  for (const text of ['"s3cret" s3cret', "s3cret-1234\n", '{\n  "pin": s3cret\n}']) {
    const message = messageOf(() => read(text));
    expect(message).toContain("is not JSON");
    expect(message).not.toContain("s3cret");
  }
  expect(messageOf(() => readConfig(join(folder, "missing.json")))).toContain("missing.json cannot be read");
  expect(messageOf(() => read(hsm({ pin: "s3cret" })))).not.toContain("s3cret");
});

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
  return "";
}
