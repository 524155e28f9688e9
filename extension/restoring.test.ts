/** After a RESTORE: what belongs to the log that was given up comes back by no road. */
import { IDBFactory } from "fake-indexeddb";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { seal } from "../protocol/seal.ts";
import { approve, loadRequest, loadWitnesses, signWithDevice } from "./actions.ts";
import { clock } from "./compose.ts";
import { transact } from "./database.ts";
import { breakSignature, deliver, type HsmDouble } from "./hsm-double.ts";
import { receive } from "./inbox.ts";
import { makeKey, publicJwkOf } from "./keys.ts";
import { witness } from "./log-double.ts";
import {
  FIRST,
  knownHead,
  makeScene,
  record,
  type Scene,
  SECOND,
  sealKeys,
  states,
  stored,
  trouble,
} from "./restore-double.ts";
import { currentSealKey } from "./seal-keys.ts";
import { loadFreezes, loadOutbox, loadPairing, SELF } from "./store.ts";
import { isOpen } from "./waiting.ts";

vi.mock("./browser.ts", () => ({ poke: vi.fn(), notify: vi.fn(), setBadge: vi.fn() }));

const START = 1_795_338_000;
const setClock = (seconds: number) => vi.setSystemTime(seconds * 1000);
const DAY = 24 * 3600;
const QUIET = [[], []];
let scene: Scene;
let hsm: HsmDouble;
let kid = "";
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  setClock(START);
  globalThis.indexedDB = new IDBFactory();
  scene = await makeScene(setClock);
  ({ hsm, kid } = scene);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test("no view of the log that was given up can be played again, whether it was seen before or kept back", async () => {
  hsm.log.grow(2, "Bob");
  const seen = await record(await hsm.view(kid));
  await scene.play(seen);
  hsm.log.grow(2, "Bob");
  const keptBack = await record(await hsm.view(kid, { from: 8, consistency: hsm.log.consistency(8) }));
  // Also under a key that was replaced before, as one is every week.
  setClock(START + 7 * DAY);
  await currentSealKey(clock());
  const newer = await record(await hsm.view(kid, { from: 8, consistency: hsm.log.consistency(8) }));
  expect(await deliver(await scene.goBack(8))).toEqual({ again: true, atOnce: true });
  expect(await knownHead()).toEqual(hsm.log.head(8));
  for (const frame of [seen, keptBack, newer, keptBack]) expect(await scene.play(frame)).toEqual({ again: true });
  expect(await knownHead()).toEqual(hsm.log.head(8));
  expect(await scene.synced()).toMatchObject({ log: hsm.log.head(8), charter: 2, seal: { n: 3 } });
  hsm.log.grow(4, "Dan");
  await deliver(await hsm.view(kid, { from: 8, consistency: hsm.log.consistency(8) }));
  expect([await knownHead(), await trouble()]).toEqual([hsm.log.head(12), QUIET]);
});

test("a browser that knew less than the state that was decided is not led astray either", async () => {
  hsm.log.grow(1);
  const backup = hsm.log;
  const dead = hsm.log.fork(9).grow(3, "Eve");
  const frame = await record(await dead.view(hsm, kid, [], { from: 8, consistency: dead.consistency(8) }));
  await deliver(await scene.goBack(9));
  expect((await knownHead())?.size).toBe(8);
  await scene.play(frame);
  expect((await knownHead())?.size).toBe(8);
  await deliver(await backup.fork(9).view(hsm, kid, [], { from: 8, consistency: backup.consistency(8, 9) }));
  expect([await knownHead(), await trouble()]).toEqual([backup.head(9), QUIET]);
});

test("one that learns of it late is led away from the other log, and stays away", async () => {
  hsm.log.grow(2, "Bob");
  const early = await record(await hsm.view(kid));
  const act = await scene.goBack(8);
  await scene.play(early);
  expect((await knownHead())?.size).toBe(10);
  await deliver(act);
  await scene.play(early);
  expect([await knownHead(), await trouble()]).toEqual([hsm.log.head(8), QUIET]);
});

