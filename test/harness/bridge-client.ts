/** A script's connection to the bridge: a P-256 key, the login, frames in and out, and the agent's card as the bridge shows it. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { exportJWK, generateKeyPair, importJWK } from "jose";
import { WebSocket } from "ws";
import { type Signer, signEnvelope } from "../../protocol/envelope.ts";
import { type BridgeFrame, type ClientFrame, encodeFrame, parseBridgeFrame } from "../../protocol/frame.ts";
import { DEVELOPMENT_BRIDGE } from "../../protocol/invite.ts";
import { LOGIN } from "../../protocol/message.ts";
import { type PublicJwk, thumbprint } from "../../protocol/primitive.ts";

export interface Key {
  readonly jwk: PublicJwk;
  readonly signer: Signer;
}

export async function makeKey(): Promise<Key> {
  return await keyOf(await makePrivateJwk());
}

/** A new key, as an invite carries it. */
export async function makePrivateJwk(): Promise<PublicJwk & { readonly d: string }> {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const { kty, crv, x, y, d } = await exportJWK(privateKey);
  return { kty, crv, x, y, d } as PublicJwk & { readonly d: string };
}

/** The key of a private JWK. */
export async function keyOf(jwk: PublicJwk & { d: string }): Promise<Key> {
  const key = await importJWK({ ...jwk }, "ES256");
  if (key instanceof Uint8Array) throw new Error("not a P-256 key");
  const publicJwk: PublicJwk = { kty: "EC", crv: "P-256", x: jwk.x, y: jwk.y };
  const sign = async (input: Uint8Array) =>
    new Uint8Array(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, new Uint8Array(input)));
  return { jwk: publicJwk, signer: { kid: thumbprint(publicJwk), sign } };
}

/** The key of a member's key file. */
export async function keyOfFile(path: string): Promise<Key> {
  return await keyOf(JSON.parse(readFileSync(path, "utf8")) as PublicJwk & { d: string });
}

type Fits = (frame: BridgeFrame) => boolean;
interface Waiter {
  readonly fits: Fits;
  readonly resolve: (frame: BridgeFrame) => void;
  readonly reject: (error: Error) => void;
}

/** A connection to the bridge that has logged in. */
export class BridgeClient {
  readonly #socket: WebSocket;
  readonly #frames: BridgeFrame[] = [];
  readonly #waiting = new Set<Waiter>();
  #card: string | null = null;
  /** Called when the bridge shows a card. */
  onCard: () => void = () => undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data: Buffer) => this.#receive(parseBridgeFrame(data.toString("utf8"))));
    socket.on("error", () => this.#end());
    socket.on("close", () => this.#end());
  }

  /** Opens a connection and no more: the bridge has said hello at best. For those who log in in a way of their own. */
  static open(port: number, headers: Readonly<Record<string, string>> = {}): BridgeClient {
    const host = new URL(DEVELOPMENT_BRIDGE).host;
    return new BridgeClient(
      new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { host, ...headers }, perMessageDeflate: false }),
    );
  }

  /** Logs in with `key` for the agent `hsm` (a thumbprint); as that agent with its `card`. Rejects with the bridge's code. */
  static async connect(port: number, hsm: string, key: Key, card: string | null = null): Promise<BridgeClient> {
    const client = BridgeClient.open(port);
    const hello = await client.take((frame) => frame.t === "hello");
    const iat = now();
    const body = {
      agent: hsm,
      clientNonce: randomBytes(32).toString("base64url"),
      bridgeNonce: hello.t === "hello" ? hello.nonce : "",
    };
    const claims = { v: 1 as const, iss: key.signer.kid, aud: [DEVELOPMENT_BRIDGE], jti: newJti(), iat, exp: iat + 60 };
    client.send({ v: 1, t: "login", jws: await signEnvelope(LOGIN, { ...claims, ...body }, key.signer), card });
    const answer = await client.take((frame) => frame.t === "ready" || frame.t === "error");
    if (answer.t === "error") throw Object.assign(new Error(answer.code), { code: answer.code });
    return client;
  }

  /** The newest card of the agent that the bridge has shown; null where it has none. Nothing of it is verified here. */
  get card(): string | null {
    return this.#card;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  send(frame: ClientFrame): void {
    this.#socket.send(encodeFrame(frame));
  }

  /** Sends what is no frame. */
  sendText(text: string): void {
    this.#socket.send(text);
  }

  /** Takes the first frame that fits, now or later. Rejects when the connection is closed. */
  async take(fits: Fits): Promise<BridgeFrame> {
    const at = this.#frames.findIndex(fits);
    const [frame] = at < 0 ? [] : this.#frames.splice(at, 1);
    if (frame !== undefined) return frame;
    if (this.#socket.readyState >= WebSocket.CLOSING) throw new Error("the bridge closed the connection");
    return await new Promise((resolve, reject) => this.#waiting.add({ fits, resolve, reject }));
  }

  close(): void {
    this.#socket.terminate();
  }

  #receive(frame: BridgeFrame): void {
    if (frame.t === "ready") this.#card = frame.card;
    if (frame.t === "card") this.#card = frame.jws;
    if (frame.t === "ready" || frame.t === "card") this.onCard();
    const waiter = [...this.#waiting].find(({ fits }) => fits(frame));
    if (waiter === undefined) {
      this.#frames.push(frame);
      return;
    }
    this.#waiting.delete(waiter);
    waiter.resolve(frame);
  }

  #end(): void {
    for (const { reject } of this.#waiting) reject(new Error("the bridge closed the connection"));
    this.#waiting.clear();
  }
}

export function now(): number {
  return Math.floor(Date.now() / 1000);
}

export function newJti(): string {
  return randomBytes(16).toString("base64url");
}
