/** After a RESTORE: no request that ended with it is shown as open, or asked of a device. */
import { IDBFactory } from "fake-indexeddb";
import { decodeJwt } from "jose";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { approve, reject, signWithDevice } from "./actions.ts";
import { clock } from "./compose.ts";
import { transact } from "./database.ts";
import { others } from "./founding-double.ts";
import { deliver, type HsmDouble, makeHsm, REQUEST_ID } from "./hsm-double.ts";
import { FIRST, FOURTH, knownHead, makeScene, type Scene, SECOND, states, stored, THIRD } from "./restore-double.ts";
import { loadOutbox, loadRequests } from "./store.ts";

vi.mock("./browser.ts", () => ({ poke: vi.fn(), notify: vi.fn(), setBadge: vi.fn() }));

const START = 1_795_338_000;
const setClock = (seconds: number) => vi.setSystemTime(seconds * 1000);
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

test("what was open, or signed, ends; what ended otherwise, what acts did, and what was asked after it stands", async () => {
  const [open, signed, rejected, after] = [FIRST, SECOND, THIRD, FOURTH];
  const carriedOut: string[] = [];
  const policy = { ...scene.town.policy, contact: "Security desk, +41 44 000 00 01" };
  for (const motion of [
    { verb: "POLICY", change: { policy } },
    { verb: "UNFREEZE", change: { vault: null } },
  ] as const) {
    const asked = await scene.town.ask(motion);
    await deliver(asked.jws);
    const act = await scene.town.act(asked, await others(scene.town, asked));
    await scene.town.follow(act);
    await deliver(act);
    carriedOut.push(asked.payload.request);
  }
  for (const id of [open, signed, rejected]) await deliver(await scene.request(id));
  await deliver(await scene.receipt(signed, { n: 5, state: "signed", hash: `0x${"ab".repeat(32)}` }));
  await deliver(await scene.receipt(rejected, { n: 3, state: "rejected" }));
  const act = await scene.goBack(8);
  // The bridge brings what was proposed afterwards first.
  await deliver(await scene.request(after, clock() + 5));
  await deliver(act);
  expect(await states(open, signed, rejected, after)).toEqual(["void", "void", "rejected", "pending"]);
  expect((await stored(signed)).restored).toEqual({ was: "signed" });
  // What became of what ended here only the agent can tell: it is asked, the open ones first. Of an act no receipt has come, and it stands.
  const founding = (await loadRequests()).find(({ payload }) => payload.verb === "FOUND");
  const stands = [...carriedOut, founding?.id ?? ""];
  const { known } = await scene.synced();
  expect([await states(...stands), known.slice(0, 4).sort(), known.slice(4).sort()]).toEqual([
    ["pending", "pending", "pending"],
    [...stands, after].sort(),
    [open, signed],
  ]);
  await expect(signWithDevice(open, scene.mine.device)).rejects.toMatchObject({ code: "ERR_REQUEST_STATE" });
  expect(scene.mine.signed.filter((statement) => statement.includes(open))).toEqual([]);
  setClock(clock() + 10);
  await approve(after, await signWithDevice(after, scene.mine.device));
});

test("a receipt of the log that goes on counts, whatever its number, and from there on only higher ones", async () => {
  const [open, signed] = [FIRST, SECOND];
  for (const id of [open, signed]) await deliver(await scene.request(id));
  const backup = hsm.log.fork(hsm.log.size);
  await deliver(await scene.receipt(open, { n: 1, state: "approved" }));
  await deliver(await scene.receipt(signed, { n: 7, state: "signed" }));
  await deliver(await scene.goBack(backup.size));
  await deliver(await scene.receipt(open, { n: 1, state: "void" }));
  await deliver(await scene.receipt(signed, { n: 4, state: "signed" }));
  expect([await states(open, signed), (await scene.synced()).known.length]).toEqual([["void", "signed"], 1]);
  // Its words stay: what the older record does not know may have been sent.
  expect(await stored(open)).toMatchObject({ restored: { was: "approved" }, receipt: { n: 1 } });
  await deliver(await scene.receipt(signed, { n: 3, state: "void" }));
  expect(await states(signed)).toEqual(["signed"]);
  // And once more.
  await deliver(await scene.goBack(backup.size));
  await deliver(await scene.receipt(signed, { n: 2, state: "void" }));
  expect([await states(signed), (await stored(signed)).restored, (await stored(open)).restored]).toEqual([
    ["void"],
    { was: "signed" },
    { was: "approved" },
  ]);
});

test("one whose receipt came before the act has ended with it all the same; one that was void before has not", async () => {
  for (const id of [FIRST, SECOND]) await deliver(await scene.request(id));
  await deliver(await scene.receipt(FIRST, { n: 2, state: "void" }));
  const act = await scene.goBack(hsm.log.size);
  await deliver(await scene.receipt(SECOND, { n: 2, state: "void" }));
  await deliver(act);
  expect(await states(FIRST, SECOND)).toEqual(["void", "void"]);
  expect([(await stored(FIRST)).restored, (await stored(SECOND)).restored]).toEqual([undefined, { was: "void" }]);
});

