/** The running agent: opens the record and the HSM, and lets link, control socket and clock drive requests. Wiring only. */
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import * as v from "valibot";
import { Fault, isFault } from "../protocol/error.ts";
import { fingerprint } from "../protocol/primitive.ts";
import { REQUEST } from "../protocol/request.ts";
import { expireRequests } from "./advance.ts";
import { recordedClock } from "./clock.ts";
import { type Config, socketPath } from "./config.ts";
import { type Command, serveControl } from "./control.ts";
import { currentPeople, currentPolicy, type Desk, identityOf } from "./desk.ts";
import { addFileKey, addressOf, confirm, createVault, invite, setPolicy } from "./directory.ts";
import { Driver } from "./driver.ts";
import { type Hsm, openHsm } from "./hsm/owner.ts";
import { type Consequence, receive } from "./inbound.ts";
import { Journal } from "./journal.ts";
import { Link } from "./link.ts";
import { claimSocket } from "./lock.ts";
import { cancel, propose } from "./proposals.ts";
import { OPEN_STATES } from "./requests.ts";
import { type RequestRow } from "./rows.ts";
import { readBack } from "./verify.ts";
import { welcomePerson } from "./welcome.ts";

/** Milliseconds. */
const EXPIRY_CHECK = 1_000;

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

/** Starts everything. @throws Fault ERR_STATE, ERR_AGENT_RUNNING, ERR_HSM_* */
export async function startAgent(config: Config, pin: string, log: Logger): Promise<Agent> {
  const path = journalPath(config);
  await claimSocket(socketPath(config));
  const journal = new Journal(path);
  let hsm: Hsm | undefined;
  try {
    const keyId = journal.meta("identity");
    if (keyId === undefined)
      throw new Fault("ERR_STATE", 'This data folder has no identity yet; run "opencustody init" first.');
    hsm = await openConfiguredHsm(config, pin);
    return await serve(config, log, journal, hsm, keyId);
  } catch (error) {
    // What was opened would keep this process alive without an agent in it.
    await hsm?.close();
    journal.close();
    throw error;
  }
}

async function serve(config: Config, log: Logger, journal: Journal, hsm: Hsm, keyId: string): Promise<Agent> {
  const socket = socketPath(config);
  const identity = identityOf(hsm, await hsm.findKey(keyId));
  if (identity.signer.kid !== journal.meta("thumbprint")) {
    throw new Fault(
      "ERR_STATE",
      "The token holds another identity key than the record names; this is not the token of this agent.",
    );
  }

  const now = recordedClock(journal);
  const desk: Desk = { journal, hsm, identity, bridgeUrl: config.bridge.url, log, now, wake: () => link.wake() };
  const driver = new Driver(desk);
  const link = new Link({
    desk,
    dial: config.bridge.dial ?? config.bridge.url,
    receive: async (from, body) => follow(await receive(desk, from, body)),
  });

  function follow({ requests, roster }: Consequence): void {
    for (const id of requests) driver.drive(id);
    if (roster) link.publishRoster();
  }

  // Read before anything runs that would keep a process with a damaged record alive.
  const unfinished = [...journal.requests(OPEN_STATES).map(({ id }) => id), ...journal.owedReceipts()];
  const server = await serveControl(
    socket,
    async (command) =>
      await run(desk, link, follow, command).catch((error: unknown) => {
        if (!isFault(error)) log.error({ err: error, command: command.command }, "command failed");
        throw error;
      }),
  );
  const timer = setInterval(() => {
    try {
      for (const id of expireRequests(desk)) driver.drive(id);
    } catch (error) {
      log.error({ err: error }, "requests not expired");
    }
  }, EXPIRY_CHECK);
  link.start();
  for (const id of unfinished) driver.drive(id);
  log.info({ fingerprint: fingerprint(identity.signer.kid), socket }, "agent ready");

  return {
    fingerprint: fingerprint(identity.signer.kid),
    stop: async () => {
      clearInterval(timer);
      link.stop();
      server.close();
      server.closeAllConnections();
      await driver.stop();
      await hsm.close();
      journal.close();
    },
  };
}

async function run(
  desk: Desk,
  link: Link,
  follow: (consequence: Consequence) => void,
  command: Command,
): Promise<unknown> {
  const { journal } = desk;
  switch (command.command) {
    case "status":
      return {
        hsm: {
          fingerprint: fingerprint(desk.identity.signer.kid),
          thumbprint: desk.identity.signer.kid,
          state: desk.hsm.state(),
        },
        bridge: { url: desk.bridgeUrl, state: link.state },
        policy: journal.document("policy").n,
        people: journal.document("people").n,
        open: journal.requests(OPEN_STATES).length,
      };
    case "vault.create":
      return await createVault(desk, command.name, command.backup, command.nonces);
    case "vault.list":
      return journal.vaults().map((vault) => ({ ...vault, address: addressOf(vault) }));
    case "invite": {
      const made = await invite(desk, command.name, command.roles, command.hours);
      link.publishRoster();
      return made;
    }
    case "members.list":
      return {
        members: currentPeople(journal).members.map(({ name, roles, extensions, files, devices }) => ({
          name,
          roles,
          extensions: extensions.length,
          files: files.length,
          devices,
        })),
        invites: journal
          .invites()
          .filter(({ exp }) => exp > desk.now())
          .map(({ name, roles, exp }) => ({ name, roles, exp })),
      };
    case "members.add": {
      const requests = addFileKey(desk, command.name, command.roles, command.key);
      follow({ requests, roster: true });
      return { name: command.name, voided: requests };
    }
    case "members.confirm": {
      const requests = confirm(desk, command.name, command.address);
      follow({ requests, roster: false });
      await welcomePerson(desk, command.name);
      return { name: command.name, address: command.address, voided: requests };
    }
    case "policy.show":
      return { ...currentPolicy(journal), digest: journal.document("policy").digest };
    case "policy.set": {
      const { n, digest, voided } = setPolicy(desk, command.policy);
      follow({ requests: voided, roster: false });
      return { n, digest, voided };
    }
    case "request.propose": {
      const proposed = await propose(desk, command.jws);
      follow({ requests: [proposed.request], roster: false });
      return proposed;
    }
    case "request.cancel": {
      const id = await cancel(desk, command.jws);
      follow({ requests: [id], roster: false });
      return showRequest(desk, id);
    }
    case "request.list":
      return journal.requests().map((row) => summarise(row));
    case "request.show":
      return showRequest(desk, command.id);
  }
}

function summarise(row: RequestRow) {
  const payload = v.parse(REQUEST.schema, JSON.parse(row.payload));
  const { amount, asset, to } = payload.effect;
  const { id, state, vault, network, nonce, initiator, expires, hash } = row;
  return { id, state, amount, asset, to, vault, network, nonce, initiator, expires, hash };
}

function showRequest(desk: Desk, id: string) {
  const row = desk.journal.request(id);
  if (row === undefined)
    throw new Fault("ERR_REQUEST_UNKNOWN", `There is no request ${id}; see "opencustody request list".`);
  const { statement, payload } = readBack(row);
  return {
    ...summarise(row),
    digest: row.digest,
    statement,
    threshold: payload.quorum.threshold,
    approvers: payload.quorum.people,
    records: desk.journal.records(id).map(({ jws: _jws, of: _of, ...record }) => record),
    problem: row.problem,
    signed: row.signed,
  };
}
