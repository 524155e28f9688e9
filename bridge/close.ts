/** With which code the bridge ends a WebSocket connection, by its cause. Pure. protocol/README.md, "Frames". */
import type { ErrorCode } from "../protocol/error.ts";

/** Close codes with which the bridge ends a connection, after an error frame with the cause where one is to be told. */
export const CLOSE = {
  /** The bridge stops; come back later. */
  goingAway: 1001,
  /** The bridge failed; what was not acknowledged was not stored. */
  internal: 1011,
  /** A frame that this side may not send, or not now, or not in this form. Do not repeat it. */
  malformed: 4400,
  /** The login was refused, or the key has left the roster. The same login will not do better. */
  refused: 4401,
  /** No login came in time. */
  late: 4408,
  /** Too many connections of this key, or frames in too short a time. Come back later. */
  tooMany: 4429,
} as const;

/** The close code after an error frame with `code`. */
export function closeCodeOf(code: ErrorCode): number {
  if (code === "ERR_FRAME_MALFORMED" || code === "ERR_FRAME_TOO_LARGE") return CLOSE.malformed;
  if (code === "ERR_LOGIN_TIMEOUT") return CLOSE.late;
  if (code === "ERR_LOGIN_TOO_MANY" || code === "ERR_FRAME_RATE") return CLOSE.tooMany;
  return code === "ERR_INTERNAL" ? CLOSE.internal : CLOSE.refused;
}
