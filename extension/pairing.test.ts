import { IDBFactory } from "fake-indexeddb";
import { beforeEach, expect, test, vi } from "vitest";
import { openEnvelope } from "../protocol/envelope.ts";
import { PAIR } from "../protocol/message.ts";
import { wordsOfPairing } from "../protocol/words.ts";
import { enrol, loadDevices, loadPairing, pair, pairingWords, signWithDevice, unpair } from "./actions.ts";
import { clock } from "./compose.ts";
import { look } from "./database.ts";
import { foundTown, PATH, pairAda } from "./founding-double.ts";
import { deliver, type HsmDouble, makeHsm } from "./hsm-double.ts";
import { loadKey, loadOutbox, OF_A_PAIRING } from "./store.ts";
import { makePersonDouble } from "./town-double.ts";

vi.mock("./browser.ts", () => ({ poke: async () => undefined }));

let hsm: HsmDouble;

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  hsm = await makeHsm();
});

async function begin(): Promise<string> {
  await pair((await hsm.invite()).code);
  return (await loadPairing())?.kid ?? "";
}

test("the pairing message carries the public halves of both keys", async () => {
  await begin();
  const pairing = await loadPairing();
  const once = pairing?.invite?.key;
  const [item] = await loadOutbox();
  const expected = { type: PAIR, keyOf: () => once, audience: hsm.signer.kid, now: clock() };
  const { payload } = await openEnvelope(item?.jws ?? "", expected);
  const [sealKey] = await look((records) => records.all("sealKeys"));
  expect(payload).toMatchObject({ key: pairing?.pair.key, seal: sealKey?.jwk, jti: pairing?.pair.jti });
  expect(pairing).toMatchObject({ state: "pairing", standing: null, joinedAt: 0 });
});

test("the words come with the device's receipt, commit to what was made here, and go with the membership", async () => {
  const kid = await begin();
  const { address } = await makePersonDouble("Ada");
  const record = { address, vendor: "Ledger", model: "flex" } as const;
  const pending = { standing: "pending", roles: ["approver"] } as const;
  expect(await pairingWords()).toBeNull();
  await deliver(await hsm.welcome(kid, { ...pending, roles: ["approver"] }));
  expect(await loadPairing()).toMatchObject({ state: "paired", standing: "pending", name: "Ada" });
  expect(await pairingWords()).toBeNull();
  await enrol({ ...record, path: PATH });
  expect(await pairingWords()).toBeNull();
  const devices = [{ ...record, state: "pending" } as const];
  await deliver(await hsm.welcome(kid, { ...pending, roles: ["approver"], devices }));
  const facts = (await loadPairing())?.pair;
  if (facts === undefined) throw new Error("not pairing");
  const { key, seal } = facts;
  const words = wordsOfPairing({ hsm: hsm.signer.kid, key, seal, name: "Ada", roles: ["approver"], address });
  expect(await pairingWords()).toBe(words);
  await deliver(await hsm.welcome(kid, { devices: [{ ...record, state: "enrolled" }] }));
  expect(await loadPairing()).toMatchObject({ standing: "member" });
  expect(await pairingWords()).toBeNull();
});

test("no words for a device that the agent lists and this browser did not enrol", async () => {
  const kid = await begin();
  const { address } = await makePersonDouble("Eve");
  const devices = [{ address, vendor: "Ledger", model: "flex", state: "pending" } as const];
  await deliver(await hsm.welcome(kid, { standing: "pending", devices }));
  expect([await pairingWords(), (await loadDevices()).map(({ here }) => here)]).toEqual([null, [undefined]]);
});

test("another browser of a person may be paired with a device that the person has", async () => {
  const kid = await begin();
  const { address } = await makePersonDouble("Ada");
  const record = { address, vendor: "Ledger", model: "flex" } as const;
  const devices = [{ ...record, state: "enrolled" } as const];
  await deliver(await hsm.welcome(kid, { standing: "pending", devices }));
  await enrol({ ...record, path: PATH });
  expect(await pairingWords()).toBeNull();
  await deliver(await hsm.welcome(kid, { standing: "pending", devices }));
  expect((await pairingWords())?.split(" ")).toHaveLength(6);
  await expect(enrol({ ...record, path: PATH })).rejects.toMatchObject({ code: "ERR_DEVICE_TAKEN" });
});

test("a pairing that was ended after its welcome says so, and only by the HSM", async () => {
  const { hsm: own, kid } = await pairAda();
  const jti = (await loadPairing())?.pair.jti ?? "";
  const about = { code: "ERR_WORDS", message: "The words were wrong three times." } as const;
  await deliver(await hsm.refusal(kid, jti, about));
  expect((await loadPairing())?.state).toBe("paired");
  await deliver(await own.refusal(kid, jti, about));
  expect(await loadPairing()).toMatchObject({ state: "refused", problem: { code: "ERR_WORDS" } });
  expect(await loadOutbox()).toEqual([]);
});

test("a member's pairing is not ended by a late refusal", async () => {
  const { hsm: own, kid } = await foundTown();
  await deliver(await own.refusal(kid, (await loadPairing())?.pair.jti ?? ""));
  expect(await loadPairing()).toMatchObject({ state: "paired", standing: "member" });
});

test("a device that the founding does not name signs no founding", async () => {
  const { town } = await pairAda();
  const asked = await town.ask(town.founding());
  await deliver(asked.jws);
  const other = await makePersonDouble("Eve");
  await enrol({ address: other.address, vendor: "Ledger", model: "flex", path: PATH });
  const signed = signWithDevice(asked.payload.request, other.device);
  await expect(signed).rejects.toMatchObject({ outcome: "wrong-device" });
  expect(other.signed).toEqual([]);
});

test("unpairing forgets everything", async () => {
  await foundTown();
  await unpair();
  expect([await loadPairing(), await loadKey()]).toEqual([null, null]);
  for (const table of OF_A_PAIRING) expect(await look((records) => records.all(table))).toEqual([]);
});
