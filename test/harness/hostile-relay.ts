/**
 * A bridge that was taken over, as its clients see one: it stands before the real bridge, ends everybody's WebSocket, and a rule
 * may change, drop, add or hold back every frame in both directions. Login nonces pass through it, so logins work; it holds no key of
 * anybody's that signs. With a spy it also reads what no bridge can. protocol/README.md, "Frames".
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { peekEnvelope } from "../../protocol/envelope.ts";
import {
  type BridgeFrame,
  type ClientFrame,
  encodeFrame,
  parseBridgeFrame,
  parseClientFrame,
} from "../../protocol/frame.ts";
import { typOf } from "./message.ts";
import type { Spy } from "./spy.ts";

export type Frame = BridgeFrame | ClientFrame;

/** A frame on its way, and the connection that it is on. */
export interface Passing {
  readonly to: "bridge" | "party";
  readonly frame: Frame;
  readonly wire: Wire;
  /** The message in it, where a spy can read it. */
  readonly jws: string | undefined;
}

/** What goes on in the frame's place, in the same direction. */
export type Rule = (passing: Passing) => readonly Frame[] | Promise<readonly Frame[]>;

export const relayAll: Rule = ({ frame }) => [frame];

/** True for a frame that carries a message of this type, by a spy's word. */
export function carries({ jws }: Pick<Passing, "jws">, type: { readonly typ: string }): boolean {
  return jws !== undefined && typOf(jws) === type.typ;
}

/** One party's connection: its two WebSockets. */
export class Wire {
  /** Thumbprint of the key that logged in here, and whether it is an agent's. Unverified, as the relay cannot. */
  key = "";
  isAgent = false;
  readonly #party: WebSocket;
  readonly #bridge: WebSocket;
  #last: (BridgeFrame & { t: "deliver" }) | undefined;

  constructor(party: WebSocket, bridge: WebSocket) {
    this.#party = party;
    this.#bridge = bridge;
  }

  get isOpen(): boolean {
    return this.#party.readyState === WebSocket.OPEN;
  }

  /** Sends a frame on, in its direction. */
  pass(to: Passing["to"], frame: Frame): void {
    if (to === "party" && frame.t === "deliver") this.#last = frame;
    const socket = to === "party" ? this.#party : this.#bridge;
    if (socket.readyState === WebSocket.OPEN) socket.send(encodeFrame(frame));
  }

  /** Delivers a body that the real bridge did not, under the number of the last delivery, so that its acknowledgement is in order. */
  deliver(body: string): void {
    const last = this.#last;
    if (last === undefined) throw new Error("nothing was delivered on this connection yet");
    this.pass("party", { ...last, id: newId(), body });
  }

  cut(): void {
    this.#party.terminate();
    this.#bridge.terminate();
  }
}

export class HostileRelay {
  readonly port: number;
  /** Every frame that came in, before any rule. */
  readonly seen: Passing[] = [];
  readonly #server: WebSocketServer;
  readonly #wires = new Set<Wire>();
  rule: Rule = relayAll;
  readonly #spy: Spy | undefined;
  /** Every text that passed, in both directions, as it was on the wire. */
  readonly texts: string[] = [];

  private constructor(server: WebSocketServer, spy: Spy | undefined) {
    this.#server = server;
    this.#spy = spy;
    this.port = (server.address() as AddressInfo).port;
  }

  /** Listens on a port of its own before the bridge on `bridgePort`. */
  static async open(bridgePort: number, spy?: Spy): Promise<HostileRelay> {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
    await once(server, "listening");
    const relay = new HostileRelay(server, spy);
    server.on("connection", (party, { headers: { host = "", origin } }) => {
      const headers = { host, ...(origin === undefined ? {} : { origin }) };
      relay.#join(
        party,
        new WebSocket(`ws://127.0.0.1:${bridgePort}/`, { headers, perMessageDeflate: false, maxPayload: 1 << 20 }),
      );
    });
    return relay;
  }

  /** The open connection of the agent, or of the client that `fits`. */
  wire(fits: (wire: Wire) => boolean): Wire {
    const found = [...this.#wires].find((wire) => wire.isOpen && fits(wire));
    if (found === undefined) throw new Error("no such connection");
    return found;
  }

  /** Ends the connections that `fits` names; whoever wants one comes back. */
  cut(fits: (wire: Wire) => boolean = () => true): void {
    for (const wire of this.#wires) if (fits(wire)) wire.cut();
  }

  async close(): Promise<void> {
    this.#server.close();
    this.cut();
    await once(this.#server, "close");
  }

  #join(party: WebSocket, bridge: WebSocket): void {
    const wire = new Wire(party, bridge);
    this.#wires.add(wire);
    const opened = once(bridge, "open");
    opened.catch(() => party.terminate());
    // The agent takes a bridge for dead that does not ping it.
    bridge.on("ping", () => party.readyState === WebSocket.OPEN && party.ping());
    for (const [socket, other] of [
      [party, bridge],
      [bridge, party],
    ] as const) {
      const to = socket === party ? "bridge" : "party";
      // In order, each way: a rule may take its time.
      let queue: Promise<unknown> = opened;
      socket.on("message", (data: Buffer) => {
        queue = queue.then(async () => await this.#take(to, wire, data.toString("utf8"))).catch(() => wire.cut());
      });
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.#wires.delete(wire);
        other.terminate();
      });
    }
  }

  async #take(to: Passing["to"], wire: Wire, text: string): Promise<void> {
    const frame = to === "bridge" ? parseClientFrame(text) : parseBridgeFrame(text);
    if (frame.t === "login") {
      wire.key = peekEnvelope(frame.jws).kid;
      wire.isAgent = frame.card !== null;
    }
    this.texts.push(text);
    const isSealed = frame.t === "send" || frame.t === "deliver";
    const jws = isSealed ? await this.#spy?.read(frame.body) : undefined;
    const passing = { to, frame, wire, jws };
    this.seen.push(passing);
    for (const changed of await this.rule(passing)) wire.pass(to, changed);
  }
}

/** A frame's id. */
export function newId(): string {
  return randomBytes(16).toString("base64url");
}