test("nothing else of before opens any more: requests, receipts, refusals, acts, lists of freezes", async () => {
  const id = FIRST;
  await deliver(await scene.request(id));
  const [approval] = [await signWithDevice(id, scene.mine.device)];
  await approve(id, approval);
  const [item] = await loadOutbox();
  const frames = await Promise.all(
    [
      await scene.request(SECOND),
      await scene.receipt(id, { n: 9, state: "approved" }),
      await hsm.refusal(kid, item?.jti ?? "", { request: id, code: "ERR_LOG" }),
      await hsm.freezes(kid, { n: 9, freezes: [] }),
    ].map(record),
  );
  const act = await scene.goBack(8);
  const [same, later] = [
    await record(act),
    await record(await scene.town.enact({ verb: "UNFREEZE", change: { vault: null } })),
  ];
  await deliver(act);
  for (const frame of [...frames, same, later]) expect(await scene.play(frame)).toEqual({ again: true });
  expect([await loadRequest(SECOND), await loadFreezes()]).toEqual([null, null]);
  expect([await states(id), (await scene.synced()).charter, await trouble()]).toEqual([["void"], 2, QUIET]);
});

test("the keys: the next number, the private halves are gone, and what cannot be told from a stranger's is still counted", async () => {
  const [before] = await sealKeys();
  const act = await scene.goBack(8);
  setClock(START + 7 * DAY);
  await currentSealKey(clock());
  await deliver(act);
  const [first, second, now] = await sealKeys();
  expect([first, second].map((key) => [key?.n, key?.pair])).toEqual([
    [1, null],
    [2, null],
  ]);
  expect(now).toMatchObject({ n: 3, replacedAt: null, madeAt: clock() });
  expect(now?.pair?.privateKey.extractable).toBe(false);
  await receive(await seal(act, await publicJwkOf(await makeKey())), hsm.signer.kid, clock());
  expect(await trouble()).toEqual([[], ["ERR_SEAL_KEY"]]);
  // As long as a mailbox could hold something for them they are told from strangers', and then forgotten.
  setClock(clock() + 15 * DAY);
  await currentSealKey(clock());
  expect((await sealKeys()).map(({ n }) => n)).toEqual([3, 4]);
  expect(before?.kid).toBe(first?.kid);
});

test("a message that was opened before the act, and verified after it, writes nothing", async () => {
  const id = FIRST;
  hsm.log.grow(1, "Bob");
  const messages = [await hsm.view(kid), await scene.request(id)];
  for (const message of messages) {
    const frame = await record(message);
    const act = await scene.goBack(8);
    const verify = crypto.subtle.verify.bind(crypto.subtle);
    vi.spyOn(crypto.subtle, "verify").mockImplementationOnce(async (...given) => {
      await deliver(act);
      return await verify(...given);
    });
    await scene.play(frame);
  }
  expect([await knownHead(), await loadRequest(id), (await sealKeys()).length]).toEqual([hsm.log.head(8), null, 3]);
  expect(await trouble()).toEqual(QUIET);
});

test("lists of freezes are numbered anew as well, and the one that is known stands until the next", async () => {
  const freezes = [{ vault: null, by: null, at: clock(), of: null }];
  await deliver(await hsm.freezes(kid, { n: 6, freezes }));
  await deliver(await scene.goBack(8));
  expect((await loadFreezes())?.freezes).toEqual(freezes);
  await deliver(await hsm.freezes(kid, { n: 2, freezes: [] }));
  await deliver(await hsm.freezes(kid, { n: 1, freezes }));
  expect(await loadFreezes()).toMatchObject({ n: 2, freezes: [] });
});

test("what others saw of the log that was given up is not shown any more", async () => {
  hsm.log.grow(3, "Bob");
  const note = await hsm.log.checkpoint(hsm);
  await deliver(
    await hsm.view(kid, { witnesses: [{ jws: await witness(scene.town.bob, hsm.signer.kid, note), consistency: [] }] }),
  );
  expect((await loadWitnesses()).map(({ size }) => size)).toEqual([11]);
  await deliver(await scene.goBack(8));
  expect(await loadWitnesses()).toEqual([]);
});

test("an act of before the pairing, one that is false, and the same again end nothing and give up no key", async () => {
  const id = FIRST;
  await deliver(await scene.request(id));
  const act = await scene.goBack(8);
  const pairing = await loadPairing();
  if (pairing === null) throw new Error("not paired");
  await deliver(breakSignature(act));
  expect([await states(id), (await sealKeys()).length]).toEqual([["pending"], 1]);
  await transact(async (records) => records.put("pairing", SELF, { ...pairing, joinedAt: clock() + 1 }));
  expect(await deliver(act)).toEqual({ again: false });
  expect([await states(id), isOpen(await stored(id)), (await sealKeys()).length]).toEqual([["pending"], true, 1]);
  await transact(async (records) => records.put("pairing", SELF, pairing));
  await deliver(await scene.goBack(8));
  await deliver(act);
  await deliver(await scene.request(SECOND));
  expect([await states(id, SECOND), (await sealKeys()).length]).toEqual([["void", "pending"], 2]);
});
