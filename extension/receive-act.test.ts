import { IDBFactory } from "fake-indexeddb";
import { beforeEach, expect, test, vi } from "vitest";
import type { Motion } from "../protocol/governance.ts";
import { sha256Hex } from "../protocol/primitive.ts";
import { loadCharter, loadRequest, pair, pairingWords } from "./actions.ts";
import { clock } from "./compose.ts";
import { look, transact } from "./database.ts";
import { approveAsAda, foundTown, others, pairAda, type Stage } from "./founding-double.ts";
import { BRIDGE, breakSignature, deliver, type HsmDouble, makeHsm } from "./hsm-double.ts";
import { loadNotices, loadOutbox, loadPairing, SELF } from "./store.ts";
import { makePersonDouble, makeTown, type Town } from "./town-double.ts";

vi.mock("./browser.ts", () => ({ poke: async () => undefined }));

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
});

const codes = async () => (await loadNotices()).map(({ code }) => code);
const enrollEve = async (): Promise<Motion> => {
  const { jwk, address } = await makePersonDouble("Eve");
  const device = { address, vendor: "Ledger", model: "flex" } as const;
  return { verb: "ENROLL", change: { name: "Eve", roles: ["auditor"], extension: jwk, file: null, device } };
};
const moveTo = ({ town }: Stage, bridge: string): Motion => ({
  verb: "POLICY",
  change: { policy: { ...town.policy, bridge } },
});

test("the founding: signed on the device that it enrols, then followed, and the approval was received", async () => {
  const stage = await pairAda();
  const { town } = stage;
  const asked = await town.ask(town.founding());
  await deliver(asked.jws);
  expect([await loadCharter(), (await pairingWords())?.split(" ").length]).toEqual([null, 6]);
  const act = await town.act(asked, [await approveAsAda(stage, asked), ...(await others(town, asked))]);
  await town.follow(act);
  await deliver(act);
  expect(await loadCharter()).toEqual(town.charter);
  expect((await loadRequest(asked.payload.request))?.mine).toMatchObject([{ kind: "approval", received: true }]);
  expect((await loadOutbox()).map(({ kind }) => kind)).toEqual([]);
});

test("a founding that somebody in it did not sign is not followed", async () => {
  const { town } = await pairAda();
  const asked = await town.ask(town.founding());
  await deliver(await town.act(asked, await others(town, asked)));
  expect([await loadCharter(), await codes()]).toEqual([null, ["ERR_CHARTER"]]);
});

test("acts are applied in order, once each; a gap is asked for", async () => {
  const { town } = await foundTown();
  const acts = [await town.enact(await enrollEve()), await town.enact({ verb: "UNFREEZE", change: { vault: null } })];
  expect(await deliver(acts[1] ?? "")).toEqual({ again: true });
  expect((await loadCharter())?.n).toBe(1);
  for (const act of [...acts, ...acts]) expect(await deliver(act)).toEqual({ again: false });
  expect(await loadCharter()).toEqual(town.charter);
  expect(await codes()).toEqual([]);
});

test("two connections that are given the same act follow it once", async () => {
  const { town } = await foundTown();
  const act = await town.enact(await enrollEve());
  await Promise.all([deliver(act), deliver(act), deliver(act)]);
  expect([await loadCharter(), await codes()]).toEqual([town.charter, []]);
});

test("an act that does not hold is a notice, and the charter stays", async () => {
  const { town, hsm, mine } = await foundTown();
  const before = await loadCharter();
  const stranger = await makeHsm();
  const eve = await makePersonDouble("Eve");
  const asked = await town.ask(await enrollEve());
  const good = await others(town, asked);
  const [bobs = ""] = good;
  const elses = await others(town, await town.ask(await enrollEve()));
  const recovery = await town.ask(await enrollEve(), {
    quorum: { threshold: 2, people: ["Ada", "Bob"], vendors: [] },
    notBefore: clock() - (clock() % 60) - 60,
  });
  const lies = [
    await town.act(asked, [bobs]),
    await town.act(asked, [bobs, bobs]),
    await town.act(asked, [
      bobs,
      await town.approve({ ...town.dan, address: mine.address, device: mine.device }, asked),
    ]),
    await town.act(asked, [bobs, await town.approve({ ...eve, signer: town.dan.signer }, asked)]),
    await town.act(asked, [bobs, await town.approve({ ...town.dan, signer: eve.signer }, asked)]),
    await town.act(asked, elses),
    await town.act(asked, good, { previous: "00".repeat(32) }),
    await town.act(asked, good, { people: { n: 2, digest: "00".repeat(32) } }),
    await town.act(asked, good, { iat: asked.payload.exp }),
    await town.act(asked, good, {}, stranger.signer),
    breakSignature(await town.act(asked, good)),
    await town.act(recovery, await others(town, recovery)),
    await town.act(asked, good, { n: 1, previous: null }),
  ];
  for (const lie of lies) await deliver(lie);
  expect(await loadCharter()).toEqual(before);
  expect(await loadNotices()).toMatchObject([{ code: "ERR_CHARTER", count: lies.length }]);
  await deliver(await town.act(asked, good), hsm.signer.kid);
  expect((await loadCharter())?.n).toBe(2);
});

