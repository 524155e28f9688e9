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
import { fingerprint } from "../protocol/primitive.ts";
import type { Party } from "./admit.ts";
import { Bucket, type RateLimits } from "./rate.ts";
import { Window, type WindowLimits } from "./relay.ts";

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

function closeCodeOf(code: ErrorCode): number {
  if (code === "ERR_FRAME_MALFORMED" || code === "ERR_FRAME_TOO_LARGE") return CLOSE.malformed;
  if (code === "ERR_LOGIN_TIMEOUT") return CLOSE.late;
  if (code === "ERR_LOGIN_TOO_MANY" || code === "ERR_FRAME_RATE") return CLOSE.tooMany;
  return code === "ERR_INTERNAL" ? CLOSE.internal : CLOSE.refused;
}

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

/** Who handles what a connection brings. Faults that it throws end the connection. */
export interface Desk {
  login(connection: Connection, frame: Extract<ClientFrame, { t: "login" }>): Promise<void>;
  receive(connection: Connection, frame: ClientFrame): Promise<void> | void;
  leave(connection: Connection): void;
}

export class Connection {
  /** The bridge nonce of this connection: 32 random bytes, used for no other. */
  readonly nonce = base64url.encode(randomBytes(32));
  readonly window: Window;
  readonly #socket: WebSocket;
  readonly #desk: Desk;
  readonly #limits: ConnectionLimits;
  readonly #log: Logger;
  readonly #bucket: Bucket;
  readonly #loginTimer: NodeJS.Timeout;
  #state: "hello" | "verifying" | "ready" | "over" = "hello";
  #party: Party | undefined;
  #alive = true;
  #closeTimer: NodeJS.Timeout | undefined;
  /** Frames are handled one after the other, though verifying takes its time. */
  #tail: Promise<void> = Promise.resolve();

  constructor(socket: WebSocket, desk: Desk, limits: ConnectionLimits, log: Logger) {
    this.#socket = socket;
    this.#desk = desk;
    this.#limits = limits;
    this.#log = log;
    this.window = new Window(limits.window);
    this.#bucket = new Bucket(limits.memberRate, performance.now());
    this.#loginTimer = setTimeout(() => this.fail("ERR_LOGIN_TIMEOUT"), limits.loginTime);
    socket.on("message", (data, isBinary) => this.#onMessage(data, isBinary));
    socket.on("pong", () => {
      this.#alive = true;
    });
    // ws has closed the socket by itself (1009 for a frame that is too large, 1002, 1007): all that is left is to say so.
    socket.on("error", (error: Error & { code?: string }) => log.warn({ ...this.#who(), cause: error.code }, "broken"));
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
    clearTimeout(this.#loginTimer);
    this.#party = party;
    this.#state = "ready";
    if (party.card !== null) this.#bucket.become(this.#limits.agentRate);
    this.#log.info(this.#who(), "admitted");
    this.send({ v: 1, t: "ready", card });
  }

  send(frame: BridgeFrame): void {
    if (!this.isOpen) return;
    this.#socket.send(encodeFrame(frame));
    if (this.#socket.bufferedAmount <= this.#limits.sendBuffer) return;
    // It does not read, so it would not read a close frame either. Its mail stays in the mailbox.
    this.#log.warn(this.#who(), "slow receiver dropped");
    this.#state = "over";
    this.#socket.terminate();
  }

  /** Answers one frame with an error and goes on. */
  refuse(code: ErrorCode, id: string | null): void {
    this.send({ v: 1, t: "error", code, id });
  }

  /** Ends the connection with an error. */
  fail(code: ErrorCode, id: string | null = null): void {
    if (!this.isOpen) return;
    this.#log.warn({ ...this.#who(), code }, "refused");
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
      this.#log.info(this.#who(), "silent connection dropped");
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
    this.#state = "over";
    this.#socket.close(code);
    // A paused socket would not see the answer to the close frame.
    this.#socket.resume();
    clearTimeout(this.#closeTimer);
    this.#closeTimer = setTimeout(() => this.#socket.terminate(), this.#limits.closing);
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    if (!this.isOpen) return;
    this.#alive = true;
    const verdict = this.#bucket.take(performance.now());
    if (verdict === "flood") return this.fail("ERR_FRAME_RATE");
    try {
      if (isBinary || !Buffer.isBuffer(data)) throw new Fault("ERR_FRAME_MALFORMED", "Frames are text.");
      const frame = parseClientFrame(data.toString("utf8"));
      if (verdict === "over" && frame.t === "send") return this.refuse("ERR_FRAME_RATE", frame.id);
      this.#accept(frame);
    } catch (error) {
      this.#failWith(error);
    }
  }

  /** Before `ready` there is exactly one frame, the login; after it there is none. */
  #accept(frame: ClientFrame): void {
    if (frame.t === "login" ? this.#state !== "hello" : this.#state !== "ready") {
      throw new Fault("ERR_FRAME_MALFORMED", "A login comes first, once, and its answer is awaited.");
    }
    if (frame.t === "login") this.#state = "verifying";
    // Signatures take time: nothing more is read meanwhile, so nothing piles up here.
    if (frame.t === "login" || frame.t === "roster" || frame.t === "card") this.#socket.pause();
    this.#tail = this.#handle(frame, this.#tail);
  }

  /** Never rejects. */
  async #handle(frame: ClientFrame, previous: Promise<void>): Promise<void> {
    await previous;
    try {
      if (!this.isOpen) return;
      await (frame.t === "login" ? this.#desk.login(this, frame) : this.#desk.receive(this, frame));
    } catch (error) {
      this.#failWith(error);
    } finally {
      this.#socket.resume();
    }
  }

  #failWith(error: unknown): void {
    if (isFault(error)) return this.fail(error.code);
    // What an unforeseen error says may hold what was received: only its name goes to the log.
    this.#log.error(
      { ...this.#who(), cause: error instanceof Error ? `${error.name} ${stackOf(error)}` : "?" },
      "failed",
    );
    this.fail("ERR_INTERNAL");
  }

  #onClose(code: number): void {
    clearTimeout(this.#loginTimer);
    clearTimeout(this.#closeTimer);
    this.#state = "over";
    this.#desk.leave(this);
    this.#log.info({ ...this.#who(), closeCode: code }, "closed");
  }

  #who(): { agent?: string; key?: string } {
    if (this.#party === undefined) return {};
    return { agent: fingerprint(this.#party.agent).slice(0, 16), key: fingerprint(this.#party.key).slice(0, 16) };
  }
}

/** Where an error was thrown, without its message, though that has lines like those of a stack. */
function stackOf(error: Error): string {
  return (
    (error.stack ?? "")
      .replace(error.message, "")
      .split("\n")
      .find((line) => line.startsWith("    at "))
      ?.trim() ?? ""
  );
}
