/** The anchor through the owner and its child, which is killed and stopped; this process looks on as another program would. */

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { makeSoftHsm, type SoftHsm } from "../../test/softhsm.ts";
import { type Hsm, type HsmOptions, openHsm } from "./owner.ts";
import { DATA, type Module, openModule, type Session, type Template } from "./pkcs11.ts";

let soft: SoftHsm;
let module: Module;
let session: Session;
const open: Hsm[] = [];

beforeAll(() => {
  soft = makeSoftHsm();
  process.env["SOFTHSM2_CONF"] = soft.env.SOFTHSM2_CONF;
  module = openModule(soft.module);
  const token = module.findToken({ label: soft.tokenLabel });
  session = module.openSession(token, "read-write");
  module.login(session, token, soft.pin);
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((hsm) => hsm.close()));
  for (const object of module.find(session, { CLASS: DATA }, 1000)) module.destroy(session, object);
});

afterAll(() => {
  module.close();
  soft.dispose();
});

const NAME: Template = { CLASS: DATA, TOKEN: true, APPLICATION: "OpenCustody", LABEL: "OpenCustody anchor" };
const plant = (value: string, changes: Template = {}) =>
  module.create(session, { ...NAME, PRIVATE: true, VALUE: Buffer.from(value, "latin1"), ...changes });
const stored = () =>
  module.find(session, NAME, 1000).map((object) => module.read(session, object, "VALUE").toString("latin1"));
/** The texts alone: a number is the time of its write. */
const kept = () => stored().map((value) => value.split(" ").slice(2).join(" "));

async function start(changes: Partial<HsmOptions> = {}): Promise<Hsm> {
  const { module: path, tokenLabel, pin, env } = soft;
  const hsm = await openHsm({ module: path, token: { label: tokenLabel }, pin, env, ...changes });
  open.push(hsm);
  return hsm;
}

function pidOf(hsm: Hsm): number {
  const pid = hsm.pid();
  if (pid === undefined) throw new Error("the HSM has no process");
  return pid;
}

test("it outlives the child and the owner", async () => {
  const hsm = await start();
  await hsm.writeAnchor("kept");
  process.kill(pidOf(hsm), "SIGKILL");
  await expect(hsm.random(8)).rejects.toMatchObject({ code: "ERR_HSM_DOWN" });
  expect(await hsm.readAnchor()).toBe("kept");
  await hsm.close();
  expect(await (await start()).readAnchor()).toBe("kept");
});

test("data objects of others are left alone, and keys are what they were", async () => {
  const hsm = await start();
  const key = await hsm.generateKey({ curve: "P-256", label: "OpenCustody anchor", backup: "none" });
  plant("theirs", { LABEL: "other" });
  plant("theirs", { APPLICATION: "other" });
  plant("theirs", { TOKEN: false });
  expect(await hsm.readAnchor()).toBeUndefined();
  await hsm.writeAnchor("ours");
  await hsm.writeAnchor("ours again");
  expect(await hsm.readAnchor()).toBe("ours again");
  expect(await hsm.keys()).toEqual([key]);
  expect(await hsm.findKey(key.id)).toEqual(key);
  expect(module.find(session, { CLASS: DATA }, 10)).toHaveLength(4);
});

test.each([
  ["empty", ""],
  ["too long", "x".repeat(2049)],
  ["two lines", "two\nlines"],
  ["not ASCII", "\u00e9"],
  ["NUL", "\0"],
])("a text that cannot be one is refused on this side: %s", async (_, text) => {
  const hsm = await start();
  await expect(hsm.writeAnchor(text)).rejects.toMatchObject({ code: "ERR_USAGE" });
  expect(hsm.state()).toBe("up");
});

test("a malformed anchor is told through the child, which stays up", async () => {
  const hsm = await start();
  plant("v2 1 x");
  await expect(hsm.readAnchor()).rejects.toMatchObject({ code: "ERR_HSM_KEY_ATTRIBUTES" });
  await expect(hsm.writeAnchor("y")).rejects.toMatchObject({ code: "ERR_HSM_KEY_ATTRIBUTES" });
  expect(hsm.state()).toBe("up");
  await expect(hsm.keys()).resolves.toBeInstanceOf(Array);
});

test("writes at once are all made, in their order; a read sees those before it; close waits for them", async () => {
  const hsm = await start();
  const began = Date.now();
  const seen: Promise<string | undefined>[] = [];
  const writes = Array.from({ length: 30 }, (_, n) => {
    const done = hsm.writeAnchor(`${n}`);
    seen.push(hsm.readAnchor());
    return done;
  });
  const texts = await Promise.all(seen);
  texts.forEach((text, n) => expect(Number(text)).toBeGreaterThanOrEqual(n));
  await Promise.all(writes);
  expect(kept()).toEqual(["29"]);
  expect(Number(stored()[0]?.split(" ")[1])).toBeGreaterThanOrEqual(began);
  const last = Promise.all(["a", "b", "c"].map((text) => hsm.writeAnchor(text)));
  await hsm.close();
  await last;
  expect(kept()).toEqual(["c"]);
});

test("calls during a start keep their order", async () => {
  const hsm = await start();
  process.kill(pidOf(hsm), "SIGKILL");
  await expect(hsm.random(8)).rejects.toMatchObject({ code: "ERR_HSM_DOWN" });
  await Promise.all(["a", "b", "c"].map((text) => hsm.writeAnchor(text)));
  expect(kept()).toEqual(["c"]);
});

test("a child that stops in a write is ended by the watchdog", async () => {
  const hsm = await start({ timeouts: { other: 300 } });
  process.kill(pidOf(hsm), "SIGSTOP");
  const results = await Promise.allSettled([hsm.writeAnchor("a"), hsm.writeAnchor("b")]);
  for (const result of results) expect(result).toMatchObject({ reason: { code: "ERR_HSM_TIMEOUT" } });
  expect(hsm.state()).toBe("down");
});

test("two that a crash left: the newer counts, and the next write takes the other away", async () => {
  plant("v1 9 old");
  plant("v1 10 new");
  const hsm = await start();
  expect(await hsm.readAnchor()).toBe("new");
  expect(stored()).toHaveLength(2);
  await hsm.writeAnchor("newer");
  expect(kept()).toEqual(["newer"]);
});

test("killed at any point, the token has the last confirmed text or one asked for after it", async () => {
  const hsm = await start();
  let asked = 0;
  for (let round = 0; round < 12; round += 1) {
    const pid = pidOf(hsm);
    let confirmed = asked;
    let killed: Promise<unknown> | undefined;
    const writes = Array.from({ length: 20 }, () => {
      const number = (asked += 1);
      return hsm.writeAnchor(`${number}`).then(() => {
        confirmed = number;
        // Somewhere in one of the writes that follow: elsewhere in each round.
        killed ??= sleep(round).then(() => process.kill(pid, "SIGKILL"));
      });
    });
    await Promise.allSettled(writes);
    await killed;
    while (hsm.pid() === pid) await sleep(10);
    const found = Number(await hsm.readAnchor());
    expect(found).toBeGreaterThanOrEqual(confirmed);
    expect(found).toBeLessThanOrEqual(asked);
    expect(stored().length).toBeLessThanOrEqual(2);
  }
});