test("an act dated later than now is not followed: a delay cannot be shortened by it", async () => {
  const { town } = await foundTown();
  const asked = await town.ask(await enrollEve());
  await deliver(await town.act(asked, await others(town, asked), { iat: clock() + 600 }));
  expect([(await loadCharter())?.n, await codes()]).toEqual([1, ["ERR_ENVELOPE_TIME"]]);
});

test("a policy that names another bridge is followed there", async () => {
  const stage = await foundTown();
  const moved = moveTo(stage, "wss://bridge.example/");
  const asked = await stage.town.ask(moved);
  const [bobs = ""] = await others(stage.town, asked);
  await deliver(await stage.town.act(asked, [bobs]));
  expect((await loadPairing())?.bridge).toBe(BRIDGE);
  await deliver(await stage.town.enact(moved));
  expect((await loadPairing())?.bridge).toBe("wss://bridge.example/");
});

test("a bridge of the time before this browser was paired is not followed", async () => {
  const stage = await foundTown();
  const asked = await stage.town.ask(moveTo(stage, "wss://bridge.example/"));
  const pairing = await loadPairing();
  if (pairing === null) throw new Error("not paired");
  await transact(async (records) => records.put("pairing", SELF, { ...pairing, joinedAt: clock() + 60 }));
  await deliver(await stage.town.act(asked, await others(stage.town, asked)));
  expect([(await loadCharter())?.n, (await loadPairing())?.bridge]).toEqual([2, BRIDGE]);
});

/** This browser, paired anew with `hsm`, whose welcome says that `founder` founded. */
async function pairLater(hsm: HsmDouble, founder: HsmDouble = hsm): Promise<void> {
  globalThis.indexedDB = new IDBFactory();
  await pair((await hsm.invite()).code);
  await deliver(await hsm.welcome((await loadPairing())?.kid ?? "", { founder: founder.signer.kid }));
}

/** What Bob and Dan of a town of their own founded, with a stranger as its Ada, under the identity of `hsm`. */
async function makeVillage(hsm: HsmDouble): Promise<{ village: Town; forged: string }> {
  const ada = await makePersonDouble("Ada");
  const village = await makeTown(hsm, ada.jwk, ada.address);
  const asked = await village.ask(village.founding());
  const forged = await village.act(asked, [await village.approve(ada, asked), ...(await others(village, asked))]);
  await village.follow(forged);
  return { village, forged };
}

/** Also of what is read and not believed yet. */
const storedCharter = async () => await look((records) => records.get("charter", SELF));

test("a browser that is paired after a rotation reads from the founding on, and believes it once it leads to its pin", async () => {
  const { town, founding, hsm } = await foundTown();
  const next = await makeHsm();
  const rotation = await town.enact({ verb: "ROTATE", change: { to: next.jwk } });
  const later = await town.enact(await enrollEve(), next.signer);
  await pairLater(next, hsm);
  expect(await deliver(rotation)).toEqual({ again: true });
  await deliver(founding);
  expect(await loadCharter()).toBeNull();
  await deliver(rotation);
  expect((await loadCharter())?.n).toBe(2);
  await deliver(later);
  expect([await loadCharter(), await codes()]).toEqual([town.charter, []]);
  expect(await loadPairing()).toMatchObject({ hsm: next.signer.kid, founder: hsm.signer.kid });
});

test("acts that come before the welcome are left, and a member's first welcome asks for them", async () => {
  const { founding, hsm } = await foundTown();
  globalThis.indexedDB = new IDBFactory();
  await pair((await hsm.invite()).code);
  const kid = (await loadPairing())?.kid ?? "";
  expect(await deliver(founding)).toEqual({ again: false });
  expect([await storedCharter(), await codes()]).toEqual([undefined, []]);
  expect(await deliver(await hsm.welcome(kid))).toEqual({ again: true });
  await deliver(founding);
  expect((await loadCharter())?.n).toBe(1);
  expect(await deliver(await hsm.welcome(kid))).toEqual({ again: false });
});

test("the first welcome says who founds, for ever; a pending one asks for nothing", async () => {
  const { hsm } = await foundTown();
  const stranger = await makeHsm();
  globalThis.indexedDB = new IDBFactory();
  await pair((await hsm.invite()).code);
  const kid = (await loadPairing())?.kid ?? "";
  expect(await deliver(await hsm.welcome(kid, { standing: "pending" }))).toEqual({ again: false });
  await deliver(await hsm.welcome(kid, { founder: stranger.signer.kid }));
  expect(await loadPairing()).toMatchObject({ standing: "member", founder: hsm.signer.kid });
  const { forged } = await makeVillage(stranger);
  await deliver(forged);
  expect([await storedCharter(), await codes()]).toEqual([undefined, ["ERR_CHARTER"]]);
});

