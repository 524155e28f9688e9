/** While the alarm stands nothing is approved and no device is asked; stopping goes on; the admins end it. */
import { IDBFactory } from "fake-indexeddb";
import { decodeJwt } from "jose";
import { beforeEach, expect, test, vi } from "vitest";
import type { TreeHead } from "../protocol/checkpoint.ts";
import type { Motion } from "../protocol/governance.ts";
import {
  approve,
  freeze,
  loadAlarms,
  loadLog,
  loadRequest,
  loadTrust,
  reject,
  signWithDevice,
  unpair,
  withdraw,
} from "./actions.ts";
import { drawAttention, pageOf } from "./attention.ts";
import { notify, setBadge } from "./browser.ts";
import { checkRequest, readRequest } from "./check.ts";
import { transact } from "./database.ts";
import { approveAsAda, type Founded, foundTown, others } from "./founding-double.ts";
import { deliver, type HsmDouble, makeHsm, REQUEST_ID } from "./hsm-double.ts";
import { makeStation } from "./station.ts";
import { loadOutbox, loadPairing, SELF } from "./store.ts";

vi.mock("./browser.ts", () => ({ poke: vi.fn(), notify: vi.fn(), setBadge: vi.fn() }));

let stage: Founded;
let hsm: HsmDouble;
let kid = "";

beforeEach(async () => {
  vi.clearAllMocks();
  globalThis.indexedDB = new IDBFactory();
  stage = await foundTown();
  ({ hsm, kid } = stage);
  stage.mine.signed.length = 0;
  await deliver(await hsm.request(kid, stage.town.transfer()));
  hsm.log.grow(8);
  await deliver(await hsm.view(kid));
});

const REFUSED = { code: "ERR_LOG" };
const kinds = async () => (await loadAlarms()).map(({ kind }) => kind);
/** The agent shows another log of the same size. */
const split = async () => {
  await deliver(await hsm.log.fork(5).grow(3, "Eve").view({ signer: hsm.signer, jwk: hsm.jwk }, kid));
  expect(await kinds()).toEqual(["split"]);
};
const restoring = (log: TreeHead): Motion => ({ verb: "RESTORE", change: { log, seen: null, nonces: [] } });
const frame = async () => {
  const station = makeStation("pinned", async () => undefined);
  await station.card(await hsm.card(), hsm.signer.kid);
  return await station.outgoing({ as: "own", hsm: hsm.signer.kid, fresh: true, sent: new Set() });
};

test("no device is asked, nothing is checked through, and what a device signed before is not sent", async () => {
  const signed = await signWithDevice(REQUEST_ID, stage.mine.device);
  const address = vi.spyOn(stage.mine.device, "address");
  await split();
  stage.mine.signed.length = 0;
  const stored = await loadRequest(REQUEST_ID);
  if (stored === null) throw new Error("no request");
  await expect(checkRequest(stored, await loadTrust())).rejects.toMatchObject(REFUSED);
  await expect(readRequest(stored, await loadTrust())).resolves.toMatchObject({ kind: "transfer" });
  await expect(signWithDevice(REQUEST_ID, stage.mine.device)).rejects.toMatchObject(REFUSED);
  await expect(approve(REQUEST_ID, signed)).rejects.toMatchObject(REFUSED);
  expect([stage.mine.signed, address.mock.calls, await loadOutbox()]).toEqual([[], [], []]);
});

test("an alarm that comes between the check and the record is seen there", async () => {
  const signed = await signWithDevice(REQUEST_ID, stage.mine.device);
  const alarm = { kind: "split", person: null, known: "", shown: "", at: 1, notified: false } as const;
  const sign = crypto.subtle.sign.bind(crypto.subtle);
  vi.spyOn(crypto.subtle, "sign").mockImplementationOnce(async (...given) => {
    await transact(async (records) => records.put("alarms", "split", alarm));
    return await sign(...given);
  });
  await expect(approve(REQUEST_ID, signed)).rejects.toMatchObject(REFUSED);
  expect(await loadOutbox()).toEqual([]);
});

test("rejecting, withdrawing and freezing go on", async () => {
  await split();
  await withdraw(REQUEST_ID);
  await reject(REQUEST_ID, "suspicious");
  await freeze(null);
  expect((await loadOutbox()).map(({ kind }) => kind).sort()).toEqual(["freeze", "rejection", "withdrawal"]);
});

test("the badge and one notification say so", async () => {
  await drawAttention();
  expect(setBadge).toHaveBeenLastCalledWith("1");
  vi.mocked(notify).mockClear();
  await split();
  await Promise.all([drawAttention(), drawAttention()]);
  await drawAttention();
  expect(setBadge).toHaveBeenLastCalledWith("!");
  expect(vi.mocked(notify).mock.calls).toEqual([["alarm", "Approve nothing", expect.any(String)]]);
  expect([pageOf("alarm"), pageOf(REQUEST_ID)]).toEqual(["inbox.html", `approval.html?request=${REQUEST_ID}`]);
});

