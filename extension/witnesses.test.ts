/** What others have seen of the log: two people who were shown different ones find out, and nobody can raise a false alarm. */
import { IDBFactory } from "fake-indexeddb";
import { beforeEach, expect, test, vi } from "vitest";
import type { Signer } from "../protocol/envelope.ts";
import type { Witness } from "../protocol/message.ts";
import { loadAlarms, loadLog, loadWitnesses } from "./actions.ts";
import { clock } from "./compose.ts";
import { type Founded, foundTown } from "./founding-double.ts";
import { breakSignature, deliver, type HsmDouble, makeHsm } from "./hsm-double.ts";
import { signerOf } from "./keys.ts";
import { type LogDouble, witness } from "./log-double.ts";
import { loadKey, loadNotices, loadPairing } from "./store.ts";

vi.mock("./browser.ts", () => ({ poke: async () => undefined }));

let stage: Founded;
let hsm: HsmDouble;
let kid = "";

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  stage = await foundTown();
  ({ hsm, kid } = stage);
  hsm.log.grow(9);
});

const keeper = () => ({ signer: hsm.signer, jwk: hsm.jwk });
/** The checkpoint over the first `size` entries. */
const noteOf = async (size: number, log: LogDouble = hsm.log) => await log.checkpoint(keeper(), log.head(size));
const said = async (by: { signer: Signer }, size: number, change?: Partial<Witness>) =>
  await witness(by, hsm.signer.kid, await noteOf(size), change);
/** A view with these witnesses, each with the true way from `size` on. */
const show = async (witnesses: readonly (readonly [jws: string, size: number])[]) =>
  await deliver(
    await hsm.view(kid, {
      witnesses: witnesses.map(([jws, size]) => ({ jws, consistency: hsm.log.consistency(size) })),
    }),
  );
const seen = async () => (await loadWitnesses()).map(({ person, size }) => `${person} ${size}`).sort();
const codes = async () => (await loadNotices()).map(({ code, count }) => `${code} ${count}`);

test("what others have seen is kept with their names, the newest word of each", async () => {
  const { bob, dan } = stage.town;
  const at = clock();
  await show([
    [await said(bob, 4, { iat: at - 60 }), 4],
    [await said(dan, 9), 9],
  ]);
  expect(await seen()).toEqual(["Bob 4", "Dan 9"]);
  await show([[await said(bob, 7, { iat: at - 30 }), 7]]);
  await show([[await said(bob, 5, { iat: at - 50 }), 5]]);
  expect(await seen()).toEqual(["Bob 7", "Dan 9"]);
  expect((await loadWitnesses()).find(({ person }) => person === "Bob")).toMatchObject({ at: at - 30 });
  expect([await loadAlarms(), await codes()]).toEqual([[], []]);
});

test("two browsers are shown two logs: the first word of the other's raises the alarm, and names the person", async () => {
  const { bob, dan } = stage.town;
  await deliver(await hsm.view(kid));
  const before = await loadLog();
  const bobs = hsm.log.fork(6).grow(2, "Eve");
  const note = await noteOf(8, bobs);
  const told = await witness(bob, hsm.signer.kid, note);
  hsm.log.grow(3);
  for (const consistency of [hsm.log.consistency(8), bobs.consistency(6), []]) {
    await deliver(await hsm.view(kid, { from: 9, witnesses: [{ jws: told, consistency }] }));
  }
  expect(await loadAlarms()).toMatchObject([{ kind: "witness", person: "Bob", known: note }]);
  expect([await loadLog(), await seen()]).toEqual([before, []]);
  await show([
    [await said(dan, 2), 2],
    [told, 8],
  ]);
  expect([(await loadAlarms()).length, await seen(), await codes()]).toEqual([1, [], []]);
});

test("a view that was not proved to belong to what is known here brings nobody's words", async () => {
  const { bob, dan } = stage.town;
  await deliver(await hsm.view(kid));
  hsm.log.grow(3);
  const delayed = await hsm.view(kid, {
    from: 9,
    witnesses: [{ jws: await said(dan, 7), consistency: hsm.log.consistency(7) }],
  });
  hsm.log.grow(3);
  await deliver(delayed);
  await deliver(await hsm.view(kid, { from: 12 }));
  // Bob is shown another log. The word that gives it away is shown beside that log, once shorter than what is known, once without a proof.
  for (const [size, from] of [
    [11, 0],
    [20, 3],
  ] as const) {
    const bobs = hsm.log.fork(6).grow(size - 6, "Eve");
    const told = await witness(bob, hsm.signer.kid, await noteOf(size - 1, bobs));
    const witnesses = [{ jws: told, consistency: bobs.consistency(size - 1) }];
    await deliver(await bobs.view(keeper(), kid, [], { from, consistency: bobs.consistency(from), witnesses }));
    expect(await seen()).toEqual(["Dan 7"]);
  }
  // A delayed one of the log that is known here does.
  await deliver(
    await hsm.log
      .fork(12)
      .view(keeper(), kid, [], { witnesses: [{ jws: await said(bob, 8), consistency: hsm.log.consistency(8, 12) }] }),
  );
  expect([await seen(), await loadAlarms()]).toEqual([["Bob 8", "Dan 7"], []]);
});

