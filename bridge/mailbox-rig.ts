/**
 * For the tests of this folder only: a post office over a store in a temporary folder, with clocks that stand still, and a
 * sender that writes down what it is told. No part of the program imports it.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Incoming, Origin } from "./box.ts";
import { Mailbox, type MailboxLimits } from "./mailbox.ts";
import { Post, type PostLimits, type Taken } from "./post.ts";

export type PostRigLimits = PostLimits & MailboxLimits;

const LIMITS: PostRigLimits = {
  messages: 10,
  bytes: 100,
  retention: 100,
  remembered: 4,
  hold: 200,
  held: 1_000,
  reserve: 8,
  recent: { ofSender: 3, ofAll: 1_000 },
  recentTime: 1_000,
};

export function message(id: string, changes: Partial<Incoming> = {}): Incoming {
  return { receiver: "r", sender: "s", id, body: "body", share: 1, once: false, ...changes };
}

export class PostRig {
  readonly folder = mkdtempSync(join(tmpdir(), "post-"));
  readonly data = join(this.folder, "data");
  /** Seconds, and milliseconds. */
  now = 0;
  clock = 0;
  /** Ids that the sender was told of, in order. */
  readonly accepted: string[] = [];
  readonly origin: Origin = { accepted: (id) => void this.accepted.push(id) };
  mailbox: Mailbox;
  post: Post;
  #limits: PostRigLimits;

  constructor(limits: Partial<PostRigLimits> = {}) {
    this.#limits = { ...LIMITS, ...limits };
    [this.mailbox, this.post] = this.#open();
  }

  #open(): [Mailbox, Post] {
    const mistaken = (error: unknown) => {
      throw error;
    };
    const mailbox = new Mailbox(this.data, this.#limits);
    const clocks = { now: () => this.now, clock: () => this.clock };
    return [mailbox, new Post({ mailbox, limits: this.#limits, ...clocks, ready: () => undefined, mistaken })];
  }

  /** Sends to a receiver that is away, or one that is online. */
  store(id: string, changes: Partial<Incoming> = {}): Taken {
    return this.post.take(message(id, changes), this.origin, false);
  }

  hold(id: string, changes: Partial<Incoming> = {}): Taken {
    return this.post.take(message(id, changes), this.origin, true);
  }

  commit(): void {
    this.mailbox.group.commit();
  }

  /** An end in good order, or as if the process had been killed: without what was not committed. */
  reopen({ killed = false, ...limits }: Partial<PostRigLimits> & { killed?: boolean } = {}): void {
    if (!killed) this.post.drain();
    this.mailbox.close();
    this.#limits = { ...this.#limits, ...limits };
    [this.mailbox, this.post] = this.#open();
  }

  /** Seqs in the store. */
  seqs(receiver = "r", senders: string[] | null = null): number[] {
    return this.mailbox.after(receiver, 0, Number.MAX_SAFE_INTEGER, 100, senders).map((found) => found.seq);
  }

  held(receiver = "r"): number[] {
    return this.post.box(receiver).held.map((found) => found.seq);
  }

  /** Has an online receiver acknowledge one message: from here on what it gets is held. */
  warm(receiver = "r"): void {
    this.hold("warm", { receiver });
    this.commit();
    this.post.acknowledge(receiver, this.post.box(receiver).given);
    this.commit();
    this.accepted.length = 0;
  }

  end(): void {
    // A store that has failed has nothing to drain.
    if (this.mailbox.group.failure === undefined) this.post.drain();
    this.mailbox.close();
    rmSync(this.folder, { recursive: true });
  }
}
