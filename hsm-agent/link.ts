/**
 * The agent's connection to the bridge: it dials out, logs in with a key of its own that its card certifies, has what waits sent
 * (outgoing.ts) and hands over what arrives. The HSM identity key never signs a login. README.md of protocol/, "Frames".
 */
import { randomBytes } from "node:crypto";
import { WebSocket } from "ws";
import { Fault, isFault } from "../protocol/error.ts";
import { type BridgeFrame, type ClientFrame, encodeFrame, FRAME_MAX, parseBridgeFrame } from "../protocol/frame.ts";
import { Credentials } from "./credentials.ts";
import type { Desk } from "./desk.ts";
import type { Delivered } from "./inbound.ts";
import { Outgoing } from "./outgoing.ts";
import { RosterKeeper } from "./roster.ts";
import type { SealKeys } from "./sealing.ts";

/** Milliseconds. */
const LIMITS = {
  /** Between attempts: doubled from the first to the last, half of it random. */
  retryFirst: 250,
  retryLast: 15_000,
  /** The bridge pings every 20 s; without a sign for this long the connection is dead. */
  silence: 50_000,
  /** A connection that held this long was a good one: the next loss starts anew with the first wait. */
  stable: 10_000,
} as const;
/** Frames that wait to be handled: twice the messages that a bridge gives without an acknowledgement and its answers to ours. One that sends more is not read until half are done. */
const WAITING_MAX = 256;
/** Bytes that the bridge has not read: twice what may be under way. Acknowledgements would pile up behind them without end. */
const UNREAD_MAX = 16_777_216;
/** Pieces of one message, as at the bridge: each keeps in memory whatever was read together with it, up to 64 KiB. */
const FRAGMENTS_MAX = 1_024;

export interface LinkOptions {
  readonly desk: Desk;
  /** Where to dial: the configured URL, or another way to the same bridge. */
  readonly dial: string;
  readonly keys: SealKeys;
  /** Resolves when the message is durable. */
  readonly receive: (delivered: Delivered) => Promise<void>;
}

