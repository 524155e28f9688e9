import { IDBFactory } from "fake-indexeddb";
import { beforeEach, expect, test, vi } from "vitest";
import { openEnvelope } from "../protocol/envelope.ts";
import { PAIR, type RequestRecord } from "../protocol/message.ts";
import { thumbprint } from "../protocol/primitive.ts";
import { enrol, pair, reject } from "./actions.ts";
import { clock } from "./compose.ts";
import { transact } from "./database.ts";
import { breakSignature, DESTINATION, deliver, type HsmDouble, makeHsm, REQUEST_ID } from "./hsm-double.ts";
import { receive } from "./inbox.ts";
import { loadDevices, loadNotices, loadOutbox, loadPairing, loadRequest, loadRequests } from "./store.ts";

vi.mock("./browser.ts", () => ({ poke: async () => undefined }));

let hsm: HsmDouble;
let kid = "";

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  hsm = await makeHsm();
  await pair((await hsm.invite()).code);
  kid = (await loadPairing())?.kid ?? "";
});

const now = () => clock();
const paired = async () => await deliver(await hsm.welcome(kid));
const digestOf = async () => (await loadRequest(REQUEST_ID))?.digest ?? "";
const record = (of: string): RequestRecord => ({
  kind: "rejection",
  person: "Ada",
  of,
  at: clock(),
  vendor: null,
  address: null,
  reason: "other",
});

test("the invite's key signs the pairing message, and a welcome of the pinned HSM completes it", async () => {
  const pairing = await loadPairing();
  const [item] = await loadOutbox();
  const key = pairing?.invite?.key;
  if (item === undefined || key === undefined) throw new Error("nothing to send");
  const { payload } = await openEnvelope(item.jws, {
    type: PAIR,
    keyOf: () => key,
    audience: hsm.signer.kid,
    now: now(),
  });
  expect(thumbprint(payload.key)).toBe(kid);
  await paired();
  expect(await loadPairing()).toMatchObject({ state: "paired", name: "Ada", hsmJwk: hsm.jwk, invite: null });
  expect(await loadOutbox()).toEqual([]);
});

test("a welcome of another HSM, of a broken signature or for another browser pairs nothing", async () => {
  const stranger = await makeHsm();
  const lies = [
    await stranger.welcome(kid),
    await stranger.welcome(kid, { hsm: hsm.jwk }),
    breakSignature(await hsm.welcome(kid)),
    await hsm.welcome(stranger.signer.kid),
    await hsm.welcome(kid, { hsm: stranger.jwk }),
  ];
  for (const lie of lies) await deliver(lie);
  expect(await loadPairing()).toMatchObject({ state: "pairing", hsmJwk: null });
  expect((await loadNotices()).reduce((sum, notice) => sum + notice.count, 0)).toBe(lies.length);
});

test("a refusal of the pairing ends it only where the HSM signed it", async () => {
  const [item] = await loadOutbox();
  const { invite } = (await loadPairing()) ?? {};
  const to = invite ? thumbprint(invite.key) : "";
  await deliver(await (await makeHsm()).refusal(to, item?.jti ?? ""));
  expect((await loadPairing())?.state).toBe("pairing");
  await deliver(await hsm.refusal(to, item?.jti ?? ""));
  expect(await loadPairing()).toMatchObject({ state: "refused", problem: { code: "ERR_INVITE" } });
});

test("an older welcome that comes late changes nothing", async () => {
  await deliver(await hsm.welcome(kid, { name: "Ada2" }));
  await deliver(await hsm.welcome(kid, { name: "Ada", iat: clock() - 60 }));
  expect((await loadPairing())?.name).toBe("Ada2");
});

test("a request is kept once, however often it comes", async () => {
  await paired();
  const jws = await hsm.request(kid);
  for (let times = 0; times < 3; times += 1) await deliver(jws);
  expect(await loadRequests()).toMatchObject([{ id: REQUEST_ID, jws, problem: null, notice: null, mine: [] }]);
});

test("another request under the same id is not taken, and the first is marked", async () => {
  await paired();
  const jws = await hsm.request(kid);
  await deliver(jws);
  await deliver(await hsm.request(kid, { initiator: "Eve" }));
  expect(await loadRequest(REQUEST_ID)).toMatchObject({ jws, problem: { code: "ERR_REQUEST_DIFFERS" } });
});

test("a request that fails its checks is kept and says why", async () => {
  await paired();
  const effect = { amount: "15.00", asset: "ETH", to: DESTINATION, maxFee: "0.00063 ETH", nonce: 7 };
  await deliver(await hsm.request(kid, { effect }));
  const stored = await loadRequest(REQUEST_ID);
  expect(stored?.problem).toMatchObject({
    code: "ERR_REQUEST_DIFFERS",
    message: expect.stringContaining("amount") as unknown,
  });
});

test("a request that arrives after its expiry is kept, and is no forgery", async () => {
  await paired();
  const iat = clock() - 7200;
  await deliver(await hsm.request(kid, { iat, exp: iat - (iat % 60) + 600 }));
  expect((await loadRequest(REQUEST_ID))?.problem).toBeNull();
  expect(await loadNotices()).toEqual([]);
});

test("a forged request is not kept; it is counted and told", async () => {
  await paired();
  const lies = [await (await makeHsm()).request(kid), breakSignature(await hsm.request(kid)), "e30.e30.AA"];
  for (const lie of lies) await deliver(lie);
  await receive("not.sealed", hsm.signer.kid, now());
  expect(await loadRequests()).toEqual([]);
  const notices = await loadNotices();
  expect(notices.reduce((sum, notice) => sum + notice.count, 0)).toBe(lies.length + 1);
  expect(notices[0]?.message).toContain("failed verification");
});

