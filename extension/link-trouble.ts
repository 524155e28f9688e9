/** What went wrong with the connection to the bridge, in sentences for the person. Used by link.ts only. */
import { type ErrorCode, Fault } from "../protocol/error.ts";
import type { BridgeFrame } from "../protocol/frame.ts";
import type { Identity } from "./link.ts";
import type { Problem } from "./store.ts";

export const SILENT: Problem = {
  code: "ERR_BRIDGE_UNREACHABLE",
  message: "The bridge stopped answering; this extension keeps trying. If it lasts, tell your operator.",
};

/** Why a connection ended: `refused` is what the bridge said, null where it said nothing. */
export function closedProblem(refused: ErrorCode | null, as: Identity): Problem {
  if (refused === "ERR_LOGIN_UNKNOWN") {
    const message =
      as === "invite"
        ? "The bridge does not know this invite. It was used, has expired, or the agent is not connected yet. If this lasts, ask your operator for a new one."
        : "The bridge does not know this browser: it was removed from the people, or the agent has not connected yet. If this lasts, ask your operator.";
    return { code: refused, message };
  }
  if (refused !== null) {
    return { code: refused, message: "The bridge refused this browser; it keeps trying. Tell your operator the code." };
  }
  return {
    code: "ERR_BRIDGE_UNREACHABLE",
    message: "The bridge cannot be reached; this extension keeps trying. Check your network, then ask your operator.",
  };
}

export function problemOf(error: unknown): Problem {
  if (error instanceof Fault) return { code: error.code, message: error.message };
  const message = "Something failed in this browser; nothing was lost, and it is tried again.";
  return { code: "ERR_INTERNAL", message };
}

export function outOfPlace(frame: BridgeFrame): Fault {
  return new Fault("ERR_FRAME_MALFORMED", `The bridge sent ${frame.t} where it has no place; it may need an update.`);
}
