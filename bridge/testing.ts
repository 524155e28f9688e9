/**
 * For the tests of this folder only: keys, an agent's documents, a running bridge in a temporary folder and a client
 * that speaks frames. No part of the program imports it.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { base64url } from "jose";
import { pino } from "pino";
import { type ClientOptions, WebSocket } from "ws";
import { type Claims, type MessageType, type Signer, signEnvelope } from "../protocol/envelope.ts";
import { type BridgeFrame, type ClientFrame, encodeFrame, parseBridgeFrame } from "../protocol/frame.ts";
import { CARD, type Card, LOGIN, type Login, ROSTER } from "../protocol/message.ts";
import { fingerprint, jwkOfPoint, type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import { parseConfig } from "./config.ts";
import { type Bridge, LIMITS, type Limits, startBridge } from "./server.ts";

export const URL_OF_BRIDGE = "wss://bridge.example.com/";

export const seconds = (): number => Math.floor(Date.now() / 1000);
export const newId = (): string => base64url.encode(randomBytes(16));

export interface Key {
  readonly jwk: PublicJwk;
  readonly signer: Signer;
  readonly id: string;
}

export async function makeKey(): Promise<Key> {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const jwk = jwkOfPoint(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)));
  const sign = async (data: Uint8Array) =>
    new Uint8Array(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, pair.privateKey, new Uint8Array(data)));
  return { jwk, id: thumbprint(jwk), signer: { kid: thumbprint(jwk), sign } };
}

export function claimsOf(key: Key): Claims {
  const now = seconds();
  return { v: 1, iss: key.id, aud: [URL_OF_BRIDGE], jti: newId(), iat: now, exp: now + 60 };
}

export async function sign<T extends Claims>(type: MessageType<T>, payload: T, key: Key): Promise<string> {
  return await signEnvelope(type, payload, key.signer);
}

/** An agent: its HSM identity, the key that its card certifies, and members. */
export class Agent {
  readonly hsm: Key;
  readonly link: Key;
  readonly #cards = new Map<number, string>();

  constructor(hsm: Key, link: Key) {
    this.hsm = hsm;
    this.link = link;
  }

  static async make(): Promise<Agent> {
    return new Agent(await makeKey(), await makeKey());
  }

  /** The card numbered `n`, signed once; with `changes`, another one of that number. */
  async card(n = 1, changes: Partial<Card> = {}): Promise<string> {
    const own = { n, hsm: this.hsm.jwk, link: this.link.jwk, seal: this.link.jwk };
    const made = async () => await sign(CARD, { ...claimsOf(this.hsm), ...own, ...changes }, this.hsm);
    if (Object.keys(changes).length > 0) return await made();
    const card = this.#cards.get(n) ?? (await made());
    this.#cards.set(n, card);
    return card;
  }

  async roster(
    n: number,
    members: readonly Key[],
    invites: readonly { key: Key; exp: number }[] = [],
  ): Promise<string> {
    return await sign(
      ROSTER,
      {
        ...claimsOf(this.hsm),
        n,
        members: members.map((member) => member.jwk),
        invites: invites.map(({ key, exp }) => ({ key: key.jwk, exp })),
      },
      this.hsm,
    );
  }
}

export function loginPayload(key: Key, agent: Agent, bridgeNonce: string): Login {
  return {
    ...claimsOf(key),
    aud: [URL_OF_BRIDGE],
    agent: agent.hsm.id,
    clientNonce: base64url.encode(randomBytes(32)),
    bridgeNonce,
  };
}

/** A client of a bridge on `port` of this machine: frames in order, and how the connection ended. */
export class Client {
  readonly socket: WebSocket;
  readonly closed: Promise<number>;
  readonly #frames: BridgeFrame[] = [];
  #waiting: ((frame: BridgeFrame | undefined) => void) | undefined;

