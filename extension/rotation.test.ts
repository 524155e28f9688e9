/** From one HSM identity to the next: only with the devices' quorum, whoever signs and whoever delivers. */
import { IDBFactory } from "fake-indexeddb";
import { beforeEach, expect, test, vi } from "vitest";
import { openEnvelope } from "../protocol/envelope.ts";
import type { Motion } from "../protocol/governance.ts";
import { FREEZE } from "../protocol/message.ts";
import { requestDigest } from "../protocol/request.ts";
import {
  approve,
  freeze,
  isFreezeReceived,
  loadCharter,
  loadRequest,
  loadStops,
  reject,
  signWithDevice,
} from "./actions.ts";
import { checkRequest } from "./check.ts";
import { clock } from "./compose.ts";
import { type Founded, foundTown, others } from "./founding-double.ts";
import { deliver, type HsmDouble, makeHsm, REQUEST_ID } from "./hsm-double.ts";
import { makeStation } from "./station.ts";
import { loadLog, loadNotices, loadOutbox, loadPairing, loadRequests } from "./store.ts";
import { loadTrust } from "./trust.ts";

vi.mock("./browser.ts", () => ({ poke: async () => undefined }));

let stage: Founded;
let next: HsmDouble;
let rotate: Motion;

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  stage = await foundTown();
  next = await makeHsm(stage.hsm.log);
  rotate = { verb: "ROTATE", change: { to: next.jwk } };
});

const codes = async () => (await loadNotices()).map(({ code }) => code);
const pinned = async () => (await loadPairing())?.hsm;
/** Delivered by the next identity's agent. */
const deliverNext = async (jws: string) => await deliver(jws, next.signer.kid);

test("signed by the old identity: the pin moves, and nothing of the old identity's is believed any more", async () => {
  const { town, hsm, kid } = stage;
  await deliver(await town.enact(rotate));
  expect(await loadPairing()).toMatchObject({ hsm: next.signer.kid, hsmJwk: next.jwk, state: "paired", name: "Ada" });
  expect(await loadCharter()).toEqual(town.charter);
  expect((await makeStation("pinned", async () => undefined).credentials())?.hsm).toBe(next.signer.kid);
  await deliver(await next.welcome(kid, { name: "Ada", roles: ["auditor"] }));
  await deliver(await hsm.welcome(kid, { name: "Eve" }), hsm.signer.kid);
  await deliver(await hsm.request(kid), hsm.signer.kid);
  await deliver(await hsm.welcome(kid, { name: "Eve" }));
  expect([(await loadPairing())?.name, (await loadPairing())?.roles]).toEqual(["Ada", ["auditor"]]);
  expect([await loadRequests(), await codes()]).toMatchObject([[{ payload: { verb: "FOUND" } }], ["ERR_ENVELOPE_KEY"]]);
});

test("signed by the next identity alone: read, approved on a device, sent to that identity, followed", async () => {
  const { town, mine, kid } = stage;
  const asked = await town.ask(rotate, {}, next.signer);
  const id = asked.payload.request;
  await deliverNext(asked.jws);
  const stored = await loadRequest(id);
  expect(stored).toMatchObject({ byNextIdentity: true, problem: null });
  expect(await checkRequest(asked, await loadTrust())).toMatchObject({ byNextIdentity: true });
  await approve(id, await signWithDevice(id, mine.device));
  const [item] = await loadOutbox();
  expect(item).toMatchObject({ kind: "approval", to: next.signer.kid });

  // The link for it logs in naming the next identity, learns its card, and sends nothing else there.
  const station = makeStation("next", async () => undefined);
  expect((await station.credentials())?.hsm).toBe(next.signer.kid);
  const moment = { as: "own", hsm: next.signer.kid, fresh: true, sent: new Set<string>() } as const;
  expect((await station.outgoing(moment)).frames).toEqual([]);
  await station.card(await next.card(), next.signer.kid);
  expect((await station.outgoing(moment)).frames).toMatchObject([{ to: next.signer.kid }]);

  await deliverNext(await next.receipt(kid, asked.digest, { request: id, records: [record(item?.jti ?? "")] }));
  expect(await loadLog()).toBeNull();
  expect((await loadRequest(id))?.mine).toMatchObject([{ received: true }]);
  expect([await loadOutbox(), await station.credentials(), await pinned()]).toEqual([[], null, stage.hsm.signer.kid]);
  await deliverNext(await town.act(asked, await others(town, asked), {}, next.signer));
  expect([await pinned(), await codes()]).toEqual([next.signer.kid, []]);
});

