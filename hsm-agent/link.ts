/**
 * The agent's connection to the bridge: it dials out, logs in with a key of its own that its card certifies, sends what the
 * outbox holds and hands over what arrives. The HSM identity key never signs a login. README.md of protocol/, "Frames".
 */
import { randomBytes, webcrypto } from "node:crypto";
import { WebSocket } from "ws";
import { type Signer, seal, signEnvelope } from "../protocol/envelope.ts";
import { Fault, isFault } from "../protocol/error.ts";
import { type BridgeFrame, type ClientFrame, encodeFrame, FRAME_MAX, parseBridgeFrame } from "../protocol/frame.ts";
import { CARD, LOGIN } from "../protocol/message.ts";
import { jwkOfPoint, thumbprint } from "../protocol/primitive.ts";
import { type Desk, issue } from "./desk.ts";
import { signRoster } from "./directory.ts";

/** Milliseconds, and messages. */
const LIMITS = {
  /** Between attempts: doubled from the first to the last, half of it random. */
  retryFirst: 250,
  retryLast: 15_000,
  /** The bridge pings every 20 s; without a sign for this long the connection is dead. */
  silence: 50_000,
  /** Frames sent and not yet stored by the bridge. */
  inFlight: 64,
  /** Until a frame that the bridge refused is tried again: a full mailbox empties when its owner comes back. */
  refused: 5_000,
  /** A connection that held this long was a good one: the next loss starts anew with the first wait. */
  stable: 10_000,
} as const;

/** Card and roster are signed again after this, well before they expire. Seconds. */
const RENEW = 10 * 86_400;

