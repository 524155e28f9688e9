/**
 * The parent's side of the lanes (lane.ts): hands each signature to the lane that has least to do, each with its limit. A lane is
 * started when all that there are have work, so an agent that rests has one.
 *
 * Ends nothing itself: a limit that passed, or an answer that does not fit, is told to the watchdog, which ends the process.
 */
import type { Duplex } from "node:stream";
import { Fault, isFault } from "../../protocol/error.ts";
import { encodeRequest, type LaneAnswer, parseAnswers, type Request } from "./lane-wire.ts";

/** How the lanes reach their process. */
export interface LaneHost {
  readonly pipes: readonly Duplex[];
  /** Requests that one lane is sent at a time; the others wait here, where their clock does not run yet. */
  readonly depth: number;
  /** Starts a lane; resolves when it reads. After a rejection the process may live on. */
  readonly begin: (lane: number) => Promise<unknown>;
  /** The process is to be ended. */
  readonly fail: (fault: Fault) => void;
}

interface Job {
  readonly limit: number;
  readonly ask: (number: number) => Request;
  readonly resolve: (signature: Uint8Array | undefined) => void;
  readonly reject: (fault: Fault) => void;
}

interface Lane {
  readonly pipe: Duplex;
  readonly sent: Map<number, { readonly job: Job; readonly timer: NodeJS.Timeout }>;
  outbox: Buffer[];
  rest: Buffer;
}

export class Lanes {
  readonly #host: LaneHost;
  readonly #lanes: Lane[] = [];
  readonly #queue: Job[] = [];
  #next = 0;
  /** No lane is being started, and none was refused. */
  #mayGrow = true;
  #fault: Fault | undefined;

  constructor(host: LaneHost) {
    this.#host = host;
    // What becomes of a pipe becomes of its process, and the watchdog hears of that.
    for (const pipe of host.pipes) pipe.on("error", () => {});
  }

  /** 64 bytes; `limit` in ms counts from when the request is sent. Rejects with the child's Fault, ERR_HSM_TIMEOUT or ERR_HSM_DOWN. */
  async sign(key: string, digest: Uint8Array, limit: number): Promise<Uint8Array> {
    const signature = await new Promise<Uint8Array | undefined>((resolve, reject) => {
      if (this.#fault !== undefined) return reject(this.#fault);
      this.#queue.push({ limit, resolve, reject, ask: (number) => ({ number, kind: "sign", key, digest }) });
      this.#pump();
    });
    if (signature === undefined) throw OUT_OF_TURN;
    return signature;
  }

  /** Each lane that runs takes a new session and forgets its handles. */
  async reopen(limit: number): Promise<void> {
    await Promise.all(
      this.#lanes.map(
        (lane) =>
          new Promise<unknown>((resolve, reject) => {
            if (this.#fault !== undefined) return reject(this.#fault);
            this.#send(lane, { limit, resolve, reject, ask: (number) => ({ number, kind: "reopen" }) });
          }),
      ),
    );
  }

  /** Rejects all that waits. The process is ended by who calls this. */
  end(fault: Fault): void {
    this.#fault = fault;
    const waiting = this.#queue.splice(0);
    for (const { sent } of this.#lanes) {
      for (const { job, timer } of sent.values()) {
        clearTimeout(timer);
        waiting.push(job);
      }
      sent.clear();
    }
    for (const { reject } of waiting) reject(fault);
  }

  #pump(): void {
    while (this.#queue.length > 0) {
      const lane = this.#leastBusy();
      if (lane === undefined || lane.sent.size > 0) this.#grow();
      if (lane === undefined || lane.sent.size >= this.#host.depth) return;
      const job = this.#queue.shift();
      if (job !== undefined) this.#send(lane, job);
    }
  }

  #leastBusy(): Lane | undefined {
    let least: Lane | undefined;
    for (const lane of this.#lanes) if (least === undefined || lane.sent.size < least.sent.size) least = lane;
    return least;
  }

  #grow(): void {
    const pipe = this.#host.pipes[this.#lanes.length];
    if (pipe === undefined || !this.#mayGrow) return;
    this.#mayGrow = false;
    this.#host.begin(this.#lanes.length).then(
      () => {
        this.#mayGrow = true;
        const lane: Lane = { pipe, sent: new Map(), outbox: [], rest: Buffer.alloc(0) };
        this.#lanes.push(lane);
        pipe.on("data", (data: Buffer) => this.#receive(lane, data));
        this.#pump();
      },
      // Those that run do the work: another one is not tried in this process. Where none runs, what waits would wait for ever. A PIN that
      // was refused is not tried again by anybody.
      (error: unknown) => {
        if (this.#fault !== undefined) return;
        if (isFault(error, "ERR_HSM_PIN")) this.#host.fail(error);
        else if (this.#lanes.length === 0) this.#host.fail(NO_LANE);
      },
    );
  }

  #send(lane: Lane, job: Job): void {
    this.#next = (this.#next + 1) % 2 ** 32;
    const number = this.#next;
    const timer = setTimeout(() => this.#host.fail(timeout(job.limit)), job.limit);
    lane.sent.set(number, { job, timer });
    // The requests of one turn of the event loop go in one write.
    if (lane.outbox.push(encodeRequest(job.ask(number))) === 1) setImmediate(() => flush(lane));
  }

  #receive(lane: Lane, data: Buffer): void {
    const parsed = parseAnswers(lane.rest.length === 0 ? data : Buffer.concat([lane.rest, data]));
    for (const answer of parsed?.frames ?? []) if (!this.#settle(lane, answer)) return this.#host.fail(OUT_OF_TURN);
    if (parsed === undefined) return this.#host.fail(OUT_OF_TURN);
    lane.rest = parsed.rest;
    this.#pump();
  }

  /** False for an answer that nobody waits for. */
  #settle(lane: Lane, answer: LaneAnswer): boolean {
    const pending = lane.sent.get(answer.number);
    if (pending === undefined) return this.#fault !== undefined;
    lane.sent.delete(answer.number);
    clearTimeout(pending.timer);
    if (answer.kind === "failed") pending.job.reject(answer.fault);
    else pending.job.resolve(answer.kind === "signed" ? answer.signature : undefined);
    return true;
  }
}

function flush(lane: Lane): void {
  const [first, ...others] = lane.outbox;
  lane.outbox = [];
  if (first !== undefined && !lane.pipe.destroyed) {
    lane.pipe.write(others.length === 0 ? first : Buffer.concat([first, ...others]));
  }
}

const OUT_OF_TURN = new Fault("ERR_INTERNAL", "The HSM process spoke out of turn; please report it.");

/** Nothing was sent to the HSM, so it can be asked again. */
const NO_LANE = new Fault(
  "ERR_HSM_DOWN",
  "The HSM process could start no thread to sign with; it was ended and a new one is started. Check the machine's limits on threads and memory.",
);

function timeout(limit: number): Fault {
  return new Fault(
    "ERR_HSM_TIMEOUT",
    `The HSM did not sign within ${limit} ms; its process was ended and a new one is started. Check the HSM and its network.`,
  );
}