test("a receipt in another's log changes nothing and is told; one of another request is told on the request's page", async () => {
  await paired();
  await deliver(await hsm.request(kid));
  const digest = await digestOf();
  await deliver(await (await makeHsm()).receipt(kid, digest, { state: "signed" }));
  await deliver(await (await makeHsm(hsm.log)).receipt(kid, digest, { state: "signed" }));
  expect(await loadRequest(REQUEST_ID)).toMatchObject({ receipt: null, notice: null });
  expect(await loadNotices()).toMatchObject([{ code: "ERR_LOG", count: 2 }]);
  await deliver(await hsm.receipt(kid, "00".repeat(32), { state: "signed" }));
  expect(await loadRequest(REQUEST_ID)).toMatchObject({ receipt: null, notice: { code: "ERR_REQUEST_DIFFERS" } });
});

test("receipts only go forward", async () => {
  await paired();
  await deliver(await hsm.request(kid));
  const digest = await digestOf();
  await deliver(await hsm.receipt(kid, digest, { n: 3, state: "approved" }));
  await deliver(await hsm.receipt(kid, digest, { n: 2, state: "pending" }));
  await deliver(await hsm.receipt(kid, digest, { n: 3, state: "pending" }));
  expect((await loadRequest(REQUEST_ID))?.receipt).toMatchObject({ n: 3, state: "approved" });
});

test("an early receipt of the very request is found when the request arrives", async () => {
  await paired();
  const jws = await hsm.request(kid);
  await deliver(jws);
  const digest = await digestOf();
  await transact(async (records) => records.remove("requests", REQUEST_ID));
  await deliver(await hsm.receipt(kid, digest, { n: 2, state: "approved" }));
  await deliver(jws);
  expect(await loadRequest(REQUEST_ID)).toMatchObject({ receipt: { n: 2, state: "approved" }, inLog: true });
});

test("a message leaves the outbox only when a verified receipt names it", async () => {
  await paired();
  await deliver(await hsm.request(kid));
  await reject(REQUEST_ID, "other");
  const [item] = await loadOutbox();
  const digest = await digestOf();
  await deliver(await (await makeHsm()).receipt(kid, digest, { n: 9, records: [record(item?.jti ?? "")] }));
  await deliver(await hsm.receipt(kid, digest, { n: 2 }));
  expect(await loadOutbox()).toEqual([item]);
  expect((await loadRequest(REQUEST_ID))?.mine).toMatchObject([{ received: false }]);
  const named = { n: 3, state: "rejected", records: [record(item?.jti ?? "")] } as const;
  const receipt = await hsm.receipt(kid, digest, { ...named, records: [...named.records] });
  await deliver(receipt);
  await deliver(receipt);
  expect(await loadOutbox()).toEqual([]);
  expect((await loadRequest(REQUEST_ID))?.mine).toMatchObject([{ kind: "rejection", received: true, refusal: null }]);
});

test("a refusal of a decision is kept with it", async () => {
  await paired();
  await deliver(await hsm.request(kid));
  await reject(REQUEST_ID, "other");
  const [item] = await loadOutbox();
  const about = { request: REQUEST_ID, code: "ERR_REQUEST_STATE", message: "It is signed already." } as const;
  await deliver(await hsm.refusal(kid, item?.jti ?? "", about));
  expect(await loadOutbox()).toEqual([]);
  expect((await loadRequest(REQUEST_ID))?.mine).toMatchObject([{ refusal: { code: "ERR_REQUEST_STATE" } }]);
});

test("a device goes from sent to pending to enrolled, and a refused one says why", async () => {
  await paired();
  const device = { address: DESTINATION, vendor: "Ledger", model: "flex", path: "m/44'/60'/7'/0/0" } as const;
  await enrol(device);
  const [item] = await loadOutbox();
  expect(item?.kind).toBe("enrolment");
  await deliver(await hsm.refusal(kid, item?.jti ?? "", { code: "ERR_DEVICE_TAKEN" }));
  expect(await loadDevices()).toMatchObject([{ state: "refused", problem: { code: "ERR_DEVICE_TAKEN" } }]);
  await enrol(device);
  for (const state of ["pending", "enrolled"] as const) {
    const { address, vendor, model } = device;
    await deliver(await hsm.welcome(kid, { devices: [{ address, vendor, model, state }] }));
    expect(await loadDevices()).toMatchObject([{ ...device, state, problem: null }]);
    expect(await loadOutbox()).toEqual([]);
  }
  await deliver(await hsm.welcome(kid));
  expect(await loadDevices()).toEqual([]);
});

test("where the store fails nothing is acknowledged, and the next delivery does it all", async () => {
  await paired();
  const jws = await hsm.request(kid);
  let opens = 0;
  vi.spyOn(indexedDB, "open").mockImplementation((...given) => {
    opens += 1;
    if (opens > 4) throw new Error("the disk is full");
    return IDBFactory.prototype.open.call(indexedDB, ...given);
  });
  await expect(deliver(jws)).rejects.toThrow("disk");
  vi.restoreAllMocks();
  expect(await loadRequests()).toEqual([]);
  await deliver(jws);
  expect(await loadRequests()).toHaveLength(1);
});
