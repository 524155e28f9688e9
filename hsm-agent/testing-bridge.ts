/** For the tests of this folder only: a bridge on a real socket that does as it is told. The bridge itself is in bridge/. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { type BridgeFrame, type ClientFrame, encodeFrame, parseClientFrame } from "../protocol/frame.ts";
import type { Card } from "../protocol/message.ts";
import type { PublicJwk } from "../protocol/primitive.ts";
import { seal } from "../protocol/seal.ts";
import { payloadOf } from "./testing-agent.ts";
import { newJti, type Person } from "./testing-people.ts";

export const NONCE = "A".repeat(43);

export class FakeBridge {
  readonly server: WebSocketServer;
  /** Everything that it was sent, oldest first. */
  readonly frames: ClientFrame[] = [];
  socket: WebSocket | undefined;
  answer: (frame: ClientFrame) => BridgeFrame | undefined = kindly;
  #seq = 0;

  private constructor() {
    this.server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    this.server.on("connection", (connection) => {
      this.socket = connection;
      const send = (frame: BridgeFrame) => connection.send(encodeFrame(frame));
      connection.on("message", (data: Buffer) => {
        const frame = parseClientFrame(data.toString("utf8"));
        this.frames.push(frame);
        const reply = this.answer(frame);
        if (reply !== undefined) send(reply);
      });
      send({ v: 1, t: "hello", nonce: NONCE });
    });
  }

  static async open(): Promise<FakeBridge> {
    const bridge = new FakeBridge();
    await once(bridge.server, "listening");
    return bridge;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.server.address() as AddressInfo).port}/`;
  }

  async close(): Promise<void> {
    for (const client of this.server.clients) client.terminate();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Every card that it was given, oldest first. */
  cards(): Card[] {
    return this.frames.flatMap((frame) => {
      const jws = frame.t === "login" ? frame.card : frame.t === "card" ? frame.jws : null;
      return jws === null ? [] : [payloadOf(jws) as unknown as Card];
    });
  }

  rosters(): number[] {
    return this.frames.flatMap((frame) => (frame.t === "roster" ? [numberOf(frame.jws)] : []));
  }

  acked(): number[] {
    return this.frames.flatMap((frame) => (frame.t === "ack" ? [frame.seq] : []));
  }

  sentTo(kid: string): Extract<ClientFrame, { t: "send" }>[] {
    return this.frames.flatMap((frame) => (frame.t === "send" && frame.to === kid ? [frame] : []));
  }

  /** What was sent to a person, opened, oldest first. */
  async mailOf({ key, seal: receiving }: Person): Promise<string[]> {
    return await Promise.all(this.sentTo(key.kid).map(async ({ body }) => await receiving.open(body)));
  }

  /** Delivers a message, sealed to the newest card or to `to`. Returns the frame's id. */
  async deliver(jws: string, from: string, to: PublicJwk | undefined = this.cards().at(-1)?.seal): Promise<string> {
    if (to === undefined) throw new Error("there is no card yet");
    return this.deliverBody(await seal(jws, to), from);
  }

  deliverBody(body: string, from: string): string {
    const id = newJti();
    this.#seq += 1;
    this.socket?.send(encodeFrame({ v: 1, t: "deliver", seq: this.#seq, id, from, body }));
    return id;
  }
}

export function numberOf(jws: string): number {
  return Number(payloadOf(jws)["n"]);
}

/** Takes whatever it is sent. */
export function kindly(frame: ClientFrame): BridgeFrame | undefined {
  if (frame.t === "login") return { v: 1, t: "ready", card: null };
  if (frame.t === "roster") return { v: 1, t: "enrolled", n: numberOf(frame.jws) };
  if (frame.t === "card") return { v: 1, t: "certified", n: numberOf(frame.jws) };
  return frame.t === "send" ? { v: 1, t: "accepted", id: frame.id } : undefined;
}
