/** What this browser keeps about a person's devices beside the agent's list: their names, which one was used, what they said oddly. */
import "fake-indexeddb/auto";
import { IDBFactory } from "fake-indexeddb";
import { beforeEach, expect, test, vi } from "vitest";
import { transact } from "./database.ts";
import { mergeDevices } from "./enrolled.ts";
import { loadDevices, loadNotices, type StoredDevice } from "./store.ts";

vi.mock("webextension-polyfill", () => ({ default: {} }));
const { keepForReport, renameDevice } = await import("./actions.ts");

const DEVICE: StoredDevice = {
  address: "0xA",
  vendor: "Trezor",
  model: "trezor-one",
  path: "m/44'/60'/7'/0/0",
  state: "enrolled",
  problem: null,
  usedAt: 5,
};

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  await transact(async (records) => records.put("devices", DEVICE.address, DEVICE));
});

test("a name is kept, stays when the agent's list comes again, and can be taken away", async () => {
  await renameDevice("0xA", " Desk 2 ");
  const { address, vendor, model, state } = DEVICE;
  await transact(async (records) => await mergeDevices(records, [{ address, vendor, model, state: "enrolled" }]));
  expect(state).toBe("enrolled");
  expect(await loadDevices()).toEqual([{ ...DEVICE, label: "Desk 2" }]);
  await renameDevice("0xA", "");
  expect(await loadDevices()).toEqual([DEVICE]);
});

test.each(["x".repeat(25), "two  spaces", "ünïcode", "<b>", "a\nb"])("%j is no name", async (label) => {
  await expect(renameDevice("0xA", label)).rejects.toMatchObject({ code: "ERR_STATE" });
  expect(await loadDevices()).toEqual([DEVICE]);
});

test("what is not known is kept and counted", async () => {
  await keepForReport("Ledger", "status 6f42");
  await keepForReport("Ledger", "status 6f42");
  expect(await loadNotices()).toMatchObject([{ code: "device: Ledger status 6f42", count: 2 }]);
});