test("a founding by another identity than the welcome's founder is refused, and the true one is still followed", async () => {
  const { town, hsm, founding } = await foundTown();
  const next = await makeHsm();
  const rotation = await town.enact({ verb: "ROTATE", change: { to: next.jwk } });
  const { forged } = await makeVillage(await makeHsm());
  const { forged: own } = await makeVillage(next);
  await pairLater(next, hsm);
  for (const lie of [forged, own]) expect(await deliver(lie)).toEqual({ again: false });
  expect(await storedCharter()).toBeUndefined();
  expect(await loadNotices()).toMatchObject([{ code: "ERR_CHARTER", count: 2 }]);
  for (const act of [founding, rotation]) await deliver(act);
  expect(await loadCharter()).toEqual(town.charter);
});

test("a chain of strangers' acts that leads through the pinned identity to theirs is not followed, whoever delivers it", async () => {
  const { town, hsm, founding } = await foundTown();
  const [stranger, last] = [await makeHsm(), await makeHsm()];
  const next = await makeHsm();
  const rotation = await town.enact({ verb: "ROTATE", change: { to: next.jwk } });
  const pairings: [pinned: HsmDouble, truth: string[]][] = [
    [hsm, [founding]],
    [next, [founding, rotation]],
  ];
  for (const [pinned, truth] of pairings) {
    const { village, forged } = await makeVillage(stranger);
    // X founds; X's people go to the pinned identity, which has no say in it, and on from there by the word of Y alone.
    const there = await village.enact({ verb: "ROTATE", change: { to: pinned.jwk } }, stranger.signer);
    const on = await village.enact({ verb: "ROTATE", change: { to: last.jwk } }, last.signer);
    expect(village.charter?.hsm).toEqual(last.jwk);
    await pairLater(pinned, hsm);
    for (const from of [pinned, stranger, last]) {
      for (const act of [forged, there, on, there, forged]) await deliver(act, from.signer.kid);
    }
    expect(await storedCharter()).toBeUndefined();
    expect((await loadPairing())?.hsm).toBe(pinned.signer.kid);
    expect(await codes()).toEqual(expect.arrayContaining(["ERR_CHARTER", "ERR_ENVELOPE_KEY"]));
    for (const act of truth) await deliver(act);
    expect((await loadCharter())?.n).toBe(truth.length);
    // Nor once the true charter is there.
    for (const act of [forged, there, on]) await deliver(act);
    expect([(await loadCharter())?.n, (await loadPairing())?.hsm]).toEqual([truth.length, pinned.signer.kid]);
  }
});

test("another founding of the founder's own gives way to the one that leads to the pin, and is not believed before", async () => {
  const { town, hsm, founding } = await foundTown();
  const next = await makeHsm();
  const rotation = await town.enact({ verb: "ROTATE", change: { to: next.jwk } });
  const { forged } = await makeVillage(hsm);
  await pairLater(next, hsm);
  await deliver(forged);
  expect(await loadCharter()).toBeNull();
  // The one conflicts with the other: everything is asked for again, from the beginning.
  expect(await deliver(founding)).toEqual({ again: true });
  for (const act of [founding, rotation]) await deliver(act);
  expect(await loadCharter()).toEqual(town.charter);
});

test("an identity that was replaced founds nothing any more, once a welcome says what the founding was", async () => {
  const { town, hsm, founding } = await foundTown();
  const next = await makeHsm();
  const rotation = await town.enact({ verb: "ROTATE", change: { to: next.jwk } });
  const { village, forged } = await makeVillage(hsm);
  const there = await village.enact({ verb: "ROTATE", change: { to: next.jwk } });
  const head = (jws: string) => sha256Hex(Buffer.from(jws.split(".")[1] ?? "", "base64url"));
  await pairLater(next, hsm);
  const kid = (await loadPairing())?.kid ?? "";
  await deliver(await next.welcome(kid, { founder: hsm.signer.kid, founding: head(founding) }));
  for (const act of [forged, there]) await deliver(act);
  expect(await storedCharter()).toBeUndefined();
  expect(await codes()).toContain("ERR_CHARTER");
  for (const act of [founding, rotation]) await deliver(act);
  expect(await loadCharter()).toEqual(town.charter);
});

test("from anybody but the agent nothing is read before there is a charter", async () => {
  const { founding } = await foundTown();
  const stranger = await makeHsm();
  await pairLater(stranger);
  await deliver(founding, "A".repeat(43));
  expect(await codes()).toEqual(["ERR_ENVELOPE_KEY"]);
});
