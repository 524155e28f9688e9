/**
 * The listening socket. Newcomers wait, unread, and are taken in one at a time, so that however many come at once those who
 * are there already have the bridge's time: what is refused costs as much as what is let in. Each address has its turn.
 * Who may come in is upgrade.ts. protocol/README.md, "Upgrade".
 */
import { createServer, type Server, type Socket } from "node:net";
import { remoteOf } from "./remote.ts";

/** Milliseconds. */
export interface EntranceLimits {
  /** From one newcomer to the next. */
  readonly intake: number;
  /** The same, where somebody who had been taken in ended as a stranger meanwhile. */
  readonly intakeAfterStranger: number;
  /** From being taken in to the upgrade. */
  readonly loginTime: number;
}

export class Entrance {
  readonly server: Server;
  readonly #take: (socket: Socket) => void;
  readonly #limits: EntranceLimits;
  /** By remote address, in the order of their turns. */
  readonly #waiting = new Map<string, Socket[]>();
  readonly #most: number;
  /** All that are open, whatever has become of them. */
  #open = 0;
  /** Taken in, and not upgraded. */
  readonly #inside = new Map<Socket, NodeJS.Timeout>();
  #timer: NodeJS.Timeout | undefined;
  /** Somebody ended as a stranger, and nobody has waited longer for that yet. */
  #wasStranger = false;
  /** What is being waited for is the rest of `intakeAfterStranger`. */
  #isLonger = false;

  /**
   * `take` gets each when its turn has come. `most`: sockets at a time, whatever has become of them; whoever comes above that puts out
   * the newest of those who wait from the address that most of them are from, which may be their own.
   */
  constructor(take: (socket: Socket) => void, limits: EntranceLimits, most: number) {
    this.#take = take;
    this.#limits = limits;
    // Half open, as an HTTP server has its sockets.
    this.server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => this.#arrive(socket));
    this.#most = most;
  }

  /** It was upgraded: its end is another's from now on. */
  upgraded(socket: Socket): void {
    clearTimeout(this.#inside.get(socket));
    this.#inside.delete(socket);
  }

  /** Somebody ended, upgraded or not, who never logged in: the next one waits longer, so that a flood of such gets a small part of the time. */
  stranger(): void {
    this.#wasStranger = true;
  }

  /** Cuts all that were not upgraded; resolves when those that were have ended too. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    for (const socket of [...this.#waiting.values()].flat()) socket.destroy();
    for (const socket of this.#inside.keys()) socket.destroy();
    if (this.server.listening) await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  #arrive(socket: Socket): void {
    const { remoteAddress } = socket;
    // What a proxy says of them is not read yet: theirs are one address.
    const remote = remoteOf({ remoteAddress, forwardedFor: undefined }, 0);
    const queue = this.#waiting.get(remote) ?? [];
    queue.push(socket);
    this.#waiting.set(remote, queue);
    this.#open += 1;
    socket.once("close", () => (this.#open -= 1));
    if (this.#open > this.#most) this.#putOut();
    this.#timer ??= setTimeout(() => this.#next(), 0);
  }

  #putOut(): void {
    let [from, longest]: [string, Socket[]] = ["", []];
    for (const [remote, queue] of this.#waiting) if (queue.length > longest.length) [from, longest] = [remote, queue];
    longest.pop()?.destroy();
    if (longest.length === 0) this.#waiting.delete(from);
  }

  #next(): void {
    this.#timer = undefined;
    const [first] = this.#waiting;
    if (first === undefined) return;
    const { intake, intakeAfterStranger } = this.#limits;
    // Once for all who ended meanwhile: whoever is next always comes in.
    this.#isLonger = this.#wasStranger && !this.#isLonger;
    if (this.#isLonger) {
      this.#wasStranger = false;
      this.#timer = setTimeout(() => this.#next(), intakeAfterStranger - intake);
      return;
    }
    const [remote, queue] = first;
    const socket = queue.shift();
    this.#waiting.delete(remote);
    if (queue.length > 0) this.#waiting.set(remote, queue);
    // Kept while nobody waits as well: whoever comes within that time waits for the rest of it.
    this.#timer = setTimeout(() => this.#next(), intake);
    if (socket === undefined || socket.destroyed) return;
    this.#inside.set(
      socket,
      setTimeout(() => socket.destroy(), this.#limits.loginTime),
    );
    socket.once("close", () => {
      if (this.#inside.has(socket)) this.stranger();
      this.upgraded(socket);
    });
    this.#take(socket);
    socket.resume();
  }
}
