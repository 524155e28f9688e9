/**
 * What the extension keeps, for the service worker and the pages alike: the rows of each table, and how they are read. README.md, "The
 * extension's records". How they are stored is database.ts; what may be written is up to inbox.ts, actions.ts and station.ts.
 */
import type { Charter } from "../protocol/charter.ts";
import type { Invite } from "../protocol/invite.ts";
import type { Receipt } from "../protocol/log-entry.ts";
import type { Freezes, RequestState } from "../protocol/message.ts";
import type { Role } from "../protocol/people.ts";
import { type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import type { RequestPayload } from "../protocol/request.ts";
import type { Vendor } from "../protocol/vendor.ts";
import { look, type Records } from "./database.ts";
import type { DeviceModel } from "./devices/device.ts";
import type { Alarm } from "./log-alarm.ts";
import type { StoredLog } from "./log-memory.ts";
import type { SignedReceipt } from "./receive-receipt.ts";
import type { StoredWitness } from "./witnesses.ts";

/** Something that went wrong: a stable code, and a sentence for the person. */
export interface Problem {
  readonly code: string;
  readonly message: string;
}

/** Whom this browser belongs to. `hsm` and `kid` are thumbprints: the pinned HSM identity's, and our own key's. */
export interface Pairing {
  readonly state: "pairing" | "paired" | "refused";
  /** `pending`: the agent has our keys, and no quorum has enrolled us yet. null before the first welcome. */
  readonly standing: "pending" | "member" | null;
  readonly bridge: string;
  readonly hsm: string;
  /** Known once something of the HSM's has been verified; its thumbprint is `hsm`. */
  readonly hsmJwk: PublicJwk | null;
  /** The identities that were pinned before, by rotations that this browser followed. */
  readonly former: readonly PublicJwk[];
  readonly kid: string;
  /** Only while pairing. */
  readonly invite: Invite | null;
  readonly name: string | null;
  readonly roles: Role[];
  /** `iat` of the welcome that name, roles and devices are from, in seconds: an older one changes nothing. */
  readonly welcomedAt: number;
  /** `iat` of the first welcome, by the agent's clock; 0 before. */
  readonly joinedAt: number;
  /** Thumbprint of the identity that signed the founding, or will; null before the first welcome. */
  readonly founder: string | null;
  /** SHA-256 of the first act's payload, as a welcome told it; null while none was told. */
  readonly founding: string | null;
  /** What the pairing message carried: the words that are read aloud commit to it. */
  readonly pair: { readonly jti: string; readonly key: PublicJwk; readonly seal: PublicJwk };
  readonly problem: Problem | null;
}

export interface StoredDevice {
  readonly address: string;
  readonly vendor: Vendor;
  readonly model: DeviceModel;
  readonly path: string;
  /** `sent`: not yet answered; `pending`: received, and no quorum has enrolled it yet. */
  readonly state: "sent" | "pending" | "enrolled" | "refused";
  readonly problem: Problem | null;
  /** This very browser read its address and sent it. */
  readonly here?: true;
  /** What this person calls it, in this browser only. */
  readonly label?: string;
  /** When an approval was last signed with it here, in seconds. */
  readonly usedAt?: number;
}

/** A decision of this person about a request. */
export interface Mine {
  readonly kind: "approval" | "rejection" | "withdrawal";
  readonly jti: string;
  /** Of an approval: the vendor of the device that signed. */
  readonly vendor?: Vendor;
  /** Seconds. */
  readonly at: number;
  /** Named in a verified receipt, or among the approvals of an act. */
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
  /** `n` is 0 where the agent has gone back to an older record since (RESTORE): then its next one counts, whatever its number. */
  readonly receipt: Receipt | null;
  /** The log that is known here was proved to hold it: what a RESTORE may leave unnamed came after it, and is not lost. */
  readonly inLog?: true;
  /** It ended with such a RESTORE, in the state that was known then; for ever, since it may have been signed all the same. */
  readonly restored?: { readonly was: RequestState };
  readonly mine: Mine[];
  /** A rotation that the next HSM identity signed, and the pinned one did not. */
  readonly byNextIdentity: boolean;
  /** Why it must not be approved by anybody, as found when it arrived. */
  readonly problem: Problem | null;
  /** Something odd that was ignored, e.g. a forged receipt. */
  readonly notice: Problem | null;
  readonly notified: boolean;
}

/** A message until the agent has answered it, not sealed yet. `bridge: accepted` is not an answer. */
export interface OutboxItem {
  readonly jti: string;
  readonly kind: "pair" | "enrolment" | "approval" | "rejection" | "withdrawal" | "freeze";
  /** The HSM identity that it is for: the pinned one, or the next one of a rotation. */
  readonly to: string;
  readonly jws: string;
  /** Seconds; not sent any more from then on. */
  readonly exp: number;
  /** The request or the address that it is about. */
  readonly about: string;
}

/** A freeze that this person asked for. */
export interface StoredStop {
  readonly jti: string;
  /** null: everything. */
  readonly vault: string | null;
  /** Seconds. */
  readonly at: number;
  /** The agent's list of freezes named it. */
  readonly received: boolean;
  readonly refusal: Problem | null;
}

/** A key that we receive with. The newest has the highest `n`, and `replacedAt` null. */
export interface SealKey {
  readonly n: number;
  readonly kid: string;
  /** null: given up with a RESTORE, and kept to tell what is sealed to it from what is sealed to a stranger. */
  readonly pair: CryptoKeyPair | null;
  readonly jwk: PublicJwk;
  /** Seconds. */
  readonly madeAt: number;
  readonly replacedAt: number | null;
}

/** The newest card seen of an HSM identity, verified. */
export interface StoredCard {
  readonly hsm: string;
  /** The bridge that it was made for. */
  readonly bridge: string;
  readonly n: number;
  /** The agent's receiving key. */
  readonly seal: PublicJwk;
  /** Seconds; nothing is sealed to it from then on. */
  readonly exp: number;
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
  /** By thumbprint. */
  sealKeys: SealKey;
  /** By thumbprint of the HSM identity. */
  card: StoredCard;
  charter: Charter;
  freezes: Freezes;
  stops: StoredStop;
  link: LinkStatus;
  devices: StoredDevice;
  requests: StoredRequest;
  outbox: OutboxItem;
  notices: Notice;
  /** Receipts that came before their request, by request id. */
  early: SignedReceipt;
  log: StoredLog;
  /** By kind and person. */
  alarms: Alarm;
  /** By thumbprint of the browser's key. */
  witnesses: StoredWitness;
}
export const SELF = "self";

/** The tables that belong to one pairing and go with it. */
export const OF_A_PAIRING = [
  "key",
  "sealKeys",
  "card",
  "charter",
  "freezes",
  "stops",
  "devices",
  "requests",
  "outbox",
  "notices",
  "early",
  "log",
  "alarms",
  "witnesses",
] as const satisfies readonly (keyof Tables)[];

export async function loadPairing(): Promise<Pairing | null> {
  return (await look((r) => r.get("pairing", SELF))) ?? null;
}

export async function loadKey(): Promise<CryptoKeyPair | null> {
  return (await look((r) => r.get("key", SELF))) ?? null;
}

export async function loadDevices(): Promise<StoredDevice[]> {
  return await look((r) => r.all("devices"));
}

/** All requests, the newest first. */
export async function loadRequests(): Promise<StoredRequest[]> {
  return (await loadPost()).requests;
}

/** The same, with what waits to be sent about them: as both were at one moment. */
export async function loadPost(): Promise<{ requests: StoredRequest[]; outbox: OutboxItem[] }> {
  return await look(async (r) => {
    const requests = (await r.all("requests")).sort((a, b) => b.arrivedAt - a.arrivedAt);
    return { requests, outbox: await r.all("outbox") };
  });
}

export async function loadRequest(id: string): Promise<StoredRequest | null> {
  return (await look((r) => r.get("requests", id))) ?? null;
}

export async function loadOutbox(): Promise<OutboxItem[]> {
  return await look((r) => r.all("outbox"));
}

export async function loadNotices(): Promise<Notice[]> {
  return await look((r) => r.all("notices"));
}

export async function loadLink(): Promise<LinkStatus> {
  return (await look((r) => r.get("link", SELF))) ?? { state: "unpaired", since: 0, problem: null };
}

/** What is known of the agent's log; null before the first view of it. */
export async function loadLog(): Promise<StoredLog | null> {
  return (await look((r) => r.get("log", SELF))) ?? null;
}

/** Alarms that stand, the oldest first. */
export async function loadAlarms(): Promise<Alarm[]> {
  return (await look((r) => r.all("alarms"))).sort((a, b) => a.at - b.at);
}

/** What others' browsers have seen of the log, the newest word first. */
export async function loadWitnesses(): Promise<StoredWitness[]> {
  return (await look((r) => r.all("witnesses"))).sort((a, b) => b.at - a.at);
}

/** Who may decide what, by the acts verified so far. null before the founding act, or while they do not lead to the pinned identity yet. */
export async function loadCharter(): Promise<Charter | null> {
  return await look(readCharter);
}

/** The same inside a transaction. */
export async function readCharter(records: Records): Promise<Charter | null> {
  const charter = await records.get("charter", SELF);
  const pairing = await records.get("pairing", SELF);
  return charter !== undefined && thumbprint(charter.hsm) === pairing?.hsm ? charter : null;
}

/** What is frozen now, by the agent's newest list. */
export async function loadFreezes(): Promise<Freezes | null> {
  return (await look((r) => r.get("freezes", SELF))) ?? null;
}

/** Freezes that this person asked for, the newest first. */
export async function loadStops(): Promise<StoredStop[]> {
  return (await look((r) => r.all("stops"))).sort((a, b) => b.at - a.at);
}
