/**
 * How the agent is: for `opencustody status`, for /healthz and for the metrics, from one place. Reads only, and never the whole history.
 * README.md, "Health and metrics".
 */
import { fingerprint } from "../protocol/primitive.ts";
import type { Desk } from "./desk.ts";
import { missingFounders } from "./founding.ts";
import type { HealthReport } from "./health.ts";
import type { Link } from "./link.ts";
import type { Levels } from "./metrics.ts";
import { OPEN_STATES } from "./requests.ts";
import { lastCheckpoint } from "./showing.ts";

type LinkState = Pick<Link, "state">;

/** What `opencustody status` prints (StatusViewSchema of print.ts). */
export function statusOf(desk: Desk, link: LinkState) {
  const { journal, identity, charter, witnesses } = desk;
  const { current } = charter;
  const { state, since, lastFault } = desk.hsm.health();
  const { behind, restoredAt } = witnesses;
  return {
    hsm: {
      fingerprint: fingerprint(identity.signer.kid),
      thumbprint: identity.signer.kid,
      state,
      since: Math.floor(since / 1000),
      problem: state === "up" ? null : (lastFault?.message ?? null),
    },
    bridge: { url: desk.bridgeUrl, state: link.state },
    record: { problem: journal.failure?.message ?? null },
    log: { size: journal.logSize(), checkpoint: lastCheckpoint(journal)?.size ?? 0 },
    witnesses: { needed: witnesses.needed, seen: witnesses.seen },
    behind: behind === null ? null : { ...behind, from: witnesses.base?.size ?? 0 },
    restoredAt,
    founded: current !== null,
    act: current?.n ?? 0,
    policy: current?.policy.n ?? null,
    people: current?.people.n ?? null,
    open: journal.requests(OPEN_STATES).length,
    clock: { inDoubtSince: desk.clockInDoubt() },
    frozen: journal.freezes().map(({ vault, by, at }) => ({ vault, by, at })),
    waitingFor: current === null ? waitingFor(desk) : [],
  };
}

/** What /healthz says. */
export function reportOf(desk: Desk, link: LinkState): HealthReport {
  const { journal, witnesses } = desk;
  const log = witnesses.behind !== null ? "behind" : witnesses.restoredAt !== null ? "restored" : "ok";
  return {
    record: journal.failure === null ? "ok" : "failed",
    hsm: desk.hsm.state(),
    bridge: link.state,
    clock: desk.clockInDoubt() === null ? "ok" : "in doubt",
    log,
    witnesses: { needed: witnesses.needed, seen: witnesses.seen },
  };
}

/** What /metrics says of this moment. */
export function levelsOf(desk: Desk, link: LinkState): Levels {
  const { journal, witnesses } = desk;
  const { state, since, restarts } = desk.hsm.health();
  const downSeconds = state === "up" ? 0 : Math.max(0, Date.now() - since) / 1000;
  const open = journal.requests(OPEN_STATES);
  const counted = OPEN_STATES.map((one) => [one, open.filter((row) => row.state === one).length] as const);
  const frozen = new Set(journal.freezes().map(({ vault }) => vault));
  return {
    requests: Object.fromEntries(counted),
    logEntries: journal.logSize(),
    outbox: journal.countWaiting("outbox"),
    owed: journal.countWaiting("owed") + journal.countWaiting("owed_views"),
    hsm: { up: state === "up", downSeconds, restarts },
    bridgeOnline: link.state === "online",
    clockInDoubt: desk.clockInDoubt() !== null,
    recordFailed: journal.failure !== null,
    witnesses: { needed: witnesses.needed, seen: witnesses.seen },
    frozenVaults: frozen.has(null) ? (desk.charter.current?.policy.vaults.length ?? 0) : frozen.size,
  };
}

/** Who still has to pair, or, once everybody has, to sign the founding. */
function waitingFor(desk: Desk): string[] {
  const missing = missingFounders(desk);
  if (missing.length > 0) return missing;
  const row = desk.journal.requests(OPEN_STATES).find(({ verb }) => verb === "FOUND");
  const signed = row === undefined ? [] : desk.journal.records(row.id).map(({ person }) => person);
  return desk.journal
    .pairings()
    .map(({ name }) => name)
    .filter((name) => !signed.includes(name));
}
