/**
 * What people and programs were told, and so may rely on: the other side of the agent's record, kept outside of every process that is
 * killed. Nothing is ever taken out of it. It judges nothing (judge.ts).
 */

/** A decision that its maker was told the agent has. */
export interface Decision {
  readonly kind: "approval" | "rejection" | "freeze";
  /** Null of a freeze. */
  readonly request: string | null;
  readonly person: string;
}

/** States in which nothing more happens to a request. */
const ENDED = ["signed", "enacted", "rejected", "cancelled", "expired", "void", "failed"];

export class Ledger {
  /** Requests that were answered over the control socket, by the proposal's `jti`. */
  readonly proposals = new Map<string, string>();
  /** By the `jti` of the message; of what only a page told, by any other name. */
  readonly decisions = new Map<string, Decision>();
  /** Signed transactions that were handed out, by request. */
  readonly handedOut = new Map<string, string>();
  /** Ends that were read in a receipt or at the socket, by request. */
  readonly ends = new Map<string, string>();
  readonly #waiting = new Map<string, Set<() => void>>();
  /** What cannot both be so; each is one thing lost, or one thing done twice. */
  readonly contradictions: string[] = [];

  /** How many things were acknowledged. */
  get acknowledged(): number {
    return this.proposals.size + this.decisions.size + this.handedOut.size;
  }

  proposed(jti: string, request: string): void {
    const before = this.proposals.get(jti);
    if (before !== undefined && before !== request)
      this.contradictions.push(`one proposal is the requests ${before} and ${request}`);
    this.proposals.set(jti, request);
  }

  decided(jti: string, decision: Decision): void {
    this.decisions.set(jti, decision);
  }

  /** A state that somebody was told. An end is for ever. */
  told(request: string, state: string): void {
    if (!ENDED.includes(state)) return;
    const before = this.ends.get(request);
    if (before !== undefined && before !== state)
      this.contradictions.push(`${request} was ${before} and is ${state} now`);
    this.ends.set(request, state);
    for (const resolve of this.#waiting.get(request) ?? []) resolve();
    this.#waiting.delete(request);
  }

  /** A signed transaction that was read at the control socket. */
  read(request: string, signed: string): void {
    this.handedOut.set(request, signed);
  }

  /** Resolves once somebody was told of the end of a request. */
  async ended(request: string): Promise<void> {
    if (this.ends.has(request)) return;
    const waiting = this.#waiting.get(request) ?? new Set();
    this.#waiting.set(request, waiting);
    await new Promise<void>((resolve) => waiting.add(resolve));
  }
}
