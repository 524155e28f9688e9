/**
 * One WebSocket connection: its hello, its order of frames, its rate, its send buffer and its end. What a frame does
 * is the exchange's business. protocol/README.md, "Frames".
 */
import { randomBytes } from "node:crypto";
import { base64url } from "jose";
import type { Logger } from "pino";
import type { RawData, WebSocket } from "ws";
import { type ErrorCode, Fault, isFault } from "../protocol/error.ts";
import { type BridgeFrame, type ClientFrame, encodeFrame, parseClientFrame } from "../protocol/frame.ts";
import type { Party } from "./admit.ts";
import type { Body, Origin } from "./box.ts";
import { CLOSE, closeCodeOf } from "./close.ts";
import { hearNoMore, type Wire } from "./farewell.ts";
import { acceptedText, DELIVER_TAIL, deliverHead, type HotFrame, readHotFrame } from "./hot-frame.ts";
import { nameOf, placeOf } from "./place.ts";
import { Bucket, type RateLimits, type RateVerdict } from "./rate.ts";
import { Window, type WindowLimits } from "./relay.ts";
import type { Turn } from "./turn.ts";
import { Outgoing } from "./wire.ts";

/** Bounds of one connection; server.ts states them with their reasons. */
export interface ConnectionLimits {
  /** Milliseconds. */
  readonly loginTime: number;
  readonly closing: number;
  readonly memberRate: RateLimits;
  readonly agentRate: RateLimits;
  /** Bytes waiting in this process for a receiver to read. */
  readonly sendBuffer: number;
  readonly window: WindowLimits;
}

type LoginFrame = Extract<ClientFrame, { t: "login" }>;
type RenewalFrame = Extract<ClientFrame, { t: "roster" | "card" }>;
type PlainFrame = HotFrame | Extract<ClientFrame, { t: "ping" }>;

/** Who handles what a connection brings. Faults that it throws end the connection. */
export interface Desk {
  login(connection: Connection, frame: LoginFrame): Promise<void>;
  renew(connection: Connection, frame: RenewalFrame): Promise<void>;
  receive(connection: Connection, frame: PlainFrame): void;
  leave(connection: Connection): void;
}

/** What all connections share. */
export interface Office {
  readonly desk: Desk;
  readonly limits: ConnectionLimits;
  readonly log: Logger;
  readonly turn: Pick<Turn, "later" | "clock">;
  /** Whether the log takes one more line about somebody who has not logged in. */
  readonly mayTell: () => boolean;
  /** Frames read and written so far. */
  readonly counts: { read: number; written: number };
}

export class Connection implements Origin {
  /** The bridge nonce of this connection: 32 random bytes, used for no other. */
  readonly nonce = base64url.encode(randomBytes(32));
  readonly window: Window;
  readonly #socket: WebSocket;
  readonly #wire: Wire;
  readonly #office: Office;
  /** A stranger's until the login, then one of its key's. */
  #bucket: Bucket;
  /** Until the login; then until the close frame is answered. */
  #timer: NodeJS.Timeout | undefined;
  #state: "hello" | "verifying" | "ready" | "over" = "hello";
  #party: Party | undefined;
  #alive = true;
  /** With which this side ended it. */
  #closeCode: number | undefined;
  /** Frames of this turn. */
  #outgoing: Outgoing | undefined;
  /** While a login, roster or card is verified: frames are handled one after the other, though that takes its time. */
  #tail: Promise<void> | undefined;

