/**
 * A bad network between parties and the bridge: it delays, cuts, repeats, swaps and swallows, by chance that a seed fixes. It works on
 * whole frames, so that what TCP promises and the protocol does not need can be taken away as well. It can read no message and changes
 * none; what it repeats or swaps is what a careless bridge could do. protocol/README.md, "Frames".
 *
 * - Delays keep the order of one direction, but for what is swapped.
 * - Repeated are `send`, `accepted` and `deliver` after the login: at-least-once is all that anybody may rely on. Not `login`, which
 *   comes once, and not `ack`, `card` and `roster`, of which a second one is the bridge's own affair.
 * - Swapped are two `send`s that follow one another: a member's, as each is judged by itself; an agent's to two receivers, as each gets
 *   what is meant for it in order. Deliveries are not, as an acknowledgement covers all before it, and the next connection would not
 *   bring what was overtaken.
 * - A cut ends both sides. A half-open connection swallows everything in both directions, and ends neither side for a while.
 */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { Random } from "../fuzz/random.ts";

/** Each a chance of one in so many frames, or 0 for never; times in milliseconds. */
export interface Badness {
  readonly delay: { readonly oneIn: number; readonly most: number };
  readonly cut: number;
  readonly repeat: number;
  readonly swap: number;
  /** Whether what goes to one receiver keeps its order: on an agent's link. */
  readonly inOrder: boolean;
  readonly halfOpen: { readonly oneIn: number; readonly most: number };
}

/** How often something happened. */
export type Deed = "frames" | "delays" | "cuts" | "repeats" | "swaps" | "halfOpens";

const REPEATED = /"t":"(send|accepted|deliver)"/;
const SWAPPED = /"t":"send"/;
const RECEIVER = /"to":"([\w-]+)"/;
/** Characters in which a frame says what it is and for whom: its body, which may be long, comes last. */
const HEAD = 200;
/** Milliseconds that a frame waits for another one to be swapped with. */
const SWAP_WAIT = 50;

export class BadLink {
  readonly port: number;
  readonly deeds: Record<Deed, number> = { frames: 0, delays: 0, cuts: 0, repeats: 0, swaps: 0, halfOpens: 0 };
  /** While false everything passes at once and whole. */
  isBad = true;
  readonly #server: WebSocketServer;
  readonly #badness: Badness;
  readonly #chance: Random;
  readonly #wires = new Set<() => void>();

  private constructor(server: WebSocketServer, badness: Badness, seed: number) {
    this.#server = server;
    this.#badness = badness;
    this.#chance = new Random(seed, "link", 0);
    this.port = (server.address() as AddressInfo).port;
  }

  /** Listens on a port of its own before the bridge on `bridgePort`. */
  static async open(bridgePort: number, badness: Badness, seed: number): Promise<BadLink> {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
    await once(server, "listening");
    const link = new BadLink(server, badness, seed);
    server.on("connection", (party, { headers: { host = "", origin } }) => {
      const headers = { host, ...(origin === undefined ? {} : { origin }) };
      const options = { headers, perMessageDeflate: false, maxPayload: 1 << 20, autoPong: false };
      link.#join(party, new WebSocket(`ws://127.0.0.1:${bridgePort}/`, options));
    });
    return link;
  }

  /** Ends all connections; whoever wants one comes back. */
  cut(): void {
    for (const cut of this.#wires) cut();
  }

  async close(): Promise<void> {
    this.#server.close();
    this.cut();
    await once(this.#server, "close");
  }

  #join(party: WebSocket, bridge: WebSocket): void {
    let isDead = false;
    const cut = (): void => {
      party.terminate();
      bridge.terminate();
      this.#wires.delete(cut);
    };
    this.#wires.add(cut);
    /** From now on nothing passes. Both sides believe for a while that they are connected. */
    const die = (): void => {
      isDead = true;
      setTimeout(cut, 1 + this.#chance.int(this.#badness.halfOpen.most)).unref();
    };
    const opened = once(bridge, "open");
    opened.catch(cut);
    // The heartbeat is the ends' own, so that half-open connections are found by it.
    const alive = (socket: WebSocket) => !isDead && socket.readyState === WebSocket.OPEN;
    bridge.on("ping", () => alive(party) && party.ping());
    party.on("pong", () => alive(bridge) && bridge.pong());
    this.#carry(party, bridge, opened, { cut, die, isDead: () => isDead });
    this.#carry(bridge, party, opened, { cut, die, isDead: () => isDead });
  }

  #carry(
    from: WebSocket,
    to: WebSocket,
    opened: Promise<unknown>,
    wire: { readonly cut: () => void; readonly die: () => void; readonly isDead: () => boolean },
  ): void {
    const pass = (frame: Buffer): void => {
      if (!wire.isDead() && to.readyState === WebSocket.OPEN) to.send(frame, { binary: false });
    };
    // In order: what waits holds up what came after it.
    let queue: Promise<unknown> = opened;
    let held: Buffer | undefined;
    const release = (): void => {
      if (held !== undefined) pass(held);
      held = undefined;
    };
    from.on("message", (frame: Buffer) => {
      const head = headOf(frame);
      queue = queue.then(async () => {
        if (wire.isDead()) return;
        const fate = this.#fateOf(head);
        if (fate.delay > 0) await new Promise((resolve) => setTimeout(resolve, fate.delay));
        if (fate.ends === "cut") return wire.cut();
        if (fate.ends === "halfOpen") return wire.die();
        if (fate.swap && held === undefined) {
          held = frame;
          setTimeout(() => {
            queue = queue.then(release);
          }, SWAP_WAIT).unref();
          return;
        }
        // What would be overtaken by something for the same receiver goes first after all.
        if (this.#badness.inOrder && held !== undefined && receiverOf(headOf(held)) === receiverOf(head)) release();
        pass(frame);
        if (fate.repeat) pass(frame);
        release();
      });
      queue.catch(wire.cut);
    });
    from.on("error", () => undefined);
    // Of a dead wire the other side is not told.
    from.on("close", () => wire.isDead() || wire.cut());
  }

  #fateOf(head: string): { delay: number; ends: "cut" | "halfOpen" | "no"; repeat: boolean; swap: boolean } {
    const { delay, cut, repeat, swap, halfOpen } = this.#badness;
    const happens = (oneIn: number, deed: Deed): boolean => {
      if (!this.isBad || oneIn === 0 || !this.#chance.once(oneIn)) return false;
      this.deeds[deed] += 1;
      return true;
    };
    this.deeds.frames += 1;
    const isEnd = happens(cut, "cuts") ? "cut" : happens(halfOpen.oneIn, "halfOpens") ? "halfOpen" : "no";
    return {
      delay: happens(delay.oneIn, "delays") ? 1 + this.#chance.int(delay.most) : 0,
      ends: isEnd,
      repeat: REPEATED.test(head) && happens(repeat, "repeats"),
      swap: SWAPPED.test(head) && happens(swap, "swaps"),
    };
  }
}

function headOf(frame: Buffer): string {
  return frame.toString("latin1", 0, HEAD);
}

function receiverOf(head: string): string | undefined {
  return RECEIVER.exec(head)?.[1];
}
