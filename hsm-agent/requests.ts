/**
 * The life of a request: which state follows which event. README.md of protocol/, "States". Pure.
 * An empty cell is an error: what is not written here does not happen.
 */
import { Fault } from "../protocol/error.ts";
import type { RequestState } from "../protocol/message.ts";

export type RequestEvent =
  /** The HSM signed the request: people may see it. */
  | "issued"
  /** Enough distinct people approved. */
  | "quorum"
  /** An approval was taken back before the vault key signed, and the rest are too few. */
  | "withdrawn"
  /** The vault key signed. */
  | "signed"
  /** A motion took effect. */
  | "enacted"
  | "rejected"
  | "cancelled"
  | "expired"
  /** Policy or people changed. */
  | "superseded"
  /** The HSM's signature cannot be used, for a reason that will not pass by itself. */
  | "failed";

const STOPS = {
  rejected: "rejected",
  cancelled: "cancelled",
  expired: "expired",
  superseded: "void",
  failed: "failed",
} as const;

const TABLE: Record<RequestState, Partial<Record<RequestEvent, RequestState>>> = {
  proposed: { ...STOPS, issued: "pending" },
  pending: { ...STOPS, quorum: "approved" },
  // The intent to sign is recorded, nothing is signed: a stop still wins.
  approved: { ...STOPS, signed: "signed", enacted: "enacted", withdrawn: "pending" },
  // Only one that nobody has read yet: policy, people and expiry are asked again when it is handed out.
  signed: { expired: "expired", superseded: "void" },
  enacted: {},
  rejected: {},
  cancelled: {},
  expired: {},
  void: {},
  failed: {},
};

/** States from which something can still happen. */
export const OPEN_STATES = ["proposed", "pending", "approved"] as const satisfies readonly RequestState[];

export function isOpen(state: RequestState): boolean {
  return OPEN_STATES.some((open) => open === state);
}

/** The state after `event`. @throws Fault ERR_REQUEST_STATE where the table has no such cell */
export function nextState(state: RequestState, event: RequestEvent): RequestState {
  const next = TABLE[state][event];
  if (next === undefined) {
    throw new Fault("ERR_REQUEST_STATE", `The request is ${state}; it cannot become ${event} any more.`);
  }
  return next;
}
