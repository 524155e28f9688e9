/**
 * The WebSocket to the paired bridge, and to nothing else: hello, login, ready, then messages both ways. README.md, "Frames", "Login".
 * It reconnects by itself, with growing and jittered pauses, and every message is stored on our side before it is sent and before it
 * is acknowledged, so that a connection or a worker may end anywhere. It understands no message: see inbox.ts.
 * The browser's WebSocket, clock, timers and randomness are arguments.
 */
import type { Signer } from "../protocol/envelope.ts";
import type { ErrorCode } from "../protocol/error.ts";
import { type BridgeFrame, type ClientFrame, encodeFrame, parseBridgeFrame } from "../protocol/frame.ts";
import type { Outcome } from "./arrival.ts";
import { closedProblem, outOfPlace, problemOf, SILENT } from "./link-trouble.ts";
import { login } from "./login.ts";
import type { LinkStatus, Problem } from "./store.ts";
import { SyncPace } from "./sync-pace.ts";

/** A pause between pings below the 30 s after which an idle service worker is evicted. Milliseconds. */
const PING_EVERY = 20_000;
/** First and longest pause before another try. Milliseconds. */
const RETRY_FIRST = 1_000;
const RETRY_MOST = 60_000;
export interface Wire {
  send(text: string): void;
  close(): void;
}

/** What the link needs of the browser. */
export interface Ports {
  /** Opens a WebSocket; `closed` is called once, also where it never opened, and never before this returns. */
  open(url: string, on: { message(text: string): void; closed(): void }): Wire;
  /** Milliseconds since 1970. */
  now(): number;
  random(bytes: number): Uint8Array;
  /** Runs `work` after so many milliseconds; returns what prevents it. */
  after(milliseconds: number, work: () => void): () => void;
}

export interface Outgoing {
  readonly id: string;
  readonly to: string;
  readonly body: string;
}

export interface Credentials {
  readonly bridge: string;
  /** Thumbprint of the HSM identity: the agent that the login names. */
  readonly hsm: string;
  readonly own: Signer;
  /** Only while pairing. */
  readonly invite: Signer | null;
}

/** As whom, at whom, and what this connection has seen: what is to be sent depends on it. */
export interface Moment {
  readonly as: Identity;
  /** Thumbprint of the HSM identity that the login named. */
  readonly hsm: string;
  /** True where a sync is due: at every login, and after something was missed. */
  readonly fresh: boolean;
  /** Ids of the frames that this connection has sent already. */
  readonly sent: ReadonlySet<string>;
}

/** For whom the link works: station.ts, on the store. */
export interface Station {
  credentials(): Promise<Credentials | null>;
  /** What to send now; `problem` says why nothing can be, and is null otherwise. */
  outgoing(moment: Moment): Promise<{ readonly frames: Outgoing[]; readonly problem: Problem | null }>;
  /** Takes the card that the bridge shows of the agent `hsm`. `again` where it is newer: that agent is to be told anew what is known here. */
  card(jws: string, hsm: string): Promise<{ readonly again: boolean }>;
  /** Resolves once the message is durable, with what a sync is due for. `from` is the bridge's word. */
  receive(body: string, from: string): Promise<Outcome>;
  status(state: LinkStatus["state"], problem: Problem | null): Promise<void>;
}

/** Which of our keys logs in. */
export type Identity = "own" | "invite";

interface Connection {
  readonly wire: Wire;
  readonly as: Identity;
  readonly who: Credentials;
  readonly signer: Signer;
  readonly key: string;
  readonly sent: Set<string>;
  readonly pace: SyncPace;
  /** Why nothing can be sent; undefined until it was first looked. */
  problem: Problem | null | undefined;
  phase: "hello" | "login" | "ready";
  heard: boolean;
  refused: ErrorCode | null;
  stopTimer: () => void;
}

export interface Link {
  /** Looks at the store: connects, reconnects as somebody else, or sends what is new. Call it as often as you like. */
  wake(): void;
  /** Resolves when everything asked so far has been done. */
  settled(): Promise<void>;
}