  constructor(port: number, options: ClientOptions = {}) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/`, {
      ...options,
      headers: { host: new URL(URL_OF_BRIDGE).host, ...options.headers },
    });
    this.socket.on("message", (data: Buffer) => {
      this.#frames.push(parseBridgeFrame(data.toString("utf8")));
      this.#wake();
    });
    // A refused upgrade is an error event and then the close that the tests look at.
    this.socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => {
      this.socket.on("close", (code) => {
        resolve(code);
        this.#wake();
      });
    });
  }

  #wake(): void {
    const waiting = this.#waiting;
    if (waiting === undefined || (this.#frames.length === 0 && this.socket.readyState !== WebSocket.CLOSED)) return;
    this.#waiting = undefined;
    waiting(this.#frames.shift());
  }

  /** The next frame; undefined once the connection is closed and all frames were read. */
  async next(): Promise<BridgeFrame | undefined> {
    return await new Promise((resolve) => {
      this.#waiting = resolve;
      this.#wake();
    });
  }

  send(frame: ClientFrame): void {
    this.socket.send(encodeFrame(frame));
  }

  /** Sends a message and returns the answer to it. */
  async post(to: string, body = "body", id = newId()): Promise<BridgeFrame | undefined> {
    this.send({ v: 1, t: "send", id, to, body });
    return await this.next();
  }

  /** Waits until everything sent before was handled, and asserts that nothing else came. */
  async quiet(): Promise<boolean> {
    this.send({ v: 1, t: "ping" });
    return (await this.next())?.t === "pong";
  }

  async nonce(): Promise<string> {
    const hello = await this.next();
    if (hello?.t !== "hello") throw new Error("no hello");
    return hello.nonce;
  }

  async login(
    key: Key,
    agent: Agent,
    changes: Partial<Login> = {},
    card: string | null = null,
  ): Promise<BridgeFrame | undefined> {
    const jws = await sign(LOGIN, { ...loginPayload(key, agent, await this.nonce()), ...changes }, key);
    this.send({ v: 1, t: "login", jws, card });
    return await this.next();
  }

  async leave(): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}

export interface Rig {
  readonly folder: string;
  readonly log: string[];
  readonly agent: Agent;
  bridge: Bridge;
  /** Another bridge on the same folder; the one before has ended. */
  start(): Promise<Bridge>;
  restart(): Promise<void>;
  connect(options?: ClientOptions): Client;
  member(key: Key, agent?: Agent): Promise<Client>;
  agentClient(n?: number, agent?: Agent): Promise<Client>;
  end(): Promise<void>;
}

/** What a test's bridge has besides the usual: more agents, more configuration. */
export interface Extras {
  readonly others?: readonly Agent[];
  readonly config?: Record<string, unknown>;
}

/** A bridge for one agent, and the `others`. `members` are enrolled with the one before it returns. */
export async function makeRig(
  members: readonly Key[] = [],
  limits: Partial<Limits> = {},
  { others = [], config = {} }: Extras = {},
): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), "bridge-"));
  const agent = await Agent.make();
  const log: string[] = [];
  const text = JSON.stringify({
    url: URL_OF_BRIDGE,
    listen: { host: "127.0.0.1", port: 0 },
    data: "data",
    agents: [agent, ...others].map(({ hsm }) => fingerprint(hsm.id)),
    health: { host: "127.0.0.1", port: 0 },
    ...config,
  });
  const start = async () =>
    await startBridge(
      parseConfig(text, join(folder, "bridge.json")),
      pino({ level: "trace" }, { write: (line) => log.push(line) }),
      {
        ...LIMITS,
        ...limits,
      },
    );
  const rig: Rig = {
    folder,
    log,
    agent,
    bridge: await start(),
    start,
    restart: async () => {
      await rig.bridge.close();
      rig.bridge = await start();
    },
    connect: (options) => new Client(rig.bridge.port, options),
    member: async (key, to = agent) => {
      const client = rig.connect();
      const answer = await client.login(key, to);
      if (answer?.t !== "ready") throw new Error(`login: ${JSON.stringify(answer)}`);
      return client;
    },
    agentClient: async (n = 1, as = agent) => {
      const client = rig.connect();
      const answer = await client.login(as.link, as, {}, await as.card(n));
      if (answer?.t !== "ready") throw new Error(`agent login: ${JSON.stringify(answer)}`);
      return client;
    },
    end: async () => {
      await rig.bridge.close();
      rmSync(folder, { recursive: true });
    },
  };
  if (members.length > 0) {
    const client = await rig.agentClient();
    client.send({ v: 1, t: "roster", jws: await agent.roster(1, members) });
    await client.next();
    await client.leave();
  }
  return rig;
}

/** Runs `work` against a rig of its own and takes it down whatever happens. */
export async function withRig(
  members: readonly Key[],
  work: (rig: Rig) => Promise<void>,
  limits: Partial<Limits> = {},
  extras: Extras = {},
): Promise<void> {
  const rig = await makeRig(members, limits, extras);
  try {
    await work(rig);
  } finally {
    await rig.end();
  }
}

/** An error frame. */
export const error = (code: string, id: string | null) => ({ v: 1, t: "error", code, id });

/** The next `count` frames, all deliveries. */
export async function deliveries(client: Client, count: number): Promise<Extract<BridgeFrame, { t: "deliver" }>[]> {
  const frames = [];
  for (let i = 0; i < count; i++) {
    const frame = await client.next();
    if (frame?.t !== "deliver") throw new Error(`not a delivery: ${JSON.stringify(frame)}`);
    frames.push(frame);
  }
  return frames;
}