  /** `wire` is the stream under `socket`. */
  constructor(socket: WebSocket, wire: Wire, office: Office) {
    this.#socket = socket;
    this.#wire = wire;
    this.#office = office;
    this.window = new Window(office.limits.window);
    this.#bucket = new Bucket(office.limits.memberRate, office.turn.clock());
    this.#timer = setTimeout(() => this.fail("ERR_LOGIN_TIMEOUT"), office.limits.loginTime);
    socket.on("message", (data, isBinary) => this.#onMessage(data, isBinary));
    socket.on("ping", (data) => {
      if (this.#count() !== "ok") return;
      // A copy: what it came in may be far longer, and would wait with it to be read.
      socket.pong(Buffer.from(data));
      this.#dropIfSlow();
    });
    socket.on("pong", () => void this.#count());
    // ws has closed the socket by itself (1009 for a frame that is too large, 1002, 1007, 1008).
    socket.on("error", (error: Error & { code?: string }) => {
      this.#tell("warn", "broken", { cause: error.code });
      this.#hearNoMore();
    });
    socket.on("close", (code) => this.#onClose(code));
    this.send({ v: 1, t: "hello", nonce: this.nonce });
  }

  /** Whom this connection was authenticated as; undefined until then. */
  get party(): Party | undefined {
    return this.#party;
  }

  get bucket(): Bucket {
    return this.#bucket;
  }

  get isOpen(): boolean {
    return this.#state !== "over" && this.#socket.readyState === this.#socket.OPEN;
  }

  /** The login was accepted. `card`: the newest of the agent that it named; null to an agent. `bucket`: of this key. */
  enter(party: Party, card: string | null, bucket: Bucket): void {
    this.#stopTimer();
    this.#party = party;
    this.#state = "ready";
    this.#bucket = bucket;
    this.#tell("info", "admitted");
    this.send({ v: 1, t: "ready", card });
  }

  send(frame: BridgeFrame): void {
    this.#write(encodeFrame(frame));
  }

  /** Sends a message to its receiver. */
  deliver(seq: number, id: string, from: string, body: Body): void {
    this.#write(deliverHead(seq, id, from), body, DELIVER_TAIL);
  }

  /** Tells the sender that its message `id` is safe. */
  accepted(id: string): void {
    this.#write(acceptedText(id));
  }

  /** What is written in one turn goes to the system at once, at its end. */
  #write(head: string, body?: Body, tail?: string): void {
    if (!this.isOpen) return;
    this.#office.counts.written += 1;
    const isFirst = this.#outgoing === undefined;
    this.#outgoing ??= new Outgoing();
    this.#outgoing.add(head, body, tail);
    this.#dropIfSlow();
    if (isFirst) this.#office.turn.later(() => this.#flush());
  }

  #dropIfSlow(): void {
    const waiting = (this.#outgoing?.length ?? 0) + this.#socket.bufferedAmount;
    if (waiting <= this.#office.limits.sendBuffer) return;
    // It does not read, so it would not read a close frame either. Its mail stays in the mailbox.
    this.#tell("warn", "slow receiver dropped");
    this.#state = "over";
    this.#socket.terminate();
  }

  #flush(): void {
    const outgoing = this.#outgoing;
    this.#outgoing = undefined;
    // After a close frame nothing more may come.
    if (outgoing !== undefined && this.#socket.readyState === this.#socket.OPEN) this.#wire.write(outgoing.take());
  }

  /** Answers one frame with an error and goes on. */
  refuse(code: ErrorCode, id: string | null): void {
    this.send({ v: 1, t: "error", code, id });
  }

  /** Ends the connection with an error. */
  fail(code: ErrorCode, id: string | null = null): void {
    if (!this.isOpen) return;
    this.#tell("warn", "refused", { code });
    this.refuse(code, id);
    this.#end(closeCodeOf(code));
  }

  /** The bridge stops. Resolves when no frame of this connection is being handled any more. */
  async dismiss(): Promise<void> {
    this.#end(CLOSE.goingAway);
    await this.#tail;
  }

  /** Called once in each heartbeat period: asks for a sign of life, or ends a connection that gave none since the last. */
  beat(): void {
    if (!this.#alive) {
      this.#tell("info", "silent connection dropped");
      this.#socket.terminate();
      return;
    }
    this.#alive = false;
    this.#socket.ping();
  }

  /** The last frame was owed to something that the bridge sent: it does not count against the sender's rate. */
  refund(): void {
    this.#bucket.refund();
  }

  #end(code: number): void {
    if (this.#state === "over") return;
    this.#flush();
    this.#socket.close(code);
    // A paused socket would not see the other end.
    this.#closeCode = code;
    this.#socket.resume();
    this.#hearNoMore();
  }

  /** The end has been told; whoever does not answer it is cut. */
  #hearNoMore(): void {
    this.#state = "over";
    hearNoMore(this.#wire);
    this.#stopTimer();
    this.#timer = setTimeout(() => this.#socket.terminate(), this.#office.limits.closing);
  }

  /** One frame more, of whatever kind. The connection is over where this is "flood". */
  #count(): RateVerdict {
    if (!this.isOpen) return "flood";
    this.#alive = true;
    const verdict = this.#bucket.take(this.#office.turn.clock());
    if (verdict === "flood") this.fail("ERR_FRAME_RATE");
    return verdict;
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    const verdict = this.#count();
    if (verdict === "flood") return;
    this.#office.counts.read += 1;
    try {
      if (isBinary || !Buffer.isBuffer(data)) throw new Fault("ERR_FRAME_MALFORMED", "Frames are text.");
      const frame = readHotFrame(data) ?? parseClientFrame(data.toString("utf8"));
      if (verdict === "over" && frame.t === "send") return this.refuse("ERR_FRAME_RATE", frame.id);
      this.#accept(frame);
    } catch (error) {
      this.failWith(error);
    }
  }

  /** Before `ready` there is exactly one frame, the login; after it there is none. */
  #accept(frame: ClientFrame | HotFrame): void {
    if (frame.t === "login" ? this.#state !== "hello" : this.#state !== "ready") {
      throw new Fault("ERR_FRAME_MALFORMED", "A login comes first, once, and its answer is awaited.");
    }
    if (frame.t === "login") this.#state = "verifying";
    const isVerified = frame.t === "login" || frame.t === "roster" || frame.t === "card";
    if (!isVerified && this.#tail === undefined) return this.#office.desk.receive(this, frame);
    // Signatures take time: nothing more is read meanwhile, so nothing piles up here.
    if (isVerified) this.#socket.pause();
    const tail = this.#handle(frame, this.#tail).then(() => {
      if (this.#tail === tail) this.#tail = undefined;
    });
    this.#tail = tail;
  }

  /** Never rejects. */
  async #handle(frame: ClientFrame | HotFrame, previous: Promise<void> | undefined): Promise<void> {
    const { desk } = this.#office;
    await previous;
    try {
      if (!this.isOpen) return;
      if (frame.t === "login") await desk.login(this, frame);
      else if (frame.t === "roster" || frame.t === "card") await desk.renew(this, frame);
      else desk.receive(this, frame);
    } catch (error) {
      this.failWith(error);
    } finally {
      if (this.isOpen) this.#socket.resume();
    }
  }

  /** Ends the connection because of what was thrown on its behalf. */
  failWith(error: unknown): void {
    if (isFault(error)) return this.fail(error.code);
    // What an unforeseen error says may hold what was received: only its name goes to the log.
    this.#office.log.error({ ...nameOf(this.#party), cause: placeOf(error) }, "failed");
    this.fail("ERR_INTERNAL");
  }

  #onClose(code: number): void {
    this.#stopTimer();
    this.#state = "over";
    this.#office.desk.leave(this);
    this.#tell("info", "closed", { closeCode: this.#closeCode ?? code });
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #tell(level: "info" | "warn", what: string, about: Record<string, unknown> = {}): void {
    if (this.#party !== undefined || this.#office.mayTell())
      this.#office.log[level]({ ...nameOf(this.#party), ...about }, what);
  }
}
