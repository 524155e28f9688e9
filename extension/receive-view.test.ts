/** Views of the log, honest and not: what is known goes on from what was known, or there is an alarm. */
import { IDBFactory } from "fake-indexeddb";
import { base64url } from "jose";
import { beforeEach, expect, test, vi } from "vitest";
import { originOf } from "../protocol/checkpoint.ts";
import type { Receipt } from "../protocol/log-entry.ts";
import { encodeView } from "../protocol/view.ts";
import { loadAlarms, loadLog, loadRequest, pair } from "./actions.ts";
import { transact } from "./database.ts";
import { type Founded, foundTown } from "./founding-double.ts";
import { deliver, type HsmDouble, makeHsm, REQUEST_ID } from "./hsm-double.ts";
import { LogDouble } from "./log-double.ts";
import { loadNotices, loadPairing, SELF } from "./store.ts";

vi.mock("./browser.ts", () => ({ poke: async () => undefined }));

let stage: Founded;
let hsm: HsmDouble;
let kid = "";
let digest = "";

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  stage = await foundTown();
  ({ hsm, kid } = stage);
  await deliver(await hsm.request(kid, stage.town.transfer()));
  digest = (await loadRequest(REQUEST_ID))?.digest ?? "";
  hsm.log.grow(5);
});

const show = async (change?: Parameters<HsmDouble["view"]>[1]) => await deliver(await hsm.view(kid, change));
const head = async () => (await loadLog())?.head;
const receipt = async () => (await loadRequest(REQUEST_ID))?.receipt ?? null;
const kinds = async () => (await loadAlarms()).map(({ kind }) => kind);
const codes = async () => (await loadNotices()).map(({ code, count }) => `${code} ${count}`);
const keeper = () => ({ signer: hsm.signer, jwk: hsm.jwk });

test("a view is remembered, and every newer one goes on from it", async () => {
  for (const entries of [0, 1, 2, 7]) {
    hsm.log.grow(entries);
    expect(await show()).toEqual({ again: false, proved: true });
    expect(await show()).toEqual({ again: false });
    expect(await loadLog()).toMatchObject({ head: hsm.log.head(), note: await noteLike(hsm.log) });
  }
  expect([await kinds(), await codes()]).toEqual([[], []]);
});

/** Signatures differ each time: the text, and one signature of the log's name. */
async function noteLike(log: LogDouble): Promise<unknown> {
  const [text = ""] = (await log.checkpoint(keeper())).split("\u2014");
  return expect.stringMatching(new RegExp(`^${text.replaceAll("+", "[+]")}\u2014 ${log.origin} [A-Za-z0-9+/=]+\n$`));
}

test("signatures of others beside it are not kept: a witness has no room for them", async () => {
  const note = await hsm.log.checkpoint(keeper());
  const others = `${note}\u2014 witness.example ${base64url.encode(new Uint8Array(75)).replaceAll("_", "/")}\n`;
  await show({ checkpoint: others });
  expect((await loadLog())?.note).toBe(note);
});

test("its entries are receipts", async () => {
  await deliver(await hsm.receipt(kid, digest, { n: 2, state: "approved" }));
  expect(await receipt()).toMatchObject({ n: 2, state: "approved", kind: "state" });
  expect(await head()).toEqual(hsm.log.head());
});

test("a split log: of one size two roots, or one that does not go on", async () => {
  await show();
  const before = await loadLog();
  const other = hsm.log.fork(3);
  other.append(state(9));
  hsm.log = other.grow(1, "Eve");
  expect(await deliver(await other.view(keeper(), kid, [3]))).toEqual({ again: false });
  const [alarm] = await loadAlarms();
  expect(alarm).toMatchObject({ kind: "split", person: null, known: before?.note, shown: await noteLike(other) });
  // Nothing of it is used, also later, and the first evidence is kept.
  other.grow(4);
  await deliver(await other.view(keeper(), kid, [3], { from: 5 }));
  expect([await loadLog(), await receipt(), await loadAlarms()]).toEqual([before, null, [alarm]]);
});

test("a log that went back and grew again is one that does not go on", async () => {
  await show();
  hsm.log = hsm.log.fork(4).grow(9, "Eve");
  await show({ from: 5 });
  expect([await kinds(), (await head())?.size]).toEqual([["split"], 5]);
});

test("an old view that was delayed, or is played again: its receipts count, and no more", async () => {
  const old = await hsm.receipt(kid, digest, { n: 2 });
  const unseen = await hsm.log.fork(2).view(keeper(), kid);
  const split = await hsm.log.fork(3).grow(3, "Eve").view(keeper(), kid);
  hsm.log.shown.set(kid, 0);
  await show();
  hsm.log.grow(6);
  await show();
  const known = await loadLog();
  expect(await receipt()).toBeNull();
  for (const message of [old, unseen, old]) expect(await deliver(message)).toEqual({ again: false });
  expect([await receipt(), await loadLog(), await kinds()]).toMatchObject([{ n: 2 }, known, []]);
  await deliver(split);
  expect(await loadAlarms()).toMatchObject([{ kind: "split", known: expect.stringContaining("\n6\n") as unknown }]);
});

test("one that is not proven from what is known: its receipts count, a sync is asked for, and it is not remembered", async () => {
  await show();
  const known = await loadLog();
  const index = hsm.log.append(state(3));
  const skipping = await hsm.log.view(keeper(), kid, [index], { from: 4 });
  expect(await deliver(skipping)).toEqual({ again: true });
  expect(await receipt()).toMatchObject({ n: 3 });
  expect(await loadLog()).toEqual({
    ...known,
    unprovenSince: expect.any(Number) as unknown,
    unprovenSize: expect.any(Number) as unknown,
  });
  expect(await show({ from: 5, consistency: hsm.log.consistency(5) })).toEqual({ again: false, proved: true });
  expect(await loadLog()).toMatchObject({ head: hsm.log.head(), unprovenSince: null });
  expect([await kinds(), await codes()]).toEqual([[], []]);
});

