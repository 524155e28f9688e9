/**
 * The agent under one HSM identity: opens the desk, and lets link, control socket and clock drive requests. Wiring only. What comes
 * before it and after a rotation is agent.ts.
 */
import type { Logger } from "pino";
import * as v from "valibot";
import { Fault, isFault } from "../protocol/error.ts";
import { fingerprint, PublicJwkSchema } from "../protocol/primitive.ts";
import { repostActs } from "./acts.ts";
import { dueRecoveries, expireRequests } from "./advance.ts";
import { AnchorKeeper } from "./anchor.ts";
import { Backups } from "./backup.ts";
import { recordedClock } from "./clock.ts";
import { run } from "./commands.ts";
import { levelsOf, reportOf } from "./condition.ts";
import { type Config, socketPath } from "./config.ts";
import { serveControl } from "./control.ts";
import { CharterBook, type Consequence, type Desk, givenUpBy, identityOf, type Observer } from "./desk.ts";
import { Driver } from "./driver.ts";
import { durableFirst } from "./durable-hsm.ts";
import { endAll } from "./ending.ts";
import type { HealthReport } from "./health.ts";
import type { Hsm } from "./hsm/owner.ts";
import { receive } from "./inbound.ts";
import type { Journal } from "./journal.ts";
import { Link } from "./link.ts";
import type { Levels } from "./metrics.ts";
import { Owed } from "./owed.ts";
import { replay } from "./replay.ts";
import { OPEN_STATES } from "./requests.ts";
import { SealKeys } from "./sealing.ts";
import { requireTold } from "./told.ts";
import { findUntold } from "./untold.ts";
import { type Start, Witnesses } from "./witnesses.ts";

/** Milliseconds. */
const CLOCK_CHECK = 1_000;

/** What a session is made of; `start` is the agent's, also after a rotation. */
export interface Parts {
  readonly config: Pick<Config, "bridge">;
  readonly log: Logger;
  readonly journal: Journal;
  readonly hsm: Hsm;
  readonly start: Start;
  readonly observer?: Observer;
  /** Seconds since 1970; for tests. */
  readonly wall?: () => number;
}
const UNOBSERVED: Observer = { signed: () => {}, checkpointSigned: () => {} };