test("an approval carries what is known of the log; the agent's answer that it is not there raises the alarm", async () => {
  await approve(REQUEST_ID, await signWithDevice(REQUEST_ID, stage.mine.device));
  const [item] = await loadOutbox();
  expect(decodeJwt(item?.jws ?? "")).toMatchObject({ log: hsm.log.head() });
  const refusal = await hsm.refusal(kid, item?.jti ?? "", { request: REQUEST_ID, code: "ERR_LOG" });
  await deliver(refusal);
  const known = (await loadLog())?.note;
  expect(await loadAlarms()).toMatchObject([{ kind: "behind", person: null, known, shown: refusal }]);
  expect((await loadRequest(REQUEST_ID))?.mine).toMatchObject([{ refusal: REFUSED }]);
});

test("so does its answer to a sync; an answer to nothing of ours, or with another code, does not", async () => {
  expect((await frame()).frames).toHaveLength(1);
  const [sync = ""] = (await loadLog())?.syncs ?? [];
  const strangers = await (await makeHsm()).refusal(kid, sync, { code: "ERR_LOG" });
  await deliver(strangers);
  await deliver(await hsm.refusal(kid, "A".repeat(22), { code: "ERR_LOG" }));
  await deliver(await hsm.refusal(kid, sync, { code: "ERR_MEMBER_UNKNOWN" }));
  expect(await kinds()).toEqual([]);
  await deliver(await hsm.refusal(kid, sync, { code: "ERR_LOG" }));
  expect(await kinds()).toEqual(["behind"]);
});

test("a decision that needs no log is not taken for one: a rejection that is refused raises no alarm", async () => {
  await reject(REQUEST_ID, "other");
  const [item] = await loadOutbox();
  await deliver(await hsm.refusal(kid, item?.jti ?? "", { request: REQUEST_ID, code: "ERR_LOG" }));
  expect(await kinds()).toEqual([]);
});

test("the next identity of a rotation has no say about the log", async () => {
  const next = await makeHsm(hsm.log);
  const asked = await stage.town.ask({ verb: "ROTATE", change: { to: next.jwk } }, {}, next.signer);
  await deliver(asked.jws, next.signer.kid);
  await approveAsAda(stage, asked);
  const [item] = await loadOutbox();
  await deliver(await next.refusal(kid, item?.jti ?? "", { code: "ERR_LOG" }), next.signer.kid);
  const known = await loadLog();
  next.log = hsm.log.fork(5).grow(9, "Eve");
  await deliver(await next.view(kid), next.signer.kid);
  expect([await kinds(), await loadLog()]).toEqual([[], known]);
});

test("a decision of the admins to go on from another state is approved while it stands, and ends it", async () => {
  hsm.log = hsm.log.fork(5).grow(2, "Eve");
  await split();
  const { town } = stage;
  const decided = hsm.log.head();
  const asked = await town.ask(restoring(decided));
  await deliver(asked.jws);
  const approvals = [await approveAsAda(stage, asked), ...(await others(town, asked))];
  expect(await kinds()).toEqual(["split"]);
  const act = await town.act(asked, approvals);
  await town.follow(act);
  await deliver(act);
  expect(await kinds()).toEqual([]);
  expect(await loadLog()).toMatchObject({ head: decided, note: null, heads: [decided] });
  hsm.log.grow(4);
  await deliver(await hsm.view(kid, { from: decided.size, consistency: hsm.log.consistency(decided.size) }));
  expect([await kinds(), (await loadLog())?.head]).toEqual([[], hsm.log.head()]);
});

test("an approval that waits is held while it stands, a stop is not; after the decision it ends with its request, and its refusal says nothing", async () => {
  const signed = await signWithDevice(REQUEST_ID, stage.mine.device);
  await approve(REQUEST_ID, signed);
  const [item] = await loadOutbox();
  const sent = async () => (await frame()).frames.length;
  expect(await sent()).toBe(2);
  await split();
  expect(await sent()).toBe(1);
  await freeze(null);
  expect(await sent()).toBe(2);
  await deliver(await stage.town.enact(restoring(hsm.log.head(6))));
  expect((await loadOutbox()).map(({ kind }) => kind)).toEqual(["freeze"]);
  expect((await loadRequest(REQUEST_ID))?.mine).toMatchObject([{ refusal: REFUSED, received: false }]);
  await deliver(await hsm.refusal(kid, item?.jti ?? "", { request: REQUEST_ID, code: "ERR_LOG" }));
  expect(await kinds()).toEqual([]);
  await expect(approve(REQUEST_ID, signed)).rejects.toMatchObject({ code: "ERR_REQUEST_STATE" });
  expect((await loadOutbox()).map(({ kind }) => kind)).toEqual(["freeze"]);
});

test("an approval of the decision itself is sent while it stands", async () => {
  await split();
  const asked = await stage.town.ask(restoring(hsm.log.head(6)));
  await deliver(asked.jws);
  await approveAsAda(stage, asked);
  expect((await frame()).frames).toHaveLength(2);
});

test("another act ends nothing, nor does a decision of the time before the pairing", async () => {
  await split();
  await deliver(await stage.town.enact({ verb: "UNFREEZE", change: { vault: null } }));
  const pairing = await loadPairing();
  if (pairing === null) throw new Error("not paired");
  const joinedAt = pairing.joinedAt + 600;
  await transact(async (records) => records.put("pairing", SELF, { ...pairing, joinedAt }));
  await deliver(await stage.town.enact(restoring(hsm.log.head(2))));
  expect([await kinds(), (await loadLog())?.head.size]).toEqual([["split"], 8]);
});

test("unpairing ends it", async () => {
  await split();
  await unpair();
  expect(await kinds()).toEqual([]);
});
