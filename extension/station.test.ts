import { IDBFactory } from "fake-indexeddb";
import { decodeJwt } from "jose";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openCheckpoint } from "../protocol/checkpoint.ts";
import { openEnvelope } from "../protocol/envelope.ts";
import { REJECTION, SYNC, WITNESS } from "../protocol/message.ts";
import { type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import { makeSealKey, peekSeal, publicSealJwk, unseal } from "../protocol/seal.ts";
import { pair, reject } from "./actions.ts";
import { clock } from "./compose.ts";
import { transact } from "./database.ts";
import { BRIDGE, breakSignature, deliver, type HsmDouble, makeHsm, REQUEST_ID } from "./hsm-double.ts";
import type { Moment } from "./link.ts";
import { makeStation } from "./station.ts";
import { loadLink, loadLog, loadNotices, loadOutbox, loadPairing, loadRequests, SELF } from "./store.ts";

vi.mock("./browser.ts", () => ({ poke: async () => undefined }));

const START = 1_795_338_000;
const setClock = (seconds: number) => vi.setSystemTime(seconds * 1000);

let hsm: HsmDouble;
let own: PublicJwk;
let agentKey: CryptoKeyPair;
const station = makeStation("pinned", async () => undefined);

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  setClock(START);
  globalThis.indexedDB = new IDBFactory();
  hsm = await makeHsm();
  agentKey = hsm.sealKey;
  await pair((await hsm.invite()).code);
  const pairing = await loadPairing();
  if (pairing === null) throw new Error("not pairing");
  own = pairing.pair.key;
  await deliver(await hsm.welcome(pairing.kid));
  await deliver(await hsm.request(pairing.kid));
  await reject(REQUEST_ID, "other");
});
afterEach(() => void vi.useRealTimers());

const moment = (change: Partial<Moment> = {}): Moment => ({
  as: "own",
  hsm: hsm.signer.kid,
  fresh: false,
  sent: new Set(),
  ...change,
});
const show = async (jws: string) => await station.card(jws, hsm.signer.kid);
const send = async (change?: Partial<Moment>) => (await station.outgoing(moment(change))).frames;
const opensWith = async (body: string, { privateKey }: CryptoKeyPair) =>
  await unseal(body, () => privateKey).then(
    () => true,
    () => false,
  );
const notices = async () => (await loadNotices()).map(({ code, count }) => [code, count]);

test("without a card nothing is sent, and the reason is said; with one the outbox goes out", async () => {
  expect(await station.outgoing(moment({ fresh: true }))).toMatchObject({
    frames: [],
    problem: { code: "ERR_AGENT_UNREACHABLE" },
  });
  await show(await hsm.card());
  const [frame] = await send();
  if (frame === undefined) throw new Error("nothing sent");
  const jws = await unseal(frame.body, () => agentKey.privateKey);
  const expected = { type: REJECTION, keyOf: () => own, audience: hsm.signer.kid, now: clock() };
  expect((await openEnvelope(jws, expected)).payload).toMatchObject({ request: REQUEST_ID, reason: "other" });
  expect(frame.to).toBe(hsm.signer.kid);
  expect((await loadOutbox())[0]?.jws).toBe(jws);
});

test("a sync names the charter, what is known and the receiving key", async () => {
  await show(await hsm.card());
  const [frame] = await send({ fresh: true });
  const jws = await unseal(frame?.body ?? "", () => agentKey.privateKey);
  const { payload } = await openEnvelope(jws, {
    type: SYNC,
    keyOf: () => own,
    audience: hsm.signer.kid,
    now: clock(),
  });
  const seal = (await loadPairing())?.pair.seal;
  expect(payload).toMatchObject({ known: [REQUEST_ID], charter: 0, seal: { n: 1, key: seal } });
  expect([payload.log, payload.witness]).toEqual([null, null]);
});

const synced = async () => {
  const [frame] = await send({ fresh: true });
  const jws = await unseal(frame?.body ?? "", () => agentKey.privateKey);
  const expected = { type: SYNC, keyOf: () => own, audience: hsm.signer.kid, now: clock() };
  return (await openEnvelope(jws, expected)).payload;
};

test("a sync says what is known of the log, with a witness that lasts 30 days, and is remembered", async () => {
  await show(await hsm.card());
  hsm.log.grow(5);
  await deliver(await hsm.view(thumbprint(own)));
  const sync = await synced();
  expect(sync.log).toEqual(hsm.log.head());
  const { payload } = await openEnvelope(sync.witness ?? "", {
    type: WITNESS,
    keyOf: () => own,
    audience: hsm.signer.kid,
    now: START + 30 * 24 * 3600 - 1,
  });
  expect(payload.exp - payload.iat).toBe(30 * 24 * 3600);
  const opened = await openCheckpoint(payload.checkpoint, { origin: hsm.log.origin, keys: [hsm.jwk] });
  expect(opened.head).toEqual(hsm.log.head());
  expect((await loadLog())?.syncs).toEqual([sync.jti]);
});

test("a head that the admins named has no checkpoint: the sync says it without a witness", async () => {
  await show(await hsm.card());
  hsm.log.grow(5);
  await deliver(await hsm.view(thumbprint(own)));
  const known = await loadLog();
  if (known === null) throw new Error("nothing known");
  await transact(async (records) => records.put("log", SELF, { ...known, note: null }));
  expect(await synced()).toMatchObject({ log: hsm.log.head(), witness: null });
});

