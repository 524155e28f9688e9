import { IDBFactory } from "fake-indexeddb";
import { beforeEach, expect, test, vi } from "vitest";
import { pair, reject } from "./actions.ts";
import { drawAttention } from "./attention.ts";
import { notify, setBadge } from "./browser.ts";
import { DESTINATION, deliver, type HsmDouble, makeHsm, REQUEST_ID } from "./hsm-double.ts";
import { loadPairing, loadRequest } from "./store.ts";

vi.mock("./browser.ts", () => ({ poke: vi.fn(), notify: vi.fn(), setBadge: vi.fn() }));

let hsm: HsmDouble;
let kid = "";

beforeEach(async () => {
  vi.clearAllMocks();
  globalThis.indexedDB = new IDBFactory();
  hsm = await makeHsm();
  await pair((await hsm.invite()).code);
  kid = (await loadPairing())?.kid ?? "";
  await deliver(await hsm.welcome(kid));
});

test("one notification a request, however often it comes and however many workers look", async () => {
  const jws = await hsm.request(kid);
  for (let times = 0; times < 2; times += 1) {
    await deliver(jws);
    await Promise.all([drawAttention(), drawAttention()]);
  }
  expect(vi.mocked(notify).mock.calls).toEqual([[REQUEST_ID, expect.any(String), expect.stringContaining("1.50 ETH")]]);
  expect(setBadge).toHaveBeenLastCalledWith("1");
});

test("a request that failed its checks is announced as such", async () => {
  const effect = { amount: "15.00", asset: "ETH", to: DESTINATION, maxFee: "0.00063 ETH", nonce: 7 };
  await deliver(await hsm.request(kid, { effect }));
  await drawAttention();
  expect(notify).toHaveBeenCalledWith(REQUEST_ID, "A request failed its checks", expect.any(String));
});

test("the badge counts what waits for this person", async () => {
  await deliver(await hsm.request(kid));
  await reject(REQUEST_ID, "other");
  await drawAttention();
  expect(setBadge).toHaveBeenLastCalledWith("");
  const digest = (await loadRequest(REQUEST_ID))?.digest ?? "";
  await deliver(await hsm.receipt(kid, digest, { n: 2, state: "rejected" }));
  await drawAttention();
  expect(setBadge).toHaveBeenLastCalledWith("");
  expect(notify).not.toHaveBeenCalled();
});
