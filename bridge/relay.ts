/**
 * Routing: may this sender send to that receiver, and how much of a mailbox may be under way to one connection.
 * Pure: no sockets, no store. protocol/README.md, "Relay".
 */
import type { ErrorCode } from "../protocol/error.ts";
import type { Party } from "./admit.ts";
import type { Rosters } from "./roster.ts";

/**
 * `once`: this sender's first message is its last (an invite). `rivals`: how many agents may send to this receiver;
 * null where the receiver is an agent.
 */
export type Route =
  | { readonly to: string; readonly once: boolean; readonly rivals: number | null }
  | { readonly refused: ErrorCode };

/**
 * Judges one message by the rosters in force at `now` (seconds), not by those of the sender's login: an agent may
 * send to whoever is on its roster, they only to agents whose roster has them, never to each other.
 */
export function route(from: Party, to: string, rosters: Rosters, now: number): Route {
  if (from.card !== null) {
    if (rosters.find(from.agent, to, now) === undefined) return { refused: "ERR_FRAME_UNKNOWN_RECEIVER" };
    return { to, once: false, rivals: rosters.isShared(to) ? rosters.agentsOf(to, now).length : 1 };
  }
  const sender = rosters.find(to, from.key, now);
  if (sender !== undefined) return { to, once: sender.standing === "invite", rivals: null };
  const isKnown = rosters.agentsOf(from.key, now).length > 0;
  return { refused: isKnown ? "ERR_FRAME_UNKNOWN_RECEIVER" : "ERR_LOGIN_UNKNOWN" };
}

/** How much may be under way to one connection before it acknowledges. */
export interface WindowLimits {
  readonly messages: number;
  readonly bytes: number;
}

/** What is under way to one connection: pushed, not yet acknowledged. */
export class Window {
  readonly #limits: WindowLimits;
  /** Of each message seq and bytes, one after the other. */
  readonly #pushed: number[] = [];
  #bytes = 0;
  #cursor = 0;
  #answered = 0;

  constructor(limits: WindowLimits) {
    this.#limits = limits;
  }

  /** Highest seq that was pushed or acknowledged: the next to push is above it. */
  get cursor(): number {
    return this.#cursor;
  }

  /** How many more messages may be pushed now; 0 also where their bytes fill the window. */
  get room(): number {
    return this.#bytes >= this.#limits.bytes ? 0 : this.#limits.messages - this.#pushed.length / 2;
  }

  push(seq: number, bytes: number): void {
    this.#pushed.push(seq, bytes);
    this.#bytes += bytes;
    this.#cursor = seq;
  }

  /** Whether an acknowledgement that comes on this connection is of something that it was given, and the first of that. */
  answers(seq: number): boolean {
    if (seq <= this.#answered || seq > this.#cursor) return false;
    this.#answered = seq;
    return true;
  }

  /** Everything up to and with `seq` has arrived, on this connection or another of the same receiver. */
  settle(seq: number): void {
    let settled = 0;
    for (; (this.#pushed[settled] ?? Number.POSITIVE_INFINITY) <= seq; settled += 2) {
      this.#bytes -= this.#pushed[settled + 1] ?? 0;
    }
    this.#pushed.splice(0, settled);
    this.#cursor = Math.max(this.#cursor, seq);
  }
}
