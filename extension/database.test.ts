import { IDBFactory } from "fake-indexeddb";
import { beforeEach, expect, test } from "vitest";
import { look, onStoreChange, transact } from "./database.ts";
import { loadLink, loadPairing, SELF } from "./store.ts";

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
});

const LINK = { state: "offline", since: 1, problem: null } as const;

/** The database as an earlier version left it. */
async function makeOld(version: number, tables: readonly string[]): Promise<void> {
  const request = indexedDB.open("opencustody", version);
  request.onupgradeneeded = () => {
    for (const table of tables) request.result.createObjectStore(table).put({ old: true }, SELF);
  };
  await new Promise((resolve, reject) => {
    request.onsuccess = resolve;
    request.onerror = reject;
  });
  request.result.close();
}

test("what an earlier version kept is forgotten, and everything works", async () => {
  await makeOld(1, ["pairing", "key", "link", "outbox", "something"]);
  expect(await loadPairing()).toBeNull();
  await transact(async (records) => records.put("link", SELF, LINK));
  expect(await loadLink()).toEqual(LINK);
  expect(await look((records) => records.all("sealKeys"))).toEqual([]);
});

test("a transaction that fails writes nothing", async () => {
  const failing = transact(async (records) => {
    records.put("link", SELF, LINK);
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  expect((await loadLink()).state).toBe("unpaired");
});

test("what only reads cannot write, and announces nothing", async () => {
  let told = 0;
  const stop = onStoreChange(() => {
    told += 1;
  });
  await expect(look(async (records) => records.put("link", SELF, LINK))).rejects.toThrow();
  await look((records) => records.all("outbox"));
  stop();
  expect([told, (await loadLink()).state]).toEqual([0, "unpaired"]);
});