test("somebody has seen more than the view holds: it went back", async () => {
  const more = hsm.log.fork(9).grow(3);
  const told = await witness(stage.town.bob, hsm.signer.kid, await noteOf(12, more));
  await show([[told, 0]]);
  expect(await loadAlarms()).toMatchObject([{ kind: "witness", person: "Bob" }]);
});

test("what is no witness of another member's is counted, and raises no alarm", async () => {
  const { bob, mine } = { ...stage.town, mine: stage.mine };
  const [stranger, us] = [await makeHsm(), await loadKey()];
  if (us === null) throw new Error("no key");
  const fork = hsm.log.fork(1).grow(5, "Eve");
  const foreign = await fork.checkpoint(keeper(), fork.head(), "opencustody/log/another");
  const lies = [
    // A stranger's, a key that is no browser's, our own.
    await said(stranger, 4),
    await said(mine, 4),
    await said({ signer: await signerOf(us) }, 4),
    // Altered, to another agent, of the future.
    breakSignature(await said(bob, 4)),
    await witness(bob, stranger.signer.kid, await noteOf(4)),
    await said(bob, 4, { iat: clock() + 1000, exp: clock() + 2000 }),
    // Of a log that the HSM never signed, or of another.
    await witness(bob, hsm.signer.kid, (await noteOf(4)).replace(/[A-Za-z0-9+/]{8}=*\n$/, "AAAAAAAA\n")),
    await witness(bob, hsm.signer.kid, foreign),
    await witness(bob, hsm.signer.kid, (await noteOf(4)).replace("\n4\n", "\n5\n")),
    "e30.e30.AA",
  ];
  await show(lies.map((jws) => [jws, 4]));
  expect([await loadAlarms(), await seen()]).toEqual([[], []]);
  expect((await loadNotices()).reduce((sum, { count }) => sum + count, 0)).toBe(lies.length);
  expect((await loadLog())?.head).toEqual(hsm.log.head());
});

test("a word that has expired is left alone", async () => {
  await show([[await said(stage.town.bob, 4, { iat: clock() - 100, exp: clock() - 1 }), 4]]);
  expect([await seen(), await codes(), await loadAlarms()]).toEqual([[], [], []]);
});

test("one that an identity signed which is not known here is of no use, and no cause to call anybody: they were away when it was replaced", async () => {
  const earlier = await makeHsm();
  const said = async (log: LogDouble) =>
    await witness(stage.town.bob, hsm.signer.kid, await log.checkpoint({ signer: earlier.signer, jwk: earlier.jwk }));
  for (const log of [hsm.log, hsm.log.fork(1).grow(5, "Eve")]) await show([[await said(log), log.size]]);
  // Of another log it is no checkpoint at all.
  const other = await earlier.log.checkpoint(earlier);
  await show([[await witness(stage.town.bob, hsm.signer.kid, other), 4]]);
  expect([await loadAlarms(), await seen(), await codes()]).toEqual([[], [], ["ERR_LOG 1"]]);
});

test("before the founding there is nobody to believe", async () => {
  globalThis.indexedDB = new IDBFactory();
  const { pairAda } = await import("./founding-double.ts");
  const { hsm: young, kid: us, town } = await pairAda();
  young.log.grow(3);
  const jws = await witness(town.bob, young.signer.kid, await young.log.checkpoint(young));
  await deliver(await young.view(us, { witnesses: [{ jws, consistency: [] }] }));
  expect([(await loadLog())?.head.size, await seen(), await codes()]).toEqual([3, [], []]);
});

test("what was said to an identity that was replaced, or signed by it, is left alone; what follows counts", async () => {
  const { bob, dan } = stage.town;
  await deliver(await hsm.view(kid));
  const next = await makeHsm(hsm.log);
  const fork = hsm.log.fork(2).grow(3, "Eve");
  const before = await witness(bob, hsm.signer.kid, await noteOf(5, fork));
  const between = await witness(dan, next.signer.kid, await noteOf(5, fork));
  await deliver(await stage.town.enact({ verb: "ROTATE", change: { to: next.jwk } }));
  expect((await loadPairing())?.former).toEqual([hsm.jwk]);
  const later = await witness(bob, next.signer.kid, await next.log.checkpoint(next));
  const witnesses = [before, between].map((jws) => ({ jws, consistency: [] }));
  await deliver(await next.view(kid, { witnesses: [...witnesses, { jws: later, consistency: [] }] }));
  expect([await seen(), await codes(), await loadAlarms()]).toEqual([["Bob 9"], [], []]);
});