const state = (n: number): Receipt => ({
  v: 1,
  kind: "state",
  at: 1_795_338_000,
  request: REQUEST_ID,
  digest,
  n,
  state: "signed",
  records: [],
  hash: null,
});

test("a forged checkpoint, another log's, another key's: nothing is used", async () => {
  await show();
  const known = await loadLog();
  const stranger = await makeHsm(hsm.log);
  const elsewhere = new LogDouble(originOf(stranger.signer.kid), hsm.log.texts).grow(1);
  const other = new LogDouble(hsm.log.origin).grow(9, "Eve");
  const signed = await other.checkpoint(keeper());
  const index = hsm.log.append(state(3));
  const lies = [
    await hsm.log.view({ signer: stranger.signer, jwk: stranger.jwk }, kid, [index], { from: 5 }),
    await elsewhere.view(keeper(), kid, [], { from: 5 }),
    await hsm.log.view(keeper(), kid, [index], { from: 5, checkpoint: signed.replace("\n9\n", "\n10\n") }),
    await hsm.log.view(keeper(), kid, [index], { from: 5, checkpoint: signed }),
    "oc-view.1.e30",
    "oc-view.2.e30",
  ];
  for (const lie of lies) await deliver(lie);
  await deliver(await hsm.view(kid, { from: 5 }), stranger.signer.kid);
  expect([await loadLog(), await receipt(), await kinds()]).toEqual([known, null, []]);
  expect(await codes()).toEqual(["ERR_ENVELOPE_KEY 1", `ERR_LOG ${lies.length}`]);
});

test("a receipt that is not in the log is not used", async () => {
  const index = hsm.log.append(state(3));
  const text = JSON.stringify({ ...state(3), n: 4 });
  const proved = hsm.log.prove(index);
  for (const entry of [
    { ...proved, text },
    { ...proved, index: index - 1 },
    { ...proved, path: [] },
    { ...hsm.log.prove(0), text },
  ]) {
    await deliver(await hsm.log.view(keeper(), kid, [], { entries: [hsm.log.prove(1), entry] }));
  }
  expect([await receipt(), await loadLog(), await codes()]).toEqual([null, null, ["ERR_LOG 4"]]);
});

test("with one bit changed anywhere it moves nothing, and no receipt is another than the log's", async () => {
  await show();
  const known = await loadLog();
  const index = hsm.log.append(state(3));
  const message = await hsm.log.view(keeper(), kid, [index]);
  const bytes = base64url.decode(message.slice("oc-view.1.".length));
  for (let at = 0; at < bytes.length; at += 3) {
    const changed = Uint8Array.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
    await deliver(`oc-view.1.${base64url.encode(changed)}`);
    expect([at, await head()]).toEqual([at, known?.head]);
    expect([null, 3]).toContain((await receipt())?.n ?? null);
    await transact(async (records) => records.clear("alarms"));
  }
  expect((await receipt()) ?? state(3)).toMatchObject(state(3));
  await deliver(message);
  expect([await head(), await receipt()]).toEqual([hsm.log.head(), expect.objectContaining({ n: 3 })]);
});

test("before the welcome nothing is looked at", async () => {
  globalThis.indexedDB = new IDBFactory();
  await pair((await hsm.invite()).code);
  expect(await show()).toEqual({ again: false });
  expect([await loadLog(), await codes(), (await loadPairing())?.state]).toEqual([null, [], "pairing"]);
});

test("unpairing, and pairing anew, forget the log", async () => {
  await show();
  await transact(async (records) => records.clear("pairing"));
  await pair((await hsm.invite()).code);
  expect(await loadLog()).toBeNull();
});

test("an identity that is replaced while its view is being verified says nothing any more", async () => {
  await show();
  const known = await loadLog();
  const pairing = await loadPairing();
  if (pairing === null) throw new Error("not paired");
  const index = hsm.log.append(state(3));
  const view = await hsm.log.view(keeper(), kid, [index]);
  const verify = crypto.subtle.verify.bind(crypto.subtle);
  vi.spyOn(crypto.subtle, "verify").mockImplementationOnce(async (...given) => {
    await transact(async (records) => records.put("pairing", SELF, { ...pairing, hsm: "A".repeat(43) }));
    return await verify(...given);
  });
  await deliver(view);
  expect([await loadLog(), await receipt()]).toEqual([known, null]);
});

test("the views after a rotation are of the same log", async () => {
  await show();
  const next = await makeHsm(hsm.log);
  await deliver(await stage.town.enact({ verb: "ROTATE", change: { to: next.jwk } }));
  hsm.log.grow(3);
  await deliver(await next.view(kid));
  expect([await head(), await kinds()]).toEqual([hsm.log.head(), []]);
  next.log = hsm.log.fork(6).grow(4, "Eve");
  await deliver(await next.view(kid, { from: 8 }));
  expect([(await head())?.size, await kinds()]).toEqual([8, ["split"]]);
});

test("encoding is one: the same view spelt otherwise is refused", async () => {
  const message = await hsm.view(kid);
  const view = JSON.parse(new TextDecoder().decode(base64url.decode(message.slice(10)))) as Parameters<
    typeof encodeView
  >[0];
  expect(encodeView(view)).toBe(message);
  await deliver(`oc-view.1.${base64url.encode(new TextEncoder().encode(JSON.stringify(view, null, 1)))}`);
  expect([await loadLog(), await codes()]).toEqual([null, ["ERR_LOG 1"]]);
});