test("a newer card asks for a sync; the same one, an older one and a refused one do not", async () => {
  expect(await show(await hsm.card({ n: 2 }))).toEqual({ again: true });
  expect(await show(await hsm.card({ n: 2 }))).toEqual({ again: false });
  expect(await show(await hsm.card({ n: 1 }))).toEqual({ again: false });
  expect(await show(breakSignature(await hsm.card({ n: 3 })))).toEqual({ again: false });
  expect(await show(await hsm.card({ n: 3, iat: START - 100, exp: START }))).toEqual({ again: false });
  expect(await show(await hsm.card({ n: 3 }))).toEqual({ again: true });
});

test("a rotation that only the next identity asked for is not asked about", async () => {
  const [stored] = await loadRequests();
  if (stored === undefined) throw new Error("no request");
  const other = { ...stored, id: "ROTATE", byNextIdentity: true, payload: { ...stored.payload, iss: "next" } };
  await transact(async (records) => records.put("requests", other.id, other));
  await show(await hsm.card());
  const [frame] = await send({ fresh: true });
  const jws = await unseal(frame?.body ?? "", () => agentKey.privateKey);
  expect(decodeJwt(jws)).toMatchObject({ known: [REQUEST_ID] });
});

test("the same message under the same card has the same id, and is not sealed again", async () => {
  await show(await hsm.card());
  const [first] = await send();
  const [again] = await send();
  expect([again?.id, again?.body === first?.body]).toEqual([first?.id, false]);
  expect(await send({ sent: new Set([first?.id ?? ""]) })).toEqual([]);
});

test("after a newer card everything is sealed to it, under other ids: a stolen old key opens nothing new", async () => {
  const stolen = agentKey;
  const renewed = await makeSealKey(false);
  await show(await hsm.card());
  const [old] = await send();
  await show(await hsm.card({ n: 2, seal: await publicSealJwk(renewed) }));
  const [fresh, ...more] = await send({ sent: new Set([old?.id ?? ""]) });
  if (old === undefined || fresh === undefined) throw new Error("nothing sent");
  expect([fresh.id === old.id, more.length]).toEqual([false, 0]);
  expect(peekSeal(fresh.body).kid).toBe(thumbprint(await publicSealJwk(renewed)));
  expect([await opensWith(old.body, stolen), await opensWith(fresh.body, stolen)]).toEqual([true, false]);
  expect(await opensWith(fresh.body, renewed)).toBe(true);
});

test("a lower card, and another card of the same number, are refused and counted", async () => {
  const renewed = await makeSealKey(false);
  await show(await hsm.card({ n: 2, seal: await publicSealJwk(renewed) }));
  await show(await hsm.card({ n: 1 }));
  await show(await hsm.card({ n: 2 }));
  const [frame] = await send();
  expect(await opensWith(frame?.body ?? "", renewed)).toBe(true);
  expect(await notices()).toEqual([["ERR_CARD_OLD", 2]]);
});

test("nothing is sealed to a card that has expired, nor to a lower one after it", async () => {
  await show(await hsm.card({ n: 2, exp: START + 60 }));
  setClock(START + 60);
  expect(await station.outgoing(moment())).toMatchObject({ frames: [], problem: { code: "ERR_AGENT_UNREACHABLE" } });
  await show(await hsm.card({ n: 1 }));
  await show(await hsm.card({ n: 3, iat: START - 100, exp: START }));
  expect(await send()).toEqual([]);
  await show(await hsm.card({ n: 3 }));
  expect(await send()).toHaveLength(1);
});

test("a card of another HSM, for another bridge or altered is refused and counted", async () => {
  const stranger = await makeHsm();
  const lies = [
    await stranger.card(),
    await stranger.card({ hsm: hsm.jwk }),
    await hsm.card({ hsm: stranger.jwk }),
    await hsm.card({ aud: ["wss://other.example/"] }),
    breakSignature(await hsm.card()),
    await hsm.welcome(hsm.signer.kid),
  ];
  for (const lie of lies) await show(lie);
  expect(await send()).toEqual([]);
  expect((await notices()).reduce((sum, [, count]) => sum + Number(count), 0)).toBe(lies.length);
});

test("a reseal brings a card and asks again; a late one with a lower card changes nothing", async () => {
  const kid = (await loadPairing())?.kid ?? "";
  const renewed = await makeSealKey(false);
  await show(await hsm.card());
  const newer = await hsm.card({ n: 2, seal: await publicSealJwk(renewed) });
  expect(await deliver(await hsm.reseal(kid, newer))).toEqual({ again: true });
  await deliver(await hsm.reseal(kid, await hsm.card()));
  const [frame] = await send();
  expect(await opensWith(frame?.body ?? "", renewed)).toBe(true);
  await deliver(await hsm.reseal(kid, breakSignature(newer)));
  await deliver(await (await makeHsm()).reseal(kid, newer));
  expect((await notices()).map(([code]) => code)).not.toContain("ERR_CARD_OLD");
  expect((await notices()).reduce((sum, [, count]) => sum + Number(count), 0)).toBe(2);
});

test("while pairing the invite's key sends the pairing message and nothing else", async () => {
  globalThis.indexedDB = new IDBFactory();
  await pair((await hsm.invite()).code);
  await show(await hsm.card());
  expect(await send({ as: "invite", fresh: true })).toHaveLength(1);
  expect((await station.credentials())?.bridge).toBe(BRIDGE);
});

test("the state is written once", async () => {
  await station.status("online", null);
  const { since } = await loadLink();
  setClock(START + 60);
  await station.status("online", null);
  expect(await loadLink()).toEqual({ state: "online", since, problem: null });
  await makeStation("next", async () => undefined).status("offline", null);
  expect((await loadLink()).state).toBe("online");
});
