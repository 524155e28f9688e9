/**
 * The running agent: opens the record and the HSM, serves under one HSM identity after the other (session.ts), and says how it is. A record
 * that cannot be written any more ends all but that.
 */
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import { type Config, socketPath } from "./config.ts";
import { endAll } from "./ending.ts";
import { startHealth } from "./health.ts";
import { type Hsm, openHsm } from "./hsm/owner.ts";
import { Journal } from "./journal.ts";
import { claimSocket } from "./lock.ts";
import { Metrics } from "./metrics.ts";
import { verifier } from "./secp256k1.ts";
import { type Parts, type Session, serve } from "./session.ts";
import { startOf } from "./witnesses.ts";

/** Milliseconds. */
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
  const { module, token, files } = config.hsm;
  return await openHsm({ module, token, pin, ...(files === undefined ? {} : { files }) });
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
    await endAll(
      () => hsm?.close(),
      () => journal.close(),
    ).catch((left: unknown) => log.error({ err: left }, "not all was closed"));
    throw error;
  }
}

/** Serves until it is stopped: a ROTATE ends a session and begins the next. */
async function serveOn(config: Config, log: Logger, journal: Journal, hsm: Hsm): Promise<Agent> {
  let stopped = false;
  let changing: Promise<void> = Promise.resolve();
  const metrics = new Metrics(() => session.levels());
  const parts: Parts & { config: Config } = { config, log, journal, hsm, start: startOf(journal), observer: metrics };
  /** Until it is there: an agent without link and socket would be one that nobody could stop. */
  const again = async (): Promise<void> => {
    try {
      session = await serve(parts, next);
    } catch (error) {
      log.error({ err: error }, "the next identity cannot be served yet");
      await new Promise((resolve) => setTimeout(resolve, SERVE_RETRY));
      // On a record that has failed no try will do.
      if (!stopped && journal.failure === null) await again();
    }
  };
  const next = (): void => {
    changing = changing.then(async () => {
      if (stopped) return;
      // What did not end well keeps the next identity from nothing.
      const ended = (error: unknown) => log.error({ err: error }, "the session did not end well");
      // Under the identity of before nothing more is said. Its socket stays: a ROTATE that is not on the disk has not happened, and there
      // is somebody to ask why.
      const halted = session.halt().catch(ended);
      const isDurable = await journal.durable().then(
        () => true,
        () => false,
      );
      await halted;
      if (stopped || !isDurable) return;
      await session.stop().catch(ended);
      await again();
    });
  };
  let session: Session = await serve(parts, next);
  if (verifier === "noble")
    log.warn("no native verifier on this machine: signatures are verified by the slower reference");
  journal.onCommit((commit) => {
    metrics.committed(commit);
    session.committed();
  });
  journal.onFailure((fault) => {
    log.fatal({ code: fault.code, err: fault.cause }, fault.message);
    session.halt().catch((error: unknown) => log.error({ err: error }, "not all was halted"));
  });
  hsm.onState(({ state, lastFault }) => log.warn({ state, code: lastFault?.code, problem: lastFault?.message }, "HSM"));
  const watched = { report: () => session.report(), metrics };
  const health = config.health === undefined ? undefined : await startHealth(config.health, watched);
  if (health !== undefined) log.info({ at: health.at }, "health and metrics");
  return {
    get fingerprint() {
      return session.fingerprint;
    },
    stop: async () => {
      stopped = true;
      await endAll(
        () => changing,
        () => health?.close(),
        () => session.stop(),
        () => hsm.close(),
        () => journal.close(),
      );
    },
  };
}
