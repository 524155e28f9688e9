/**
 * When each device last signed anything, as far as this browser knows: from the receipts of the requests that it holds, which the HSM
 * signed; and how a drill went for each person. Pure; seconds since 1970.
 */
import type { Receipt } from "../../protocol/log-entry.ts";
import { isTransfer, type MotionRequest, type RequestPayload } from "../../protocol/request.ts";

/** A request and its newest verified receipt. */
export interface Recorded {
  readonly payload: RequestPayload;
  readonly receipt: Receipt | null;
}

export interface LastSigned {
  readonly at: number;
  readonly what: "drill" | "transfer" | "change";
}

/** When the device of this address last signed, and what; undefined where this browser has seen nothing of it. */
export function lastSigned(requests: readonly Recorded[], address: string): LastSigned | undefined {
  return requests
    .flatMap(({ payload, receipt }) =>
      (receipt?.records ?? [])
        .filter((record) => record.kind === "approval" && record.address === address)
        .map(({ at }) => ({ at, what: kindOf(payload) })),
    )
    .sort((a, b) => b.at - a.at)[0];
}

function kindOf(payload: RequestPayload): LastSigned["what"] {
  if (isTransfer(payload)) return "transfer";
  return payload.verb === "DRILL" ? "drill" : "change";
}

export interface DrillResult {
  readonly vault: string;
  readonly request: string;
  /** When it was proposed. */
  readonly at: number;
  /** Enough people have answered. */
  readonly reached: boolean;
  readonly threshold: number;
  /** Everybody who was asked: when they signed and on which device, or null. */
  readonly people: readonly {
    readonly name: string;
    readonly signed: { readonly at: number; readonly address: string | null } | null;
  }[];
}

type Drill = Extract<MotionRequest, { verb: "DRILL" }>;

/** The newest drill of each vault that this browser knows, in the order of the vaults' names. */
export function drillResults(requests: readonly Recorded[]): DrillResult[] {
  const newest = new Map<string, DrillResult>();
  for (const { payload, receipt } of requests) {
    if (isTransfer(payload) || payload.verb !== "DRILL") continue;
    const before = newest.get(payload.change.vault);
    if (before === undefined || before.at < payload.iat) newest.set(payload.change.vault, resultOf(payload, receipt));
  }
  return [...newest.values()].sort((a, b) => (a.vault < b.vault ? -1 : 1));
}

function resultOf(payload: Drill, receipt: Receipt | null): DrillResult {
  const approvals = (receipt?.records ?? []).filter(({ kind }) => kind === "approval");
  return {
    vault: payload.change.vault,
    request: payload.request,
    at: payload.iat,
    reached: receipt?.state === "enacted" || receipt?.state === "approved",
    threshold: payload.quorum.threshold,
    people: payload.quorum.people.map((name) => {
      const record = approvals.find(({ person }) => person === name);
      return { name, signed: record === undefined ? null : { at: record.at, address: record.address } };
    }),
  };
}