export interface LinkOptions {
  readonly desk: Desk;
  /** Where to dial: the configured URL, or another way to the same bridge. */
  readonly dial: string;
  /** Resolves when the message is durable. */
  readonly receive: (from: string, body: string) => Promise<void>;
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
  #login: { signer: Signer; card: string; renew: number } | undefined;
  #roster: { n: number; jws: string; renew: number; state: "signed" | "sent" | "accepted" } | undefined;
  #rosterWanted = true;
  /** By frame id: the outbox row and its receiver. */
  readonly #inFlight = new Map<string, { n: number; receiver: string }>();
  /** Receivers whose frames were refused; they wait, so that they hold up nobody else. */
  readonly #parked = new Set<string>();
  #unpark: NodeJS.Timeout | undefined;
  #incoming: Promise<void> = Promise.resolve();
  #sending: Promise<void> = Promise.resolve();

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  start(): void {
    this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#silence);
    clearTimeout(this.#unpark);
    this.#socket?.terminate();
  }

  get state(): "online" | "offline" {
    return this.#online ? "online" : "offline";
  }

  /** People or invites changed: a new roster is signed and sent after what waits in the outbox. */
  publishRoster(): void {
    this.#rosterWanted = true;
    this.wake();
  }

  /** Sends what waits. Safe to call at any time. */
  wake(): void {
    this.#sending = this.#sending.then(() => this.#flush()).catch((error: unknown) => this.#lose(error));
  }

  #connect(): void {
    const { desk, dial } = this.#options;
    const host = new URL(desk.bridgeUrl).host;
    const socket = new WebSocket(dial, {
      perMessageDeflate: false,
      maxPayload: FRAME_MAX,
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
    this.#inFlight.clear();
    clearTimeout(this.#silence);
    if (this.#stopped) return;
    const wait = Math.min(LIMITS.retryLast, LIMITS.retryFirst * 2 ** Math.min(this.#attempts, 10));
    this.#attempts += 1;
    this.#timer = setTimeout(() => this.#connect(), wait / 2 + (randomBytes(1).readUInt8() / 255) * (wait / 2));
  }

  #onMessage(socket: WebSocket, data: Buffer, binary: boolean): void {
    this.#listen();
    // One after the other, in order: an acknowledgement covers all before it.
    this.#incoming = this.#incoming
      .then(async () => {
        if (socket !== this.#socket) return;
        if (binary) throw new Fault("ERR_FRAME_MALFORMED", "The bridge sent a binary frame.");
        await this.#handle(parseBridgeFrame(data.toString("utf8")));
      })
      .catch((error: unknown) => this.#lose(error));
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
        this.#send({ v: 1, t: "login", ...(await this.#logIn(frame.nonce)) });
        return;
      case "ready":
        this.#online = true;
        this.#readyAt = performance.now();
        this.#parked.clear();
        if (this.#roster !== undefined && desk.now() >= this.#roster.renew) this.#rosterWanted = true;
        if (this.#roster !== undefined) this.#roster = { ...this.#roster, state: "signed" };
        desk.log.info("bridge connection ready");
        this.wake();
        return;
      case "enrolled":
        if (this.#roster?.n === frame.n) this.#roster = { ...this.#roster, state: "accepted" };
        this.#parked.clear();
        this.wake();
        return;
      case "accepted":
        this.#settle(frame.id);
        return;
      case "deliver":
        await receive(frame.from, frame.body);
        this.#send({ v: 1, t: "ack", seq: frame.seq });
        return;
      case "error":
        this.#onError(frame.code, frame.id);
        return;
      case "pong":
        return;
    }
  }

  #onError(code: string, id: string | null): void {
    const { log } = this.#options.desk;
    log.warn({ code, id }, "the bridge refused a frame");
    const sent = id === null ? undefined : this.#inFlight.get(id);
    if (id === null || sent === undefined) return;
    // Somebody whom the roster in force does not know is gone: their message has no receiver any more.
    if (code === "ERR_FRAME_UNKNOWN_RECEIVER" && this.#roster?.state === "accepted" && !this.#rosterWanted) {
      this.#settle(id);
      return;
    }
    this.#inFlight.delete(id);
    this.#parked.add(sent.receiver);
    this.#unpark ??= setTimeout(() => {
      this.#unpark = undefined;
      this.#parked.clear();
      this.wake();
    }, LIMITS.refused);
    this.wake();
  }

  #settle(id: string): void {
    const sent = this.#inFlight.get(id);
    this.#inFlight.delete(id);
    if (sent !== undefined) this.#options.desk.journal.removeFromOutbox(sent.n);
    this.wake();
  }

  async #logIn(bridgeNonce: string): Promise<{ jws: string; card: string }> {
    const { desk } = this.#options;
    if (this.#login === undefined || desk.now() >= this.#login.renew) this.#login = await this.#makeLogin();
    const { signer, card } = this.#login;
    const iat = desk.now();
    const jws = await signEnvelope(
      LOGIN,
      {
        v: 1 as const,
        iss: signer.kid,
        aud: [desk.bridgeUrl],
        jti: randomBytes(16).toString("base64url"),
        iat,
        exp: iat + 60,
        agent: desk.identity.signer.kid,
        clientNonce: randomBytes(32).toString("base64url"),
        bridgeNonce,
      },
      signer,
    );
    return { jws, card };
  }

  /** A login key is in this process's memory only, and renewed before its card expires; each card has a higher number. */
  async #makeLogin(): Promise<{ signer: Signer; card: string; renew: number }> {
    const { desk } = this.#options;
    const algorithm = { name: "ECDSA", namedCurve: "P-256" };
    const pair = await webcrypto.subtle.generateKey(algorithm, false, ["sign", "verify"]);
    const jwk = jwkOfPoint(new Uint8Array(await webcrypto.subtle.exportKey("raw", pair.publicKey)));
    const sign = async (input: Uint8Array) =>
      new Uint8Array(
        await webcrypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, pair.privateKey, new Uint8Array(input)),
      );
    const n = Number(desk.journal.meta("card") ?? "0") + 1;
    desk.journal.setMeta("card", String(n));
    const { jws: card } = await issue(desk, CARD, [desk.bridgeUrl], { n, hsm: desk.identity.jwk, link: jwk });
    return { signer: { kid: thumbprint(jwk), sign }, card, renew: desk.now() + RENEW };
  }

  /** The outbox first, then the roster: a paired extension's welcome reaches the invite before the roster removes it. */
  async #flush(): Promise<void> {
    const { desk } = this.#options;
    if (!this.#online) return;
    for (const row of desk.journal.outbox(undefined, [...this.#parked])) {
      if (this.#inFlight.size >= LIMITS.inFlight) return;
      if (this.#inFlight.has(row.id)) continue;
      this.#inFlight.set(row.id, { n: row.n, receiver: row.receiver });
      this.#send({ v: 1, t: "send", id: row.id, to: row.receiver, body: seal(row.jws) });
    }
    if (this.#rosterWanted) await this.#renewRoster();
    if (this.#roster?.state !== "signed") return;
    this.#roster = { ...this.#roster, state: "sent" };
    this.#send({ v: 1, t: "roster", jws: this.#roster.jws });
  }

  async #renewRoster(): Promise<void> {
    const { desk } = this.#options;
    this.#rosterWanted = false;
    // Until the new one is accepted nobody is known to be gone.
    this.#roster = undefined;
    try {
      this.#roster = { ...(await signRoster(desk)), renew: desk.now() + RENEW, state: "signed" };
    } catch (error) {
      this.#rosterWanted = true;
      throw error;
    }
  }

  #send(frame: ClientFrame): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(encodeFrame(frame));
  }
}
