/** A script's connection to the bridge: a P-256 key, the login, frames in and out. */
import { randomBytes } from "node:crypto";
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
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const { kty, crv, x, y, d } = await exportJWK(privateKey);
  return await keyOf({ kty, crv, x, y, d } as PublicJwk & { d: string });
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

/** A connection to the bridge that has logged in. */
export class BridgeClient {
  readonly #socket: WebSocket;
  readonly #frames: BridgeFrame[] = [];
  #look: () => void = () => {};

  private constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** Logs in with `key` for the agent `hsm` (a thumbprint); as that agent with its `card`. Rejects with the bridge's code. */
  static async connect(port: number, hsm: string, key: Key, card: string | null = null): Promise<BridgeClient> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, {
      headers: { host: new URL(DEVELOPMENT_BRIDGE).host },
      perMessageDeflate: false,
    });
    const client = new BridgeClient(socket);
    socket.on("message", (data: Buffer) => {
      client.#frames.push(parseBridgeFrame(data.toString("utf8")));
      client.#look();
    });
    socket.on("error", () => client.#look());
    socket.on("close", () => client.#look());
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

  send(frame: ClientFrame): void {
    this.#socket.send(encodeFrame(frame));
  }

  /** Takes the first frame that fits, now or later. Rejects when the connection is closed. */
  async take(fits: (frame: BridgeFrame) => boolean): Promise<BridgeFrame> {
    return await new Promise((resolve, reject) => {
      this.#look = () => {
        const at = this.#frames.findIndex(fits);
        const [frame] = at < 0 ? [] : this.#frames.splice(at, 1);
        if (frame !== undefined) {
          this.#look = () => {};
          resolve(frame);
        } else if (this.#socket.readyState >= WebSocket.CLOSING) reject(new Error("the bridge closed the connection"));
      };
      this.#look();
    });
  }

  close(): void {
    this.#socket.terminate();
  }
}

export function now(): number {
  return Math.floor(Date.now() / 1000);
}

export function newJti(): string {
  return randomBytes(16).toString("base64url");
}
