/**
 * What must hold between the entries of a log: nothing happens to a request that was not proposed, nothing is forgotten, nothing happens
 * after the end, and acts come one after the other. README.md of protocol/, "Log". Looks at one entry after the other and keeps only the
 * requests that something can still happen to, so that a log may be of any length. Pure.
 */
import { isDeepStrictEqual } from "node:util";
import type { Applied } from "../protocol/charter.ts";
import { isFault } from "../protocol/error.ts";
import type { Entry, Receipt } from "../protocol/log-entry.ts";
import type { RequestState } from "../protocol/message.ts";
import { isOpen, nextState, type RequestEvent } from "./requests.ts";

/** The agent's clock never goes below a mark that it makes every minute: after a restart it may be so far behind. Seconds. */
const BACK_MAX = 60;
const EVENTS: readonly RequestEvent[] = [
  "issued",
  "quorum",
  "withdrawn",
  "signed",
  "enacted",
  "rejected",
  "cancelled",
  "expired",
  "superseded",
  "failed",
];

/** A request to which something can still happen. */
interface Followed {
  readonly state: RequestState;
  /** null until the HSM signed the request, or it ended before. */
  readonly digest: string | null;
  readonly isIssued: boolean;
  readonly n: number;
  readonly records: Receipt["records"];
  readonly hash: string | null;
}

const PROPOSED: Followed = { state: "proposed", digest: null, isIssued: false, n: 0, records: [], hash: null };

export class LogRules {
  readonly #acts: readonly Applied[];
  readonly #followed = new Map<string, Followed>();
  #act = 0;
  #time = 0;

  /** `acts`: all of them, verified. */
  constructor(acts: readonly Applied[]) {
    this.#acts = acts;
  }

  /** Requests that are followed now. */
  get following(): number {
    return this.#followed.size;
  }

  /** How many acts the log has told of. */
  get acts(): number {
    return this.#act;
  }

  /** The next entry: what is wrong with it, or undefined. */
  take(entry: Entry): string | undefined {
    if (entry.at < this.#time - BACK_MAX) return "it is older than an entry before it";
    this.#time = Math.max(this.#time, entry.at);
    switch (entry.kind) {
      case "proposal":
        return this.#propose(entry);
      case "request":
        return this.#issue(entry);
      case "state":
        return this.#change(entry);
      case "released":
        return this.#release(entry);
      case "act":
        return this.#enact(entry);
      case "freeze":
        return entry.by === null && entry.of !== null ? "it names a message of nobody" : undefined;
    }
  }

  #propose({ request, person, of }: Extract<Entry, { kind: "proposal" }>): string | undefined {
    if (this.#followed.has(request)) return "its request was proposed before";
    if ((person === null) !== (of === null)) return "it names a proposal of nobody, or nobody's proposal";
    this.#followed.set(request, PROPOSED);
    return undefined;
  }

  #issue({ request, digest }: Extract<Entry, { kind: "request" }>): string | undefined {
    const before = this.#followed.get(request);
    if (before === undefined || before.isIssued)
      return "its request was not proposed, has ended, or was asked for before";
    if (before.digest !== null && before.digest !== digest) return "its request has another digest";
    this.#followed.set(request, { ...before, state: "pending", digest, isIssued: true });
    return undefined;
  }

  #change({ request, digest, n, state, records, hash }: Receipt): string | undefined {
    const before = this.#followed.get(request);
    if (before === undefined) return "its request was not proposed, or has ended";
    if (before.digest !== null && before.digest !== digest) return "its request has another digest";
    if (n <= before.n) return "its number is not higher than the last";
    if (!isDeepStrictEqual(records.slice(0, before.records.length), before.records))
      return "it forgets what was answered";
    if (state !== before.state && !follows(before.state, state)) return `its request was ${before.state}`;
    if ((hash !== null) !== (state === "signed")) return "only what is signed has a hash";
    if (state === before.state && hash !== before.hash) return "its request was signed otherwise";
    // A signed one is followed until it was handed out.
    if (isOpen(state) || state === "signed")
      this.#followed.set(request, { state, digest, isIssued: before.isIssued, n, records, hash });
    else this.#followed.delete(request);
    return undefined;
  }

  #release({ request, hash }: Extract<Entry, { kind: "released" }>): string | undefined {
    const before = this.#followed.get(request);
    if (before?.state !== "signed" || before.hash !== hash)
      return "nothing of this hash was signed and not handed out yet";
    this.#followed.delete(request);
    return undefined;
  }

  #enact({ n, verb, request, head }: Extract<Entry, { kind: "act" }>): string | undefined {
    const applied = this.#acts[this.#act];
    const isNext = n === this.#act + 1 && applied?.charter.head === head;
    if (!isNext || applied.request.verb !== verb || applied.request.request !== request)
      return `act ${this.#act + 1} is another one, or not there`;
    if (this.#followed.get(request)?.state !== "approved") return "its request was not approved";
    this.#act += 1;
    return undefined;
  }
}

/** Whether one event leads from a state to another. */
function follows(before: RequestState, after: RequestState): boolean {
  return EVENTS.some((event) => {
    try {
      return nextState(before, event) === after;
    } catch (error) {
      if (!isFault(error, "ERR_REQUEST_STATE")) throw error;
      return false;
    }
  });
}
