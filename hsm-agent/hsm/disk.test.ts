/** Keys and anchors of a token in files: on the disk before anybody hears of them, or never heard of. fsync fails by a shim made here. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { makeSoftHsm, type SoftHsm } from "../../test/softhsm.ts";
import { Disk } from "./disk.ts";
import { type Hsm, openHsm } from "./owner.ts";

/** Notes each fsync of a folder's files in NOTED, and fails it while FAIL exists. */
const SHIM = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int fsync(int file) {
  static int (*real)(int);
  if (real == NULL) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  char link[64], path[4096] = {0};
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const char *folder = getenv("UNDER");
  if (folder != NULL && readlink(link, path, sizeof path - 1) > 0 && strncmp(path, folder, strlen(folder)) == 0) {
    int noted = open(getenv("NOTED"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dprintf(noted, "%s\\n", path);
    close(noted);
    if (access(getenv("FAIL"), F_OK) == 0) { errno = EIO; return -1; }
  }
  return real(file);
}
`;

const VAULT = { curve: "secp256k1", label: "x", backup: "none" } as const;
let soft: SoftHsm;
let home: string;
let files: string;
let shim: string;
let fail: string;
let noted: string;
const open: Hsm[] = [];

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "opencustody-disk-"));
  writeFileSync(join(home, "shim.c"), SHIM);
  shim = join(home, "shim.so");
  execFileSync("gcc", ["-O2", "-shared", "-fPIC", "-o", shim, join(home, "shim.c"), "-ldl"]);
});

beforeEach(() => {
  soft = makeSoftHsm();
  files = join(dirname(soft.env.SOFTHSM2_CONF), "tokens");
  fail = join(home, "fail");
  noted = join(home, "noted");
});

afterEach(async () => {
  rmSync(fail, { force: true });
  await Promise.all(open.splice(0).map((hsm) => hsm.close()));
  rmSync(noted, { force: true });
  soft.dispose();
});

afterAll(() => rmSync(home, { recursive: true, force: true }));

async function start(folder: string | null = files): Promise<Hsm> {
  const env = { ...soft.env, LD_PRELOAD: shim, UNDER: files, FAIL: fail, NOTED: noted };
  const options = { module: soft.module, token: { label: soft.tokenLabel }, pin: soft.pin, env };
  const backoff = { first: 10, most: 10 };
  const hsm = await openHsm({ ...options, backoff, ...(folder === null ? {} : { files: folder }) });
  open.push(hsm);
  return hsm;
}

/** Every file and folder under the token's folder. */
const all = () => [
  files,
  ...readdirSync(files, { recursive: true, encoding: "utf8" }).map((name) => join(files, name)),
];
const synced = () => (existsSync(noted) ? readFileSync(noted, "utf8").split("\n").filter(Boolean) : []);

test("after a key or an anchor was made, every file and folder of the token has been synced", async () => {
  const hsm = await start();
  expect(new Set(synced())).toEqual(new Set(all()));
  for (const make of [() => hsm.generateKey(VAULT), () => hsm.writeAnchor("x")]) {
    const before = new Set(all());
    rmSync(noted);
    await make();
    const added = all().filter((path) => !before.has(path));
    expect(added.length).toBeGreaterThan(0);
    const now = synced();
    for (const path of [...added, files, dirname(added[0] ?? "")]) expect(now).toContain(path);
  }
});

test("without hsm.files nothing is synced", async () => {
  const hsm = await start(null);
  await hsm.generateKey(VAULT);
  expect(synced()).toEqual([]);
});

test("a key whose files cannot be synced is rejected, destroyed and never offered", async () => {
  const hsm = await start();
  const kept = await hsm.generateKey(VAULT);
  writeFileSync(fail, "");
  await expect(hsm.generateKey(VAULT)).rejects.toMatchObject({
    code: "ERR_HSM_DOWN",
    message: expect.stringContaining("hsm.files") as unknown,
  });
  await expect(hsm.writeAnchor("x")).rejects.toMatchObject({ code: "ERR_HSM_DOWN" });
  // Not before the disk is well again: a start syncs first.
  while (hsm.health().restarts < 2) await sleep(10);
  expect(hsm.health().lastFault?.message).toContain("EIO");
  rmSync(fail);
  while (hsm.state() !== "up") await sleep(10);
  expect(await hsm.keys()).toEqual([kept]);
  expect(await hsm.sign(kept.id, randomBytes(32))).toHaveLength(64);
});

test("what is no folder is refused at the start", async () => {
  await expect(start(join(home, "none"))).rejects.toMatchObject({ code: "ERR_HSM_CONFIG" });
  await expect(start(shim)).rejects.toMatchObject({ code: "ERR_HSM_CONFIG" });
});

test("symbolic links in the folder are not followed, the folder itself may be one", async () => {
  const folder = mkdtempSync(join(home, "links-"));
  mkdirSync(join(folder, "real", "inner"), { recursive: true });
  const outside = join(home, "no-such-target");
  symlinkSync(outside, join(folder, "real", "dangling"));
  // Followed, these would be endless, or not to be opened.
  symlinkSync("..", join(folder, "real", "inner", "up"));
  symlinkSync("/proc/self/mem", join(folder, "real", "inner", "memory"));
  symlinkSync(join(folder, "real"), join(folder, "link"));
  await expect(new Disk(join(folder, "link")).sync()).resolves.toBeUndefined();
  expect(existsSync(outside)).toBe(false);
});

test("a process killed while it makes keys leaves none that is offered and cannot sign", {
  timeout: 240_000,
}, async () => {
  const hsm = await start();
  const known = new Set<string>();
  for (let round = 0; round < 30; round += 1) {
    const pid = hsm.pid();
    const made = Array.from({ length: 3 }, () => hsm.generateKey(VAULT));
    for (const key of made) key.then(({ id }) => known.add(id)).catch(() => {});
    await sleep(round * 3);
    if (pid !== undefined) process.kill(pid, "SIGKILL");
    await Promise.allSettled(made);
    while (hsm.state() !== "up" || hsm.pid() === pid) await sleep(5);
  }
  const offered = await hsm.keys();
  const ids = new Set(offered.map(({ id }) => id));
  for (const id of known) expect(ids).toContain(id);
  for (const { id } of offered) expect(await hsm.sign(id, randomBytes(32))).toHaveLength(64);
});
