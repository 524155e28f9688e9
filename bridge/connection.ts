/**
 * One WebSocket connection: its hello, its order of frames, its rate, its send buffer and its end. What a frame does
 * is the exchange's business. protocol/README.md, "Frames".
 */
import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { base64url } from "jose";
import type { Logger } from "pino";
import type { RawData, WebSocket } from "ws";
import { type ErrorCode, Fault, isFault } from "../protocol/error.ts";
import { type BridgeFrame, type ClientFrame, encodeFrame, parseClientFrame } from "../protocol/frame.ts";
import { fingerprint } from "../protocol/primitive.ts";
import type { Party } from "./admit.ts";
import type { Origin } from "./box.ts";
import { CLOSE, closeCodeOf } from "./close.ts";
import { acceptedText, DELIVER_TAIL, deliverHead, type HotFrame, readHotFrame } from "./hot-frame.ts";
import { placeOf } from "./place.ts";
import { Bucket, type RateLimits } from "./rate.ts";
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
  readonly turn: Pick<Turn, "later">;
  /** Frames read and written so far. */
  readonly counts: { read: number; written: number };
}

export class Connection implements Origin {
  /** The bridge nonce of this connection: 32 random bytes, used for no other. */
  readonly nonce = base64url.encode(randomBytes(32));
  readonly window: Window;
  readonly #socket: WebSocket;
  readonly #wire: Pick<Duplex, "write">;
  readonly #office: Office;
  readonly #bucket: Bucket;
  /** Until the login; then until the close frame is answered. */
  #timer: NodeJS.Timeout | undefined;
  #state: "hello" | "verifying" | "ready" | "over" = "hello";
  #party: Party | undefined;
  #alive = true;
  /** Frames of this turn. */
  #outgoing: Outgoing | undefined;
  /** While a login, roster or card is verified: frames are handled one after the other, though that takes its time. */
  #tail: Promise<void> | undefined;

  /** `wire` is the stream under `socket`. */
  constructor(socket: WebSocket, wire: Pick<Duplex, "write">, office: Office) {
    this.#socket = socket;
    this.#wire = wire;
    this.#office = office;
    this.window = new Window(office.limits.window);
    this.#bucket = new Bucket(office.limits.memberRate, performance.now());
    this.#timer = setTimeout(() => this.fail("ERR_LOGIN_TIMEOUT"), office.limits.loginTime);
    socket.on("message", (data, isBinary) => this.#onMessage(data, isBinary));
    socket.on("pong", () => {
      this.#alive = true;
    });
    // ws has closed the socket by itself (1009 for a frame that is too large, 1002, 1007): all that is left is to say so.
    socket.on("error", (error: Error & { code?: string }) =>
      office.log.warn({ ...this.#who(), cause: error.code }, "broken"),
    );
    socket.on("close", (code) => this.#onClose(code));
    this.send({ v: 1, t: "hello", nonce: this.nonce });
  }

  /** Whom this connection was authenticated as; undefined until then. */
  get party(): Party | undefined {
    return this.#party;
  }

  get isOpen(): boolean {
    return this.#state !== "over" && this.#socket.readyState === this.#socket.OPEN;
  }

  /** The login was accepted. `card`: the newest of the agent that it named; null to an agent. */
  enter(party: Party, card: string | null): void {
    this.#stopTimer();
    this.#party = party;
    this.#state = "ready";
    if (party.card !== null) this.#bucket.become(this.#office.limits.agentRate);
    this.#office.log.info(this.#who(), "admitted");
    this.send({ v: 1, t: "ready", card });
  }

  send(frame: BridgeFrame): void {
    this.#write(encodeFrame(frame));
  }

  /** Sends a message to its receiver. */
  deliver(seq: number, id: string, from: string, body: string): void {
    this.#write(deliverHead(seq, id, from), body, DELIVER_TAIL);
  }

  /** Tells the sender that its message `id` is safe. */
  accepted(id: string): void {
    this.#write(acceptedText(id));
  }

  /** What is written in one turn goes to the system at once, at its end. */
  #write(head: string, body?: string, tail?: string): void {
    if (!this.isOpen) return;
    this.#office.counts.written += 1;
    const isFirst = this.#outgoing === undefined;
    this.#outgoing ??= new Outgoing();
    this.#outgoing.add(head, body, tail);
    const waiting = this.#outgoing.length + this.#socket.bufferedAmount;
    if (isFirst) this.#office.turn.later(() => this.#flush());
    if (waiting <= this.#office.limits.sendBuffer) return;
    // It does not read, so it would not read a close frame either. Its mail stays in the mailbox.
    this.#office.log.warn(this.#who(), "slow receiver dropped");
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
    this.#office.log.warn({ ...this.#who(), code }, "refused");
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
      this.#office.log.info(this.#who(), "silent connection dropped");
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
    this.#flush();
    this.#state = "over";
    this.#socket.close(code);
    // A paused socket would not see the answer to the close frame.
    this.#socket.resume();
    this.#stopTimer();
    this.#timer = setTimeout(() => this.#socket.terminate(), this.#office.limits.closing);
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    if (!this.isOpen) return;
    this.#alive = true;
    this.#office.counts.read += 1;
    const verdict = this.#bucket.take(performance.now());
    if (verdict === "flood") return this.fail("ERR_FRAME_RATE");
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
  #accept(frame: ClientFrame): void {
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
  async #handle(frame: ClientFrame, previous: Promise<void> | undefined): Promise<void> {
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
      this.#socket.resume();
    }
  }

  /** Ends the connection because of what was thrown on its behalf. */
  failWith(error: unknown): void {
    if (isFault(error)) return this.fail(error.code);
    // What an unforeseen error says may hold what was received: only its name goes to the log.
    this.#office.log.error({ ...this.#who(), cause: placeOf(error) }, "failed");
    this.fail("ERR_INTERNAL");
  }

  #onClose(code: number): void {
    this.#stopTimer();
    this.#state = "over";
    this.#office.desk.leave(this);
    this.#office.log.info({ ...this.#who(), closeCode: code }, "closed");
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #who(): { agent?: string; key?: string } {
    if (this.#party === undefined) return {};
    return { agent: fingerprint(this.#party.agent).slice(0, 16), key: fingerprint(this.#party.key).slice(0, 16) };
  }
}
