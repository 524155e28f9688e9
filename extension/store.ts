/**
 * What the extension keeps, in IndexedDB, for the service worker and the pages alike: the only file that touches it. README.md,
 * "The extension's records". Every change is one transaction, strictly durable, and is announced on a BroadcastChannel.
 * It decides nothing: what may be written is up to inbox.ts, actions.ts and link.ts.
 */
import type { Invite } from "../protocol/invite.ts";
import type { Receipt, Role } from "../protocol/message.ts";
import type { PublicJwk } from "../protocol/primitive.ts";
import type { RequestPayload } from "../protocol/request.ts";
import type { Vendor } from "../protocol/vendor.ts";
import type { DeviceModel } from "./devices/device.ts";

/** Something that went wrong: a stable code, and a sentence for the person. */
export interface Problem {
  readonly code: string;
  readonly message: string;
}

/** Whom this browser belongs to. `hsm` and `kid` are thumbprints: the pinned HSM identity's, and our own key's. */
export interface Pairing {
  readonly state: "pairing" | "paired" | "refused";
  readonly bridge: string;
  readonly hsm: string;
  /** Known once a message of the HSM has been verified; its thumbprint is `hsm`. */
  readonly hsmJwk: PublicJwk | null;
  readonly kid: string;
  /** Only while pairing. */
  readonly invite: Invite | null;
  readonly name: string | null;
  readonly roles: Role[];
  /** `iat` of the welcome that name, roles and devices are from, in seconds: an older one changes nothing. */
  readonly welcomedAt: number;
  readonly problem: Problem | null;
}

export interface StoredDevice {
  readonly address: string;
  readonly vendor: Vendor;
  readonly model: DeviceModel;
  readonly path: string;
  /** `sent`: not yet answered; `pending`: received, waiting for an operator's confirmation. */
  readonly state: "sent" | "pending" | "enrolled" | "refused";
  readonly problem: Problem | null;
  /** What this person calls it, in this browser only. */
  readonly label?: string;
  /** When an approval was last signed with it here, in seconds. */
  readonly usedAt?: number;
}

/** A decision of this person about a request. */
export interface Mine {
  readonly kind: "approval" | "rejection" | "withdrawal";
  readonly jti: string;
  /** Of an approval: the vendor of the device that signed. Absent in records of an earlier version. */
  readonly vendor?: Vendor;
  /** Seconds. */
  readonly at: number;
  /** Named in a verified receipt. */
  readonly received: boolean;
  readonly refusal: Problem | null;
}

export interface StoredRequest {
  readonly id: string;
  readonly jws: string;
  readonly payload: RequestPayload;
  readonly digest: string;
  /** Seconds. */
  readonly arrivedAt: number;
  readonly receipt: Receipt | null;
  readonly mine: Mine[];
  /** Why it must not be approved, as found when it arrived. */
  readonly problem: Problem | null;
  /** Something odd that was ignored, e.g. a forged receipt. */
  readonly notice: Problem | null;
  readonly notified: boolean;
}

/** A message until the agent has answered it. `bridge: accepted` is not an answer. */
export interface OutboxItem {
  /** Also the frame's id, on every sending. */
  readonly jti: string;
  readonly kind: "pair" | "enrolment" | "approval" | "rejection" | "withdrawal";
  readonly jws: string;
  /** Seconds; not sent any more from then on. */
  readonly exp: number;
  /** The request or the address that it is about. */
  readonly about: string;
}

export interface LinkStatus {
  readonly state: "unpaired" | "offline" | "connecting" | "online";
  /** Seconds. */
  readonly since: number;
  readonly problem: Problem | null;
}

/** A message that was refused and not used; equal ones are counted. */
export interface Notice extends Problem {
  readonly count: number;
  /** When the last one came, in seconds. */
  readonly at: number;
}

/** The tables, and what a row of each is. Single records stand under the key `self`. */
export interface Tables {
  pairing: Pairing;
  key: CryptoKeyPair;
  link: LinkStatus;
  devices: StoredDevice;
  requests: StoredRequest;
  outbox: OutboxItem;
  notices: Notice;
  /** Receipts that came before their request, by request id. */
  early: Receipt;
}
type Table = keyof Tables;
const TABLES: readonly Table[] = ["pairing", "key", "link", "devices", "requests", "outbox", "notices", "early"];
const NAME = "opencustody";
export const SELF = "self";

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

async function run<R>(
  mode: IDBTransactionMode,
  work: (records: Records) => Promise<R>,
  onWrite: () => void = () => undefined,
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
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => {
    for (const table of TABLES) request.result.createObjectStore(table);
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

export async function loadPairing(): Promise<Pairing | null> {
  return (await run("readonly", (r) => r.get("pairing", SELF))) ?? null;
}

export async function loadKey(): Promise<CryptoKeyPair | null> {
  return (await run("readonly", (r) => r.get("key", SELF))) ?? null;
}

export async function loadDevices(): Promise<StoredDevice[]> {
  return await run("readonly", (r) => r.all("devices"));
}

/** All requests, the newest first. */
export async function loadRequests(): Promise<StoredRequest[]> {
  return (await run("readonly", (r) => r.all("requests"))).sort((a, b) => b.arrivedAt - a.arrivedAt);
}

export async function loadRequest(id: string): Promise<StoredRequest | null> {
  return (await run("readonly", (r) => r.get("requests", id))) ?? null;
}

export async function loadOutbox(): Promise<OutboxItem[]> {
  return await run("readonly", (r) => r.all("outbox"));
}

export async function loadNotices(): Promise<Notice[]> {
  return await run("readonly", (r) => r.all("notices"));
}

export async function loadLink(): Promise<LinkStatus> {
  return (await run("readonly", (r) => r.get("link", SELF))) ?? { state: "unpaired", since: 0, problem: null };
}
