/** Requests for the unit tests of this folder; nothing that is shipped imports it. */
import type { Motion } from "../../protocol/governance.ts";
import type { RequestRecord, RequestState } from "../../protocol/message.ts";
import type { MotionRequest, RequestPayload, TransferRequest } from "../../protocol/request.ts";
import type { Mine, Problem, StoredRequest } from "../store.ts";

export const NOW = 1_795_340_000;
export const DESTINATION = "0x52908400098527886E0F7030069857D2E4169EE7";
export const OTHER = "0x8617E340B3D01FA5F11F306F4090FD50E238070D";
const KEY = "A".repeat(43);

const SHARED = {
  v: 1,
  iss: KEY,
  aud: [KEY],
  jti: "A".repeat(22),
  iat: NOW - 600,
  exp: NOW + 7200,
  request: "01JDA7Q9T2M4XYZ0",
  policy: { n: 17, digest: "aa".repeat(32) },
  people: { n: 3, digest: "bb".repeat(32) },
  statement: "",
} as const;

/** A governance request; carol proposed it and alice, bob and dave decide. */
export function sampleMotion(
  motion: Motion,
  changes: Partial<Omit<MotionRequest, "verb" | "change">> = {},
): MotionRequest {
  const quorum = { threshold: 2, people: ["alice", "bob", "dave"], vendors: [] };
  return { ...SHARED, aud: [KEY], ...motion, initiator: "carol", quorum, notBefore: null, ...changes };
}

export function samplePayload(changes: Partial<TransferRequest> = {}): TransferRequest {
  return {
    ...SHARED,
    aud: [KEY],
    verb: "SEND",
    vault: { id: "ab".repeat(16), name: "Treasury-1", publicKey: `04${"11".repeat(64)}` },
    network: { id: "eip155:1", name: "Ethereum", symbol: "ETH", decimals: 18 },
    token: null,
    payee: null,
    sign: ["02"],
    effect: { amount: "1.50", asset: "ETH", to: DESTINATION, maxFee: "0.012 ETH", nonce: 7 },
    initiator: "carol",
    quorum: { threshold: 2, people: ["alice", "bob", "dave"], vendors: [] },
    ...changes,
  };
}

export function sampleRecord(
  kind: RequestRecord["kind"],
  person: string,
  changes: Partial<RequestRecord> = {},
): RequestRecord {
  return { kind, person, of: "A".repeat(22), at: NOW - 60, vendor: null, address: null, reason: null, ...changes };
}

export function sampleMine(kind: Mine["kind"], changes: Partial<Mine> = {}): Mine {
  const vendor = kind === "approval" ? { vendor: "Ledger" as const } : {};
  return { kind, jti: "A".repeat(22), ...vendor, at: NOW - 5, received: false, refusal: null, ...changes };
}

interface Changes {
  readonly payload?: Partial<TransferRequest>;
  /** Instead of a transfer. */
  readonly motion?: MotionRequest;
  readonly state?: RequestState;
  readonly records?: RequestRecord[];
  readonly hash?: string;
  readonly mine?: Mine[];
  readonly problem?: Problem;
  readonly arrivedAt?: number;
}

/** A stored transfer; with `state` it has a receipt. */
export function sampleTransfer(changes: Omit<Changes, "motion"> = {}): StoredRequest & { payload: TransferRequest } {
  return { ...sampleRequest(changes), payload: samplePayload(changes.payload) };
}

/** A stored request; with `state` it has a receipt. */
export function sampleRequest(changes: Changes = {}): StoredRequest {
  const payload: RequestPayload = changes.motion ?? samplePayload(changes.payload);
  const digest = "3f".repeat(32);
  return {
    id: payload.request,
    jws: "jws",
    payload,
    digest,
    arrivedAt: changes.arrivedAt ?? NOW - 500,
    receipt:
      changes.state === undefined
        ? null
        : {
            v: 1,
            kind: "state",
            at: NOW - 60,
            request: payload.request,
            digest,
            n: 2,
            state: changes.state,
            records: changes.records ?? [],
            hash: changes.hash ?? null,
          },
    mine: changes.mine ?? [],
    byNextIdentity: false,
    problem: changes.problem ?? null,
    notice: null,
    notified: true,
  };
}
