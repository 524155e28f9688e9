/**
 * The running bridge: every limit, the HTTP upgrade, the heartbeat, the sweep, the end. Untrusted by everybody: it
 * can delay, drop and see who talks to whom. TLS is the business of the proxy before it. protocol/README.md, "Bridge".
 */
import { createServer, type Server, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { Logger } from "pino";
import { type WebSocket, WebSocketServer } from "ws";
import { FRAME_MAX } from "../protocol/frame.ts";
import { Arrivals } from "./arrivals.ts";
import type { BridgeConfig } from "./config.ts";
import { Connection, type ConnectionLimits, type Office } from "./connection.ts";
import { Entrance, type EntranceLimits } from "./entrance.ts";
import { Exchange } from "./exchange.ts";
import { type Health, type HealthListener, startHealth } from "./health.ts";
import { listen } from "./listen.ts";
import { Mailbox, type MailboxLimits } from "./mailbox.ts";
import { makeMetrics } from "./metrics.ts";
import { placeOf } from "./place.ts";
import type { Post, PostLimits } from "./post.ts";
import { Bucket, type RateLimits } from "./rate.ts";
import { remoteOf } from "./remote.ts";
import { Turn } from "./turn.ts";
import { type Refusal, refuseUpgrade } from "./upgrade.ts";

export interface Limits extends ConnectionLimits, EntranceLimits, MailboxLimits, PostLimits {
  readonly frame: number;
  readonly heartbeat: number;
  readonly sweep: number;
  readonly waitingPerAddress: number;
  readonly arrivals: RateLimits;
  readonly strangerLines: RateLimits;
  readonly connectionsPerKey: number;
  readonly shareOfSender: number;
}

/** Every limit of the bridge. Times in milliseconds where nothing else is said. */
export const LIMITS: Limits = {
  /** Bytes of one frame. All frames are ASCII, so bytes are characters; ws closes with 1009 before it buffers more. */
  frame: FRAME_MAX,
  /** For the upgrade, and from there to a valid login: two round trips and an HSM's or WebCrypto's signature. */
  loginTime: 10_000,
  /** From one newcomer to the next: some 450 a second at most, a fifth of one core, while whoever is there is served. 10,000 that come back at once are in within half a minute. */
  intake: 2,
  /** Some 20 a second while strangers knock: a thirtieth of one core, so that a message of somebody who is there seldom meets one. */
  intakeAfterStranger: 50,
  /** A ping each period, dropped after one without an answer: below the 30 s after which browsers' workers and many proxies give up. */
  heartbeat: 20_000,
  /** Old messages and expired invites are looked for this often; both are minutes-grained things. */
  sweep: 60_000,
  /** How long a peer may take to answer a close frame before its socket is cut. */
  closing: 3_000,
  /** Strangers of one remote address (remote.ts) who have not logged in. Behind a proxy that is not in the configuration all share its address: a team that comes back at once still fits. */
  waitingPerAddress: 64,
  /** Upgrades of one remote address: a whole roster comes back at once, and no flood of logins takes more than a part of one core. */
  arrivals: { perSecond: 200, burst: 1_000 },
  /** Of the log, about those who have not logged in: what is above is counted, and told at the next sweep. Else they would fill the disk. */
  strangerLines: { perSecond: 5, burst: 500 },
  /** One key is one browser profile or one agent: a connection of its own, its predecessor not yet found dead, and room to spare. Nobody is evicted. */
  connectionsPerKey: 4,
  /** Of each connection that a key may have, its login too, and the next one goes on where it left. A person clicks and a page syncs: tens of frames. Sends above are refused one by one; a whole burst above ends the connection, and its place is free again once half a burst is, three seconds later. */
  memberRate: { perSecond: 50, burst: 100 },
  /** The agent answers everybody, and a new request goes to each approver at once. */
  agentRate: { perSecond: 2_000, burst: 4_000 },
  /** Above what a full window can hold (its bytes, one longest frame and 64 envelopes), so only a receiver that reads nothing meets it. */
  sendBuffer: 4_194_304,
  /** Under way to one connection: keeps a fast link busy, and one slow receiver cheap. */
  window: { messages: 64, bytes: 1_048_576 },
  /** Mailbox of one receiver: a week of a busy treasury, and a bound on what a roster of 1,000 can fill. */
  messages: 1_000,
  bytes: 16_777_216,
  /** Part of an agent's mailbox that one member or invite may fill: a member gone bad must not keep out another's rejection. Agents that have the same member on their rosters share that mailbox alike. */
  shareOfSender: 0.25,
  /** A receiver's browser stores a message and answers well within this; it is the longest that a sender waits for one that does not. Counted in quarters: 200 to 250 ms. */
  hold: 200,
  /** A quarter of a second of all that 64 agents may send; what is above is stored at once. */
  held: 67_108_864,
  /** One record of it is written for every 8,192 messages, and after a kill no more numbers than this are left out. */
  reserve: 16_384,
  /** As many as one receiver's mailbox holds; of all some 100 MB at worst. */
  recent: { ofSender: 1_024, ofAll: 500_000 },
  /** For a sender that lost its connection before it was answered, and comes back. */
  recentTime: 600_000,
  /** Seconds. As long as the agent keeps the keys that open what waits here. */
  retention: 7 * 24 * 3600,
  /** Ids remembered of one sender: two orders above what a person sends in the retention time, some 20 MiB at worst. */
  remembered: 100_000,
};

/** A bridge that listens. */
export interface Bridge {
  readonly port: number;
  /** Port or socket path of the health endpoint; null where it is off. */
  readonly health: number | string | null;
  measure(): Health;
  /** Resolves when the store has failed: nothing is taken any more, everybody is sent away, and only `close` is left to do. */
  readonly failed: Promise<void>;
  /**
   * Stores what is in memory, says goodbye (1001) to everybody and resolves when nothing is left open.
   * @throws Fault ERR_INTERNAL where something could not be stored; its sender was told nothing
   */
  close(): Promise<void>;
}

/**
 * Starts a bridge.
 * @throws Fault ERR_CONFIG, ERR_STATE
 */
export async function startBridge(config: BridgeConfig, log: Logger, limits: Limits = LIMITS): Promise<Bridge> {
  const turn = new Turn();
  const mailbox = new Mailbox(config.data, limits, turn);
  const { url, agents } = config;
  const { connectionsPerKey, shareOfSender } = limits;
  const mistaken = (error: unknown) => log.error({ cause: placeOf(error) }, "failed");
  const exchange = new Exchange({ url, agents, mailbox, limits, connectionsPerKey, shareOfSender, turn, mistaken });
  const { post } = exchange;
  const counts = { read: 0, written: 0 };
  const lines = new Bucket(limits.strangerLines, turn.clock());
  let [tooFast, untold] = [0, 0];
  const mayTell = (): boolean => {
    if (lines.take(turn.clock()) === "ok") return true;
    lines.refund();
    untold += 1;
    return false;
  };
  const office: Office = { desk: exchange, limits, log, turn, mayTell, counts };
  const connections = new Set<Connection>();
  const arrivals = new Arrivals(limits.arrivals);
  const measure = (): Health => ({
    connections: connections.size,
    agentsOnline: exchange.agentsOnline(),
    mailboxDepth: post.depth().all,
    ...(mailbox.group.failure === undefined ? {} : { storeFailed: true }),
  });
  const failed = new Promise<void>((resolve) => {
    mailbox.group.onFailure = ({ errcode }) => {
      log.error({ errcode }, "the store has failed: nothing is accepted any more");
      // Not in the middle of what found it.
      setImmediate(() => {
        for (const connection of connections) connection.fail("ERR_INTERNAL");
        resolve();
      });
    };
  });

  const metrics = makeMetrics(() => ({
    ...measure(),
    ...post.depth(),
    ...post.counts,
    ...counts,
    commits: mailbox.group.commits,
  }));

  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: limits.frame,
    // Compression costs more than all the rest, and lengths of compressed secrets talk.
    perMessageDeflate: false,
    // Answered as far as the rate goes (connection.ts).
    autoPong: false,
    // A browser cuts a long message into tens; pieces without an end would be work that no rate counts.
    maxFragments: 1_024,
  });
  // It never listens: the entrance gives it its sockets, and cuts those that ask for nothing.
  const server = createServer({ maxHeaderSize: 8192 });
  // Sockets that never ask for an upgrade are bounded too.
  const most = config.connections + limits.waitingPerAddress;
  const entrance = new Entrance((socket) => server.emit("connection", socket), limits, most);
  server.on("request", (_, response) => {
    response.writeHead(426, { upgrade: "websocket", connection: "close" }).end();
  });
  // Apart from the upgrade: what a connection holds on to, it holds for days.
  const enter = (webSocket: WebSocket, wire: Duplex, remote: string): void => {
    const connection = new Connection(webSocket, wire, office);
    connections.add(connection);
    arrivals.add(remote, connection);
    webSocket.on("close", () => {
      connections.delete(connection);
      if (connection.party === undefined) entrance.stranger();
    });
  };
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", destroy);
    const { remoteAddress } = request.socket;
    const forwardedFor = request.headersDistinct["x-forwarded-for"];
    const remote = remoteOf({ remoteAddress, forwardedFor }, config.trustedProxies);
    const occupancy = { connections: connections.size, ...arrivals.arrive(remote, turn.clock()) };
    const refusal =
      mailbox.group.failure === undefined
        ? refuseUpgrade(request, { ...limits, ...config }, occupancy)
        : ({ status: 503, code: "ERR_INTERNAL" } as const);
    if (refusal !== undefined) {
      if (occupancy.isTooFast) tooFast += 1;
      // A line for each would be a flood of its own.
      else if (mayTell()) log.warn({ status: refusal.status, code: refusal.code, remote }, "upgrade refused");
      return answerRefusal(socket, refusal);
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      entrance.upgraded(request.socket);
      // From here on it is the WebSocket's to end.
      socket.off("error", destroy);
      enter(webSocket, socket, remote);
    });
  });

  const heartbeat = setInterval(() => {
    for (const connection of connections) connection.beat();
  }, limits.heartbeat);
  const sweeper = setInterval(() => {
    try {
      const dropped = post.sweep();
      if (dropped > 0) log.warn({ dropped }, "messages expired unfetched");
    } catch {
      // Nothing of the error: it may quote what is stored.
      log.error("expired messages could not be removed");
    }
    arrivals.prune(turn.clock());
    if (tooFast > 0) log.warn({ tooFast }, "upgrades refused");
    if (untold > 0) log.warn({ untold }, "lines about strangers left out");
    [tooFast, untold] = [0, 0];
    exchange.expel();
    exchange.prune();
  }, limits.sweep);

  // Upgraded sockets are their connections' to end; the server's own end waits for the last of them.
  const close = async (): Promise<void> => {
    clearInterval(heartbeat);
    clearInterval(sweeper);
    const drained = drain(post);
    const ended = [...connections].map((connection) => connection.dismiss());
    await Promise.all([...ended, endServer(health?.server), entrance.close()]);
    mailbox.close();
    if (drained !== undefined) throw drained;
  };
  let health: HealthListener | undefined;
  try {
    const port = await listen(entrance.server, config.listen);
    if (config.health !== undefined) health = await startHealth(config.health, measure, metrics);
    return { port, health: health?.at ?? null, measure, failed, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Stores what is held; what it threw where it could not. */
function drain(post: Post): Error | undefined {
  try {
    post.drain();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error("drain");
  }
}

function destroy(this: Duplex): void {
  this.destroy();
}

function answerRefusal(socket: Duplex, { status, code }: Refusal): void {
  const body = `${code ?? STATUS_CODES[status]}\n`;
  // Not left to the peer: one that keeps its half open would keep a place.
  socket.once("finish", () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
  );
}

async function endServer(server: Server | undefined): Promise<void> {
  if (server?.listening !== true) return;
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
