import { IDBFactory } from "fake-indexeddb";
import { beforeEach, expect, test, vi } from "vitest";
import { openEnvelope } from "../protocol/envelope.ts";
import { FREEZE } from "../protocol/message.ts";
import {
  approve,
  freeze,
  isFreezeReceived,
  loadFreezes,
  loadStops,
  reject,
  signWithDevice,
  unpair,
} from "./actions.ts";
import { clock } from "./compose.ts";
import { type Founded, foundTown } from "./founding-double.ts";
import { deliver, makeHsm, REQUEST_ID } from "./hsm-double.ts";
import { loadOutbox, loadPairing } from "./store.ts";

vi.mock("./browser.ts", () => ({ poke: async () => undefined }));

let stage: Founded;

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  stage = await foundTown();
});

const frozen = (vault: string | null, of: string | null = null) => ({ vault, by: "Bob", at: clock(), of });

test("a freeze waits in the outbox until the agent's list names it", async () => {
  const { hsm, kid } = stage;
  const jti = await freeze("Treasury-1");
  const [item] = await loadOutbox();
  const key = (await loadPairing())?.pair.key;
  const expected = { type: FREEZE, keyOf: () => key, audience: hsm.signer.kid, now: clock() };
  expect((await openEnvelope(item?.jws ?? "", expected)).payload).toMatchObject({ jti, vault: "Treasury-1" });
  await deliver(await hsm.freezes(kid, { freezes: [frozen("Treasury-1")] }));
  await deliver(await (await makeHsm()).freezes(kid, { n: 5, freezes: [frozen("Treasury-1", jti)] }));
  expect([await isFreezeReceived(jti), (await loadOutbox()).length]).toEqual([false, 1]);
  await deliver(await hsm.freezes(kid, { n: 2, freezes: [frozen("Treasury-1", jti)] }));
  expect([await isFreezeReceived(jti), await loadOutbox()]).toEqual([true, []]);
  // It was received, also when it is lifted later.
  await deliver(await hsm.freezes(kid, { n: 3 }));
  expect([await isFreezeReceived(jti), (await loadFreezes())?.freezes]).toEqual([true, []]);
});

test("an older list changes nothing", async () => {
  const { hsm, kid } = stage;
  await deliver(await hsm.freezes(kid, { n: 2, freezes: [frozen(null)] }));
  await deliver(await hsm.freezes(kid, { n: 1 }));
  await deliver(await hsm.freezes(kid, { n: 2 }));
  expect((await loadFreezes())?.freezes).toHaveLength(1);
});

test("a refused freeze says why, and a received one is not refused any more", async () => {
  const { hsm, kid } = stage;
  const jti = await freeze(null);
  await deliver(await hsm.refusal(kid, jti, { code: "ERR_MEMBER_ROLE", message: "You may not." }));
  expect(await loadStops()).toMatchObject([
    { jti, vault: null, received: false, refusal: { code: "ERR_MEMBER_ROLE" } },
  ]);
  await deliver(await hsm.freezes(kid, { freezes: [frozen(null, jti)] }));
  await deliver(await hsm.refusal(kid, jti));
  expect(await loadStops()).toMatchObject([{ received: true, refusal: null }]);
});

test("who may not stop anything, and what is not there", async () => {
  const { hsm, kid } = stage;
  await expect(freeze("Treasury-9")).rejects.toMatchObject({ code: "ERR_VAULT_UNKNOWN" });
  await deliver(await hsm.welcome(kid, { roles: ["auditor"] }));
  await expect(freeze(null)).rejects.toMatchObject({ code: "ERR_MEMBER_ROLE" });
  await deliver(await hsm.welcome(kid, { roles: ["admin"], standing: "pending" }));
  await expect(freeze(null)).rejects.toMatchObject({ code: "ERR_PAIRING" });
  await unpair();
  await expect(freeze(null)).rejects.toMatchObject({ code: "ERR_INVITE" });
  expect([await loadOutbox(), await loadStops()]).toEqual([[], []]);
});

test.each(["Treasury-1", null])("while %s is frozen no device is asked and nothing is approved", async (vault) => {
  const { hsm, kid, town, mine } = stage;
  await deliver(await hsm.request(kid, town.transfer()));
  const signed = await signWithDevice(REQUEST_ID, mine.device);
  mine.signed.length = 0;
  await deliver(await hsm.freezes(kid, { n: 1, freezes: [frozen(vault)] }));
  await expect(signWithDevice(REQUEST_ID, mine.device)).rejects.toMatchObject({ code: "ERR_FROZEN" });
  await expect(approve(REQUEST_ID, signed)).rejects.toMatchObject({ code: "ERR_FROZEN" });
  expect(mine.signed).toEqual([]);
  const lift = await town.ask({ verb: "UNFREEZE", change: { vault } });
  await deliver(lift.jws);
  const { request } = lift.payload;
  await approve(request, await signWithDevice(request, mine.device));
  await reject(REQUEST_ID, "suspicious");
  expect((await loadOutbox()).map(({ kind }) => kind).sort()).toEqual(["approval", "rejection"]);
});