const record = (of: string) =>
  ({ kind: "approval", person: "Ada", of, at: clock(), vendor: null, address: null, reason: null }) as const;

test("the HSM's word alone moves no pin: no approvals, one of them, one twice, another's, a removed admin's", async () => {
  const { town, hsm } = stage;
  const removal: Motion = { verb: "REMOVE", change: { name: "Dan", removal: { what: "role", role: "admin" } } };
  for (const by of [hsm.signer, next.signer]) {
    const asked = await town.ask(rotate, {}, by);
    const [bobs = "", dans = ""] = await others(town, asked);
    const [elses = ""] = await others(town, await town.ask(rotate, {}, by));
    const alone = await town.ask(rotate, { quorum: { threshold: 1, people: ["Bob"], vendors: [] } }, by);
    const lies = [
      await town.act(asked, [bobs], {}, by),
      await town.act(asked, [bobs, bobs], {}, by),
      await town.act(asked, [bobs, elses], {}, by),
      await town.act(alone, [await town.approve(town.bob, alone)], {}, by),
      await town.act(asked, [bobs, dans], {}, (await makeHsm()).signer),
    ];
    for (const lie of lies) await deliver(lie, by.kid);
  }
  expect([await pinned(), await codes()]).toEqual([hsm.signer.kid, ["ERR_CHARTER"]]);
  expect((await loadNotices())[0]?.count).toBe(10);

  await deliver(await town.enact(removal));
  for (const by of [hsm.signer, next.signer]) {
    const asked = await town.ask(rotate, {}, by);
    await deliver(await town.act(asked, await others(town, asked), {}, by), by.kid);
  }
  expect([await pinned(), (await loadNotices())[0]?.count]).toEqual([hsm.signer.kid, 12]);
});

test("of another identity nothing but its own rotation is looked at", async () => {
  const { town, hsm, kid } = stage;
  const asks: Motion[] = [
    { verb: "UNFREEZE", change: { vault: null } },
    { verb: "ROTATE", change: { to: (await makeHsm()).jwk } },
  ];
  for (const motion of asks) await deliverNext((await town.ask(motion, {}, next.signer)).jws);
  const messages = [
    await next.welcome(kid),
    await next.request(kid),
    await next.freezes(kid, { freezes: [{ vault: null, by: null, at: clock(), of: null }] }),
    await next.receipt(kid, "00".repeat(32)),
    await next.refusal(kid, "A".repeat(22)),
    await next.reseal(kid, await next.card()),
    // The bridge names who it likes as the sender: what counts is who signed.
    (await town.ask(rotate, {}, hsm.signer)).jws,
  ];
  for (const jws of messages) await deliverNext(jws);
  await deliver((await town.ask(rotate, {}, next.signer)).jws);
  expect([(await loadRequests()).length, await pinned()]).toEqual([1, hsm.signer.kid]);
  expect(await loadNotices()).toMatchObject([{ code: "ERR_ENVELOPE_KEY", count: asks.length + messages.length + 1 }]);
});

test("a rotation that the charter does not carry is not kept, and no more than four are", async () => {
  const { town } = stage;
  const quorum = { threshold: 1, people: ["Ada", "Bob", "Dan"], vendors: [] };
  await deliverNext((await town.ask(rotate, { quorum }, next.signer)).jws);
  expect(await codes()).toEqual(["ERR_REQUEST_DIFFERS"]);
  for (let times = 0; times < 6; times += 1) await deliverNext((await town.ask(rotate, {}, next.signer)).jws);
  expect((await loadRequests()).filter(({ byNextIdentity }) => byNextIdentity)).toHaveLength(4);
});