export interface Session {
  readonly fingerprint: string;
  /** Something was committed: whom it is owed to is shown it. */
  readonly committed: () => void;
  readonly report: () => HealthReport;
  readonly levels: () => Levels;
  readonly halt: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** The desk of this record on this token, its acts verified. @throws Fault ERR_STATE, ERR_CHARTER, ERR_CONFIG */
export async function openDesk(
  { config, log, journal, hsm: module, start, observer = UNOBSERVED, wall }: Parts,
  wake: () => void,
): Promise<{ desk: Desk; anchor: string | undefined }> {
  const succession = journal.meta("succession");
  const keyId = journal.requireMeta(succession === undefined ? "identity" : "next-identity");
  const hsm = durableFirst(module, journal, (id, seconds) =>
    observer.signed(id === keyId ? "identity" : "vault", seconds),
  );
  const identity = identityOf(hsm, await hsm.findKey(keyId));
  if (identity.signer.kid !== (succession ?? journal.meta("thumbprint")))
    throw new Fault(
      "ERR_STATE",
      "The token holds another identity key than the record names; this is not the token of this agent.",
    );
  const anchor = await hsm.readAnchor();
  const founder = v.parse(PublicJwkSchema, JSON.parse(journal.requireMeta("founder")));
  const charter = new CharterBook();
  const replayed = await replay(journal, succession === undefined ? identity.signer.kid : null, founder, anchor);
  requireTold(journal, replayed.applied);
  charter.current = replayed.charter;
  charter.identities = replayed.identities;
  charter.givenUp = replayed.applied.flatMap(givenUpBy);
  const bridge = charter.current?.policy.bridge;
  if (bridge !== undefined && bridge !== config.bridge.url)
    throw new Fault(
      "ERR_CONFIG",
      `The policy names bridge ${bridge} and the configuration ${config.bridge.url}; correct bridge.url.`,
    );
  const now = recordedClock(journal, wall);
  journal.now = now;
  const witnesses = new Witnesses(journal, charter, start);
  const untold = findUntold(journal);
  if (untold.size > 0) log.error({ requests: [...untold] }, "the log tells otherwise of open requests");
  const clock = { now, clockInDoubt: () => now.inDoubt(), confirmClock: () => now.confirm() };
  return {
    desk: {
      journal,
      hsm,
      identity,
      charter,
      witnesses,
      untold,
      bridgeUrl: config.bridge.url,
      log,
      observer,
      ...clock,
      wake,
    },
    anchor,
  };
}

/** Serves until it is stopped, or the next identity is in force: then `rotated` is called. @throws Fault ERR_STATE, ERR_CHARTER, ERR_CONFIG */
export async function serve(parts: Parts & { readonly config: Config }, rotated: () => void): Promise<Session> {
  const { config, log, journal } = parts;
  const socket = socketPath(config);
  const wake = (): void => {
    owed.kick();
    link.wake();
    anchorKeeper.keep();
  };
  const { desk, anchor } = await openDesk(parts, wake);
  const keys = await SealKeys.load(journal);
  const anchorKeeper = new AnchorKeeper(desk, anchor ?? "");
  const backups = new Backups(desk, config.data, config.backup?.folder ?? null);
  const driver = new Driver(desk, follow);
  const link = new Link({
    desk,
    keys,
    dial: config.bridge.dial ?? config.bridge.url,
    receive: async (delivered) => follow(await receive(desk, keys, delivered)),
  });
  const owed = new Owed(
    desk,
    () => link.card,
    () => link.wake(),
  );

  function follow(consequence: Consequence): void {
    // What it ended has its receipts from the next identity, which finds them owed.
    if (consequence.rotated === true) return rotated();
    for (const id of consequence.requests) driver.drive(id);
    if (consequence.roster) link.publishRoster();
  }

  // Read before anything runs that would keep a process with a damaged record alive.
  const unfinished = journal.requests(OPEN_STATES).map(({ id }) => id);
  const server = await serveControl(socket, async (command) => {
    try {
      return await run({ desk, link, follow, backups }, command);
    } catch (error) {
      if (!isFault(error)) log.error({ err: error, command: command.command }, "command failed");
      throw error;
    } finally {
      // What is answered is on the disk, and so is what a refusal counted. How the agent is, it can always say.
      if (command.command !== "status") await journal.durable();
    }
  });
  const timer = setInterval(() => {
    try {
      for (const id of [...expireRequests(desk), ...dueRecoveries(desk)]) driver.drive(id);
      link.renewCard();
      repostActs(desk);
      anchorKeeper.keep();
      backups.keep();
    } catch (error) {
      log.error({ err: error }, "requests not expired");
    }
  }, CLOCK_CHECK);
  link.start();
  wake();
  for (const id of unfinished) driver.drive(id);
  const shown = fingerprint(desk.identity.signer.kid);
  log.info({ fingerprint: shown, socket, act: desk.charter.current?.n ?? 0 }, "agent ready");

  /** Nothing more is done or said. How the agent is can still be asked. */
  const halt = async (): Promise<void> => {
    clearInterval(timer);
    await endAll(
      () => link.stop(),
      () => driver.stop(),
      () => owed.stop(),
      () => anchorKeeper.settled(),
      () => backups.settled(),
    );
  };
  return {
    fingerprint: shown,
    committed: () => {
      if (journal.owedViews(1).length > 0) owed.kick();
    },
    report: () => reportOf(desk, link),
    levels: () => levelsOf(desk, link),
    halt,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await halt();
    },
  };
}
