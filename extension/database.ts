/**
 * The mechanics of IndexedDB, and the only file that touches it: transactions, strictly durable, each change announced on a
 * BroadcastChannel. README.md, "The extension's records". What the rows are is store.ts; it decides nothing.
 */
import type { Tables } from "./store.ts";

const NAME = "opencustody";
/** Raised whenever a table or a row changes its form. What an earlier version kept is forgotten: the browser pairs anew. */
const VERSION = 3;

type Table = keyof Tables;
const TABLES = [
  "pairing",
  "key",
  "sealKeys",
  "card",
  "charter",
  "freezes",
  "stops",
  "link",
  "devices",
  "requests",
  "outbox",
  "notices",
  "early",
  "log",
  "alarms",
  "witnesses",
] as const satisfies readonly Table[];

/** Reads and writes inside one transaction. Await nothing but these in there, or the transaction ends early. */
export interface Records {
  get<T extends Table>(table: T, key: string): Promise<Tables[T] | undefined>;
  all<T extends Table>(table: T): Promise<Tables[T][]>;
  put<T extends Table>(table: T, key: string, row: Tables[T]): void;
  remove(table: Table, key: string): void;
  clear(table: Table): void;
}

/** Runs `work` in one transaction: all of its writes are durable when this resolves, or none is made. */
export async function transact<R>(work: (records: Records) => Promise<R>): Promise<R> {
  let changed = false;
  const result = await run("readwrite", work, () => {
    changed = true;
  });
  if (changed) announceChange();
  return result;
}

/** Runs `work`, which only reads, in one transaction: what it reads was so at one moment. */
export async function look<R>(work: (records: Records) => Promise<R>): Promise<R> {
  return await run("readonly", work, () => undefined);
}

async function run<R>(
  mode: IDBTransactionMode,
  work: (records: Records) => Promise<R>,
  onWrite: () => void,
): Promise<R> {
  const database = await open();
  try {
    const transaction = database.transaction(TABLES, mode, { durability: "strict" });
    const ended = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error("the transaction was aborted"));
    });
    try {
      const result = await work(recordsOf(transaction, onWrite));
      await ended;
      return result;
    } catch (error) {
      ended.catch(() => undefined);
      abort(transaction);
      throw error;
    }
  } finally {
    database.close();
  }
}

function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
  } catch {
    // It has ended by itself.
  }
}

function recordsOf(transaction: IDBTransaction, onWrite: () => void): Records {
  const written = (table: Table): IDBObjectStore => {
    onWrite();
    return transaction.objectStore(table);
  };
  return {
    get: (table, key) => answer(transaction.objectStore(table).get(key)),
    all: (table) => answer(transaction.objectStore(table).getAll()),
    put: (table, key, row) => void written(table).put(row, key),
    remove: (table, key) => void written(table).delete(key),
    clear: (table) => void written(table).clear(),
  };
}

async function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(NAME, VERSION);
  request.onupgradeneeded = () => {
    const database = request.result;
    for (const table of Array.from(database.objectStoreNames)) database.deleteObjectStore(table);
    for (const table of TABLES) database.createObjectStore(table);
  };
  return await answer(request);
}

async function answer<T>(request: IDBRequest<T>): Promise<T> {
  return await new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the database did not answer"));
  });
}

function announceChange(): void {
  const channel = new BroadcastChannel(NAME);
  channel.postMessage("changed");
  channel.close();
}

/** Calls `onChange` after every change that any worker or page makes. Returns what ends it. */
export function onStoreChange(onChange: () => void): () => void {
  const channel = new BroadcastChannel(NAME);
  channel.onmessage = () => onChange();
  return () => channel.close();
}