/** Makes a link. It does nothing until it is woken. */
export function makeLink(ports: Ports, station: Station): Link {
  let connection: Connection | null = null;
  let next: Identity = "own";
  let failures = 0;
  let trouble: Problem | null = null;
  let stopRetry = () => {};
  let queue: Promise<void> = Promise.resolve();

  /** One thing after the other: deliveries are acknowledged in order. */
  function enqueue(work: () => Promise<void>): void {
    // Where not even the trouble can be written down, the alarm of background.ts is what comes back.
    queue = queue
      .then(work)
      .catch(async (error: unknown) => await lose(problemOf(error)))
      .catch(() => undefined);
  }

  async function look(): Promise<void> {
    const who = await station.credentials();
    const key = who === null ? "" : `${who.bridge} ${who.hsm} ${who.own.kid} ${who.invite?.kid ?? ""}`;
    if (connection !== null && connection.key !== key) {
      drop(connection);
      next = "own";
    }
    if (who === null) {
      stopRetry();
      return await station.status("unpaired", null);
    }
    if (connection === null) return await connect(who, key);
    if (connection.phase === "ready") await flush(connection);
  }

  async function connect(who: Credentials, key: string): Promise<void> {
    stopRetry();
    const as = who.invite === null ? "own" : next;
    const signer = as === "invite" && who.invite !== null ? who.invite : who.own;
    await station.status("connecting", trouble);
    const wire = ports.open(who.bridge, {
      message: (text) => enqueue(async () => await (connection === opened ? take(opened, text) : undefined)),
      closed: () =>
        enqueue(async () => await (connection === opened ? lose(closedProblem(opened.refused, opened.as)) : undefined)),
    });
    const opened: Connection = {
      wire,
      as,
      who,
      signer,
      key,
      sent: new Set(),
      pace: new SyncPace(),
      problem: undefined,
      phase: "hello",
      heard: true,
      refused: null,
      stopTimer: () => {},
    };
    connection = opened;
    keepAlive(opened);
  }

  /** A connection that has said nothing for a whole pause is dead, whatever its socket thinks. */
  function keepAlive(opened: Connection): void {
    opened.stopTimer = ports.after(PING_EVERY, () =>
      enqueue(async () => {
        if (connection !== opened) return;
        if (!opened.heard || opened.phase !== "ready") return await lose(SILENT);
        opened.heard = false;
        send(opened, { v: 1, t: "ping" });
        keepAlive(opened);
      }),
    );
  }

  async function take(opened: Connection, text: string): Promise<void> {
    const frame = parseBridgeFrame(text);
    opened.heard = true;
    if (frame.t === "error") return await takeError(opened, frame);
    if (opened.phase === "hello" && frame.t === "hello") {
      opened.phase = "login";
      return send(opened, { v: 1, t: "login", jws: await login(opened, frame.nonce, ports), card: null });
    }
    if (opened.phase === "login" && frame.t === "ready") {
      opened.phase = "ready";
      failures = 0;
      next = "own";
      trouble = null;
      if (frame.card !== null) await station.card(frame.card, opened.who.hsm);
      return await flush(opened);
    }
    if (opened.phase !== "ready") throw outOfPlace(frame);
    switch (frame.t) {
      case "card":
        // The agent may have been started anew, and waits for what its people's browsers know: at once.
        if ((await station.card(frame.jws, opened.who.hsm)).again) opened.pace.atOnce();
        return await look();
      case "deliver":
        opened.pace.note(await station.receive(frame.body, frame.from), ports.now());
        send(opened, { v: 1, t: "ack", seq: frame.seq });
        // It may have completed the pairing, or asked for something to be sent.
        return await look();
      case "accepted":
        return await station.status("online", opened.problem ?? null);
      case "pong":
        return;
      case "hello":
      case "ready":
      case "enrolled":
      case "certified":
        throw outOfPlace(frame);
    }
  }

  async function takeError(opened: Connection, frame: BridgeFrame & { t: "error" }): Promise<void> {
    if (frame.id === null || opened.phase !== "ready") {
      opened.refused = frame.code;
      return await lose(closedProblem(opened.refused, opened.as));
    }
    // Not sent, and still in the outbox: the next wake tries again. A sync is in none: another takes its place.
    opened.sent.delete(frame.id);
    opened.pace.note({ again: true }, ports.now());
    const message = "The bridge did not take a message; it is kept and tried again. If it lasts, tell your operator.";
    await station.status("online", { code: frame.code, message });
  }

  async function flush(opened: Connection): Promise<void> {
    const { as, who, sent } = opened;
    const fresh = opened.pace.isDue(ports.now());
    const { frames, problem } = await station.outgoing({ as, hsm: who.hsm, fresh, sent });
    for (const { id, to, body } of frames) {
      sent.add(id);
      send(opened, { v: 1, t: "send", id, to, body });
    }
    if (fresh && problem === null) opened.pace.sent(ports.now());
    // Only what has changed: a frame that the bridge refused stays in sight until it takes one.
    if (opened.problem?.message !== problem?.message || opened.problem === undefined) {
      opened.problem = problem;
      await station.status("online", problem);
    }
  }

  function send(opened: Connection, frame: ClientFrame): void {
    opened.wire.send(encodeFrame(frame));
  }

  function drop(opened: Connection): void {
    opened.stopTimer();
    connection = null;
    opened.wire.close();
  }

  /** Ends the connection and comes back later; at once where only the other of our two keys was the right one. */
  async function lose(problem: Problem): Promise<void> {
    const lost = connection;
    if (lost !== null) drop(lost);
    const other = lost?.refused === "ERR_LOGIN_UNKNOWN" && lost.as === "own" && lost.who.invite !== null;
    next = other ? "invite" : "own";
    const pause = Math.min(RETRY_MOST, RETRY_FIRST * 2 ** failures);
    const jitter = 0.5 + (ports.random(1)[0] ?? 0) / 510;
    stopRetry();
    stopRetry = ports.after(other ? 0 : pause * jitter, () => enqueue(look));
    if (other) return;
    failures += 1;
    // An invite that has done its work is taken off the roster, and whoever used it is let in by their own key from then on.
    const isUsed = lost?.refused === "ERR_LOGIN_UNKNOWN" && lost.as === "invite" && lost.phase === "ready";
    trouble = isUsed ? null : problem;
    await station.status(isUsed ? "connecting" : "offline", trouble);
  }

  return { wake: () => enqueue(look), settled: async () => await queue };
}
