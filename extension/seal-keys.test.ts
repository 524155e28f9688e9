import { IDBFactory } from "fake-indexeddb";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { makeSealKey, publicSealJwk, seal } from "../protocol/seal.ts";
import { pair } from "./actions.ts";
import { clock } from "./compose.ts";
import { look } from "./database.ts";
import { deliver, type HsmDouble, makeHsm } from "./hsm-double.ts";
import { receive } from "./inbox.ts";
import { currentSealKey } from "./seal-keys.ts";
import { loadKey, loadNotices, loadPairing } from "./store.ts";

vi.mock("./browser.ts", () => ({ poke: async () => undefined }));

const DAY = 24 * 3600;
const START = 1_795_338_000;

let hsm: HsmDouble;
let kid = "";

const setClock = (seconds: number) => vi.setSystemTime(seconds * 1000);
const sealKeys = async () => (await look((records) => records.all("sealKeys"))).sort((a, b) => a.n - b.n);

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  setClock(START);
  globalThis.indexedDB = new IDBFactory();
  hsm = await makeHsm();
  await pair((await hsm.invite()).code);
  kid = (await loadPairing())?.kid ?? "";
});
afterEach(() => void vi.useRealTimers());

test("neither key can be read out, and both are found again after a restart", async () => {
  const key = await loadKey();
  const [sealKey] = await sealKeys();
  if (key === null || sealKey === undefined || sealKey.pair === null) throw new Error("no keys");
  for (const { privateKey } of [key, sealKey.pair]) {
    expect(privateKey.extractable).toBe(false);
    for (const format of ["jwk", "pkcs8"] as const) {
      await expect(crypto.subtle.exportKey(format, privateKey)).rejects.toThrow();
    }
  }
  expect([key.privateKey.usages, sealKey.pair.privateKey.usages]).toEqual([["sign"], ["deriveBits"]]);
  // Every load opens the database anew, as after a restart: what was kept still opens.
  await deliver(await hsm.welcome(kid));
  expect((await loadPairing())?.state).toBe("paired");
});

test("the receiving key is replaced after a week, with the next number", async () => {
  const first = await currentSealKey(clock());
  setClock(START + 7 * DAY - 1);
  expect(await currentSealKey(clock())).toEqual(first);
  setClock(START + 7 * DAY);
  const [second, again] = await Promise.all([currentSealKey(clock()), currentSealKey(clock())]);
  expect([first.n, second.n, again.n, second.kid === first.kid, second.kid === again.kid]).toEqual([
    1,
    2,
    2,
    false,
    true,
  ]);
  expect((await sealKeys()).map(({ n, replacedAt }) => [n, replacedAt])).toEqual([
    [1, START + 7 * DAY],
    [2, null],
  ]);
});

test("what was sealed to a replaced key still opens, for 15 days", async () => {
  const first = await currentSealKey(clock());
  setClock(START + 7 * DAY);
  await currentSealKey(clock());
  await receive(await seal(await hsm.welcome(kid), first.jwk), hsm.signer.kid, clock());
  expect((await loadPairing())?.state).toBe("paired");
  setClock(START + 22 * DAY);
  await currentSealKey(clock());
  expect((await sealKeys()).map(({ n }) => n)).toEqual([2, 3]);
  const late = await seal(await hsm.welcome(kid, { name: "Eve" }), first.jwk);
  expect(await receive(late, hsm.signer.kid, clock())).toEqual({ again: true });
  expect((await loadPairing())?.name).toBe("Ada");
  expect(await loadNotices()).toMatchObject([{ code: "ERR_SEAL_KEY", count: 1 }]);
});

test("a clock that was set back does not keep a key for ever", async () => {
  setClock(START - 30 * DAY);
  expect((await currentSealKey(clock())).n).toBe(2);
});

test("what does not open is counted, never thrown, and blocks nothing", async () => {
  const [ours] = await sealKeys();
  if (ours === undefined) throw new Error("no key");
  const sealed = await seal(await hsm.welcome(kid), ours.jwk);
  const stranger = await seal(await hsm.welcome(kid), await publicSealJwk(await makeSealKey(false)));
  const altered = `${sealed.slice(0, -30)}${sealed.at(-30) === "A" ? "B" : "A"}${sealed.slice(-29)}`;
  for (const body of ["x", "a.b.c", await hsm.welcome(kid), `${sealed}A`, altered, stranger]) {
    await receive(body, hsm.signer.kid, clock());
  }
  const notices = Object.fromEntries((await loadNotices()).map(({ code, count }) => [code, count]));
  expect(notices).toEqual({ ERR_SEAL_MALFORMED: 4, ERR_SEAL_OPEN: 1, ERR_SEAL_KEY: 1 });
  await receive(sealed, hsm.signer.kid, clock());
  expect((await loadPairing())?.state).toBe("paired");
});