test("a receipt that was kept for a request to come is of before", async () => {
  const id = FIRST;
  const jws = await scene.request(id);
  await deliver(jws);
  const message = await scene.receipt(id, { n: 9, state: "signed" });
  await transact(async (records) => records.remove("requests", id));
  await deliver(message);
  setClock(clock() + 60);
  await deliver(await scene.goBack(hsm.log.size));
  await deliver(jws);
  expect([await states(id), (await stored(id)).receipt]).toEqual([["pending"], null]);
});

test("a request is in the log that is known where a view that was proved shows it, and nowhere else", async () => {
  await deliver(await scene.request(FIRST));
  hsm.log.grow(3);
  await deliver(await hsm.view(kid));
  const { digest } = await stored(FIRST);
  const entry = { v: 1, kind: "state", at: clock(), request: FIRST, digest, hash: null } as const;
  const shownBy = async (log: typeof hsm.log, from: number) => {
    const index = log.append({ ...entry, n: log.size, state: "pending", records: [] });
    return await log.view(hsm, kid, [index], { from, consistency: log.consistency(from) });
  };
  // Of a log that parted from this one below what is known, and of what is not proved to go on from it.
  await deliver(await shownBy(hsm.log.fork(9), 8));
  await deliver(await shownBy(hsm.log.fork(11), 10));
  expect([await stored(FIRST), await knownHead()]).toMatchObject([{ receipt: { n: 11 } }, hsm.log.head()]);
  expect((await stored(FIRST)).inLog).toBeUndefined();
  // Its number is no higher.
  await deliver(await shownBy(hsm.log, 11));
  expect((await stored(FIRST)).inLog).toBe(true);
});

test("approvals that wait end with their requests, or are given back; stops go on", async () => {
  const [before, after] = [FIRST, SECOND];
  await deliver(await scene.request(before));
  await deliver(await scene.request(REQUEST_ID));
  await approve(before, await signWithDevice(before, scene.mine.device));
  await reject(REQUEST_ID, "other");
  const act = await scene.goBack(8);
  await deliver(await scene.request(after, clock() + 5));
  setClock(clock() + 10);
  await approve(after, await signWithDevice(after, scene.mine.device));
  await deliver(act);
  expect((await loadOutbox()).map(({ kind }) => kind)).toEqual(["rejection"]);
  // What was given up may hold it, and a signature that it led to: only that no receipt came is known here.
  expect((await stored(before)).mine).toMatchObject([
    {
      refusal: { message: expect.stringMatching(/no receipt.*may have counted before: ask your operator/) as unknown },
    },
  ]);
  expect((await stored(after)).mine).toMatchObject([
    { refusal: { message: expect.stringContaining("approve it again") as unknown } },
  ]);
  // The agent had it after all.
  const [mine] = (await stored(after)).mine;
  const one = { kind: "approval", person: "Ada", at: clock(), vendor: null, address: null, reason: null } as const;
  await deliver(await scene.receipt(after, { n: 2, records: [{ ...one, of: mine?.jti ?? "" }] }));
  expect((await stored(after)).mine).toMatchObject([{ received: true, refusal: null }]);
});

test("while a device asks: what it signs for a request that ended is not sent, nor does an approval name the log that was given up", async () => {
  const [before, after] = [FIRST, SECOND];
  await deliver(await scene.request(before));
  const late = await signWithDevice(before, scene.mine.device);
  hsm.log.grow(2, "Bob");
  await deliver(await hsm.view(kid));
  const act = await scene.goBack(8);
  await deliver(await scene.request(after, clock() + 5));
  setClock(clock() + 10);
  const signed = await signWithDevice(after, scene.mine.device);
  const sign = crypto.subtle.sign.bind(crypto.subtle);
  const spy = vi.spyOn(crypto.subtle, "sign").mockImplementationOnce(async (...given) => {
    await deliver(act);
    return await sign(...given);
  });
  await expect(approve(after, signed)).rejects.toMatchObject({ code: "ERR_LOG" });
  spy.mockRestore();
  await expect(approve(before, late)).rejects.toMatchObject({ code: "ERR_REQUEST_STATE" });
  expect(await loadOutbox()).toEqual([]);
  await approve(after, signed);
  expect(decodeJwt((await loadOutbox())[0]?.jws ?? "")).toMatchObject({ log: hsm.log.head(8) });
});

test("a rotation that another identity asks for is not in this record, and does not end with it", async () => {
  const next = await makeHsm(hsm.log);
  const asked = await scene.town.ask({ verb: "ROTATE", change: { to: next.jwk } }, {}, next.signer);
  await deliver(asked.jws, next.signer.kid);
  await deliver(await scene.goBack(8));
  const { request } = asked.payload;
  expect([(await stored(request)).byNextIdentity, await states(request)]).toEqual([true, ["pending"]]);
});