export class Link {
  readonly #options: LinkOptions;
  #socket: WebSocket | undefined;
  #online = false;
  #stopped = false;
  #attempts = 0;
  #timer: NodeJS.Timeout | undefined;
  #silence: NodeJS.Timeout | undefined;
  #readyAt = 0;
  readonly #credentials: Credentials;
  readonly #roster: RosterKeeper;
  readonly #outgoing: Outgoing;
  #incoming: Promise<void> = Promise.resolve();
  #waiting = 0;
  #sending: Promise<void> = Promise.resolve();
  #isQueued = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#credentials = new Credentials(options.desk, options.keys);
    this.#roster = new RosterKeeper(options.desk);
    this.#outgoing = new Outgoing(options.desk, {
      isOnline: () => this.#online,
      send: (frame) => this.#send(frame),
      wake: () => this.wake(),
    });
  }

  start(): void {
    this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#silence);
    try {
      this.#outgoing.stop();
    } finally {
      this.#socket?.terminate();
    }
  }

  /** The newest card, where there is one. */
  get card(): string | undefined {
    return this.#credentials.card;
  }

  /** Makes a new card with a new receiving key, where it is time. Safe to call at any time. */
  renewCard(): void {
    this.#sending = this.#sending.then(() => this.#renewCard()).catch((error: unknown) => this.#lose(error));
  }

  get state(): "online" | "offline" {
    return this.#online ? "online" : "offline";
  }

  /** People or invites changed: a new roster is signed and sent after what waits in the outbox. */
  publishRoster(): void {
    this.#roster.want();
    this.wake();
  }

  /** Sends what waits. Safe to call at any time. */
  wake(): void {
    // One that has not begun yet will see all that waits by then.
    if (this.#isQueued) return;
    this.#isQueued = true;
    this.#sending = this.#sending
      .then(async () => {
        this.#isQueued = false;
        await this.#flush();
      })
      .catch((error: unknown) => this.#lose(error));
  }

  #connect(): void {
    const { desk, dial } = this.#options;
    const host = new URL(desk.bridgeUrl).host;
    const socket = new WebSocket(dial, {
      perMessageDeflate: false,
      maxPayload: FRAME_MAX,
      maxFragments: FRAGMENTS_MAX,
      handshakeTimeout: 10_000,
      headers: { host },
    });
    this.#socket = socket;
    socket.on("open", () => this.#listen());
    socket.on("ping", () => this.#listen());
    socket.on("message", (data: Buffer, binary: boolean) => this.#onMessage(socket, data, binary));
    socket.on("error", (error) => desk.log.debug({ reason: error.message }, "bridge connection failed"));
    socket.on("close", () => this.#onClose(socket));
  }

  #listen(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#socket?.terminate(), LIMITS.silence);
  }

  #onClose(socket: WebSocket): void {
    if (socket !== this.#socket) return;
    if (this.#online) this.#options.desk.log.warn("bridge connection lost");
    // Not at each login: a message that cannot be handled now would be fetched without a pause.
    if (this.#online && performance.now() - this.#readyAt >= LIMITS.stable) this.#attempts = 0;
    this.#online = false;
    this.#outgoing.lost();
    clearTimeout(this.#silence);
    if (this.#stopped) return;
    const wait = Math.min(LIMITS.retryLast, LIMITS.retryFirst * 2 ** Math.min(this.#attempts, 10));
    this.#attempts += 1;
    this.#timer = setTimeout(() => this.#connect(), wait / 2 + (randomBytes(1).readUInt8() / 255) * (wait / 2));
  }

  #onMessage(socket: WebSocket, data: Buffer, binary: boolean): void {
    this.#listen();
    this.#waiting += 1;
    if (this.#waiting >= WAITING_MAX) socket.pause();
    // One after the other, in order: an acknowledgement covers all before it.
    this.#incoming = this.#incoming
      .then(async () => {
        if (socket !== this.#socket) return;
        if (binary) throw new Fault("ERR_FRAME_MALFORMED", "The bridge sent a binary frame.");
        await this.#handle(parseBridgeFrame(data.toString("utf8")));
      })
      .catch((error: unknown) => this.#lose(error))
      .finally(() => {
        this.#waiting -= 1;
        if (this.#waiting <= WAITING_MAX / 2 && this.#socket?.isPaused === true) this.#socket.resume();
      });
  }

  /** Drops the connection; what was not acknowledged comes again. */
  #lose(error: unknown): void {
    const code = isFault(error) ? error.code : "ERR_INTERNAL";
    if (this.#stopped) return;
    this.#options.desk.log.error(
      { code, reason: error instanceof Error ? error.message : "" },
      "bridge connection dropped",
    );
    this.#socket?.terminate();
  }

  async #handle(frame: BridgeFrame): Promise<void> {
    const { desk, receive } = this.#options;
    switch (frame.t) {
      case "hello":
        await this.#logIn(frame.nonce);
        return;
      case "ready":
        this.#online = true;
        this.#readyAt = performance.now();
        this.#outgoing.tryAll();
        this.#roster.connected();
        desk.log.info("bridge connection ready");
        this.wake();
        return;
      case "enrolled":
        this.#roster.accepted(frame.n);
        this.#outgoing.tryAll();
        this.wake();
        return;
      case "accepted":
        this.#outgoing.accepted(frame.id);
        return;
      case "deliver":
        await receive({ from: frame.from, id: frame.id, body: frame.body });
        await desk.journal.durable();
        this.#send({ v: 1, t: "ack", seq: frame.seq });
        return;
      case "error":
        this.#onError(frame.code, frame.id);
        return;
      case "certified":
      case "pong":
        return;
      case "card":
        throw new Fault("ERR_FRAME_MALFORMED", "The bridge sent a card to the agent that makes them.");
    }
  }

  async #logIn(nonce: string): Promise<void> {
    const login = await this.#credentials.logIn(nonce);
    await this.#options.desk.journal.durable();
    this.#send({ v: 1, t: "login", ...login });
  }

  #onError(code: string, id: string | null): void {
    const { log } = this.#options.desk;
    log.warn({ code, id }, "the bridge refused a frame");
    // Somebody whom the roster in force does not know is gone: their message has no receiver any more.
    if (id !== null) this.#outgoing.refused(id, code === "ERR_FRAME_UNKNOWN_RECEIVER" && this.#roster.isInForce);
  }

  async #renewCard(): Promise<void> {
    if (!this.#online) return;
    try {
      const jws = await this.#credentials.renew();
      await this.#options.desk.journal.durable();
      if (jws !== undefined) this.#send({ v: 1, t: "card", jws });
    } catch (error) {
      // The card in force is good for two more days: a stop gets through while the HSM is away.
      this.#options.desk.log.warn({ err: error }, "no new card yet");
    }
    if (this.#roster.isWanted) await this.#flush();
  }

  /** The outbox first, then the roster: who is removed is told before the roster shuts them out. */
  async #flush(): Promise<void> {
    const { desk } = this.#options;
    if (!this.#online || !(await this.#outgoing.flush())) return;
    const jws = await this.#roster.toSend();
    await desk.journal.durable();
    if (jws !== undefined && this.#online) this.#send({ v: 1, t: "roster", jws });
  }

  #send(frame: ClientFrame): void {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) return;
    socket.send(encodeFrame(frame));
    if (socket.bufferedAmount > UNREAD_MAX)
      this.#lose(new Fault("ERR_BRIDGE_UNREACHABLE", "The bridge does not read what it is sent."));
  }
}