test("only the identity that asked can say how its rotation stands", async () => {
  const { town, hsm, kid, mine } = stage;
  const asked = await town.ask(rotate, {}, next.signer);
  const id = asked.payload.request;
  await deliver(await hsm.receipt(kid, asked.digest, { request: id, state: "rejected", n: 8 }));
  await deliverNext(asked.jws);
  await approve(id, await signWithDevice(id, mine.device));
  const [item] = await loadOutbox();
  await deliver(await hsm.receipt(kid, asked.digest, { request: id, state: "rejected", n: 9 }));
  await deliver(await hsm.refusal(kid, item?.jti ?? "", { request: id }));
  expect([(await loadRequest(id))?.receipt, (await loadOutbox()).length]).toEqual([null, 1]);
  expect(await codes()).toEqual(["ERR_ENVELOPE_KEY"]);
  // What it says of others' requests is not kept, and does not stand before what the pinned identity says.
  const transfer = await hsm.request(kid, town.transfer());
  const digest = requestDigest(Buffer.from(transfer.split(".")[1] ?? "", "base64url"));
  await deliverNext(await next.receipt(kid, digest, { state: "signed", n: 9 }));
  await deliver(await hsm.receipt(kid, digest, { n: 2 }));
  await deliver(transfer);
  expect((await loadRequest(REQUEST_ID))?.receipt).toMatchObject({ n: 2, state: "pending" });
  expect(await loadNotices()).toMatchObject([{ code: "ERR_ENVELOPE_KEY", count: 3 }]);
  await deliverNext(await next.refusal(kid, item?.jti ?? "", { request: id, code: "ERR_QUORUM" }));
  expect((await loadRequest(id))?.mine).toMatchObject([{ refusal: { code: "ERR_QUORUM" } }]);
});

test("a stop that waits is signed anew for the next identity, under its own id; an approval is told to be lost", async () => {
  const { town, hsm, kid, mine } = stage;
  await deliver(await hsm.request(kid, town.transfer()));
  const jti = await freeze("Treasury-1");
  await approve(REQUEST_ID, await signWithDevice(REQUEST_ID, mine.device));
  await reject(REQUEST_ID, "suspicious");
  await deliver(await town.enact(rotate));
  const outbox = await loadOutbox();
  expect(outbox.map(({ kind, to }) => `${kind} ${to}`).sort()).toEqual([
    `freeze ${next.signer.kid}`,
    `rejection ${next.signer.kid}`,
  ]);
  const key = (await loadPairing())?.pair.key;
  const { payload } = await openEnvelope(outbox.find(({ kind }) => kind === "freeze")?.jws ?? "", {
    type: FREEZE,
    keyOf: () => key,
    audience: next.signer.kid,
    now: clock(),
  });
  expect(payload).toMatchObject({ jti, vault: "Treasury-1", aud: [next.signer.kid] });
  expect((await loadRequest(REQUEST_ID))?.mine).toMatchObject([
    { kind: "approval", refusal: { code: "ERR_REQUEST_STATE" } },
    { kind: "rejection", refusal: null },
  ]);
  // The agent may have had it, and signed: a bridge keeps the receipt back. Two payments for one are worse than a question.
  const told = (await loadRequest(REQUEST_ID))?.mine[0]?.refusal?.message;
  expect(told).toMatch(/whether it counted is not known here.*[Aa]sk your operator before the request is made anew/);
  expect(told).not.toMatch(/before this approval arrived|has to be made anew/);
  await deliver(await next.freezes(kid, { freezes: [{ vault: "Treasury-1", by: "Ada", at: clock(), of: jti }] }));
  expect([await isFreezeReceived(jti), (await loadStops()).length]).toEqual([true, 1]);
});
