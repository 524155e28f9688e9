/** The running agent: opens the record and the HSM, and lets link, control socket and clock drive requests. Wiring only. */
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import * as v from "valibot";
import { Fault, isFault } from "../protocol/error.ts";
import { fingerprint, PublicJwkSchema } from "../protocol/primitive.ts";
import { repostActs } from "./acts.ts";
import { dueRecoveries, expireRequests } from "./advance.ts";
import { AnchorKeeper } from "./anchor.ts";
import { recordedClock } from "./clock.ts";
import { run } from "./commands.ts";
import { type Config, socketPath } from "./config.ts";
import { serveControl } from "./control.ts";
import { CharterBook, type Consequence, type Desk, identityOf } from "./desk.ts";
import { Driver } from "./driver.ts";
import { type Hsm, openHsm } from "./hsm/owner.ts";
import { receive } from "./inbound.ts";
import { Journal } from "./journal.ts";
import { Link } from "./link.ts";
import { claimSocket } from "./lock.ts";
import { Owed } from "./owed.ts";
import { replay } from "./replay.ts";
import { OPEN_STATES } from "./requests.ts";
import { SealKeys } from "./sealing.ts";

/** Milliseconds. */
const CLOCK_CHECK = 1_000;
const SERVE_RETRY = 3_000;

export interface Agent {
  readonly fingerprint: string;
  stop(): Promise<void>;
}

/** The record's path in a data folder, which is made where it is missing and closed to others where it is not. */
export function journalPath(config: Config): string {
  mkdirSync(config.data, { recursive: true, mode: 0o700 });
  chmodSync(config.data, 0o700);
  return join(config.data, "agent.db");
}

/** Opens the HSM named in the configuration. @throws Fault ERR_HSM_* */
export async function openConfiguredHsm(config: Config, pin: string): Promise<Hsm> {
  return await openHsm({ module: config.hsm.module, token: config.hsm.token, pin });
}

/** Starts everything. @throws Fault ERR_STATE, ERR_CHARTER, ERR_CONFIG, ERR_AGENT_RUNNING, ERR_HSM_* */
export async function startAgent(config: Config, pin: string, log: Logger): Promise<Agent> {
  const path = journalPath(config);
  await claimSocket(socketPath(config));
  const journal = new Journal(path);
  let hsm: Hsm | undefined;
  try {
    journal.requireMeta("identity");
    hsm = await openConfiguredHsm(config, pin);
    return await serveOn(config, log, journal, hsm);
  } catch (error) {
    // What was opened would keep this process alive without an agent in it.
    await hsm?.close();
    journal.close();
    throw error;
  }
}

/** Serves under one HSM identity after the other: a ROTATE ends a session and begins the next. */
async function serveOn(config: Config, log: Logger, journal: Journal, hsm: Hsm): Promise<Agent> {
  let stopped = false;
  let changing: Promise<void> = Promise.resolve();
  /** Until it is there: an agent without link and socket would be one that nobody could stop. */
  const again = async (): Promise<void> => {
    try {
      session = await serve(config, log, journal, hsm, next);
    } catch (error) {
      log.error({ err: error }, "the next identity cannot be served yet");
      await new Promise((resolve) => setTimeout(resolve, SERVE_RETRY));
      if (!stopped) await again();
    }
  };
  const next = (): void => {
    changing = changing.then(async () => {
      if (stopped) return;
      await session.stop();
      await again();
    });
  };
  let session = await serve(config, log, journal, hsm, next);
  return {
    get fingerprint() {
      return session.fingerprint;
    },
    stop: async () => {
      stopped = true;
      await changing;
      await session.stop();
      await hsm.close();
      journal.close();
    },
  };
}

/** The desk of this record on this token, its acts verified. @throws Fault ERR_STATE, ERR_CHARTER, ERR_CONFIG */
export async function openDesk(
  config: Pick<Config, "bridge">,
  log: Logger,
  journal: Journal,
  hsm: Hsm,
  wake: () => void,
  wall?: () => number,
): Promise<{ desk: Desk; anchor: string | undefined }> {
  const succession = journal.meta("succession");
  const keyId = journal.requireMeta(succession === undefined ? "identity" : "next-identity");
  const identity = identityOf(hsm, await hsm.findKey(keyId));
  if (identity.signer.kid !== (succession ?? journal.meta("thumbprint")))
    throw new Fault(
      "ERR_STATE",
      "The token holds another identity key than the record names; this is not the token of this agent.",
    );
  const anchor = await hsm.readAnchor();
  const founder = v.parse(PublicJwkSchema, JSON.parse(journal.requireMeta("founder")));
  const charter = new CharterBook();
  charter.current = await replay(journal, succession === undefined ? identity.signer.kid : null, founder, anchor);
  const bridge = charter.current?.policy.bridge;
  if (bridge !== undefined && bridge !== config.bridge.url)
    throw new Fault(
      "ERR_CONFIG",
      `The policy names bridge ${bridge} and the configuration ${config.bridge.url}; correct bridge.url.`,
    );
  const now = recordedClock(journal, wall);
  const clock = { now, clockInDoubt: () => now.inDoubt(), confirmClock: () => now.confirm() };
  return { desk: { journal, hsm, identity, charter, bridgeUrl: config.bridge.url, log, ...clock, wake }, anchor };
}

async function serve(config: Config, log: Logger, journal: Journal, hsm: Hsm, rotated: () => void): Promise<Agent> {
  const socket = socketPath(config);
  const wake = (): void => {
    owed.kick();
    link.wake();
    anchorKeeper.keep();
  };
  const { desk, anchor } = await openDesk(config, log, journal, hsm, wake);
  const keys = await SealKeys.load(journal);
  const anchorKeeper = new AnchorKeeper(desk, anchor ?? "");
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
  const unfinished = [...journal.requests(OPEN_STATES).map(({ id }) => id), ...journal.owedReceipts()];
  const server = await serveControl(
    socket,
    async (command) =>
      await run({ desk, link, follow }, command).catch((error: unknown) => {
        if (!isFault(error)) log.error({ err: error, command: command.command }, "command failed");
        throw error;
      }),
  );
  const timer = setInterval(() => {
    try {
      for (const id of [...expireRequests(desk), ...dueRecoveries(desk)]) driver.drive(id);
      link.renewCard();
      repostActs(desk);
      anchorKeeper.keep();
    } catch (error) {
      log.error({ err: error }, "requests not expired");
    }
  }, CLOCK_CHECK);
  link.start();
  wake();
  for (const id of unfinished) driver.drive(id);
  const shown = fingerprint(desk.identity.signer.kid);
  log.info({ fingerprint: shown, socket, act: desk.charter.current?.n ?? 0 }, "agent ready");

  return {
    fingerprint: shown,
    stop: async () => {
      clearInterval(timer);
      link.stop();
      server.close();
      server.closeAllConnections();
      await driver.stop();
      await owed.stop();
      await anchorKeeper.settled();
    },
  };
}
