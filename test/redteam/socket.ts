/** A WebSocket to a bridge that sends any text, and tells how it ends. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { WebSocket } from "ws";
import { signEnvelope } from "../../protocol/envelope.ts";
import { DEVELOPMENT_BRIDGE } from "../../protocol/invite.ts";
import { LOGIN, type Login } from "../../protocol/message.ts";
import { type Key, newJti, now } from "../harness/bridge-client.ts";

type Frame = Readonly<Record<string, unknown>>;

export class Socket {
  readonly #socket: WebSocket;
  readonly frames: Frame[] = [];
  /** Close code, or the status and code of an upgrade that was refused. */
  ended: string | undefined;

  constructor(port: number, headers: Readonly<Record<string, string>> = {}, path = "/") {
    const host = new URL(DEVELOPMENT_BRIDGE).host;
    const url = `ws://127.0.0.1:${port}${path}`;
    this.#socket = new WebSocket(url, { headers: { host, ...headers }, perMessageDeflate: false });
    this.#socket.on("message", (data: Buffer) => this.frames.push(JSON.parse(data.toString("utf8")) as Frame));
    this.#socket.on("error", () => undefined);
    this.#socket.on("close", (code) => {
      this.ended ??= `closed with ${code}`;
    });
    this.#socket.on("unexpected-response", (request, response) => {
      let body = "";
      response.on("data", (data) => (body += String(data)));
      response.on("end", () => {
        this.ended = /ERR_[A-Z_]+/.exec(body)?.[0] ?? `status ${response.statusCode}`;
        request.destroy();
      });
    });
  }

  /** The first frame that fits, now or later; undefined once the connection has ended without one. */
  async take(fits: (frame: Frame) => boolean): Promise<Frame | undefined> {
    for (;;) {
      const found = this.frames.find(fits);
      if (found !== undefined || this.ended !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  }

  /** What the bridge answered: the code of its first error frame, or how it ended the connection. */
  async refusal(fits: (frame: Frame) => boolean = () => true): Promise<string> {
    const error = await this.take((frame) => frame["t"] === "error" && fits(frame));
    return error === undefined ? (this.ended ?? "no answer") : String(error["code"]);
  }

  async nonce(): Promise<string> {
    return String((await this.take((frame) => frame["t"] === "hello"))?.["nonce"]);
  }

  send(frame: object | string | Uint8Array): void {
    const raw = typeof frame === "string" || frame instanceof Uint8Array;
    this.#socket.send(raw ? frame : JSON.stringify({ v: 1, ...frame }));
  }

  /** Logs in; what the bridge answers is to be taken. */
  async login(key: Key, agent: string, change: Partial<Login> = {}, card: string | null = null): Promise<void> {
    this.send({ t: "login", jws: await loginOf(key, agent, await this.nonce(), change), card });
  }

  /** Logs in and waits for it. */
  async enter(key: Key, agent: string): Promise<this> {
    await this.login(key, agent);
    if ((await this.take((frame) => frame["t"] === "ready")) === undefined) throw new Error(await this.refusal());
    return this;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  async opened(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CONNECTING) await once(this.#socket, "open");
  }

  close(): void {
    this.#socket.terminate();
  }
}

export async function loginOf(
  key: Key,
  agent: string,
  bridgeNonce: string,
  change: Partial<Login> = {},
): Promise<string> {
  const claims = {
    v: 1 as const,
    iss: key.signer.kid,
    aud: [DEVELOPMENT_BRIDGE],
    jti: newJti(),
    iat: now(),
    exp: now() + 60,
  };
  const clientNonce = randomBytes(32).toString("base64url");
  return await signEnvelope(LOGIN, { ...claims, agent, clientNonce, bridgeNonce, ...change }, key.signer);
}
