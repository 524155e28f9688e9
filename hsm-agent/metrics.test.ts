import { register } from "prom-client";
import { expect, test } from "vitest";
import { type Levels, Metrics } from "./metrics.ts";

const QUIET: Levels = {
  requests: { pending: 0, approved: 0 },
  logEntries: 0,
  outbox: 0,
  owed: 0,
  hsm: { up: true, downSeconds: 0, restarts: 0 },
  bridgeOnline: true,
  clockInDoubt: false,
  recordFailed: false,
  witnesses: { needed: 2, seen: 2 },
  frozenVaults: 0,
};

/** The lines with a value, without the buckets. */
async function values(metrics: Metrics): Promise<string[]> {
  const text = await metrics.text();
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#") && !line.includes("_bucket"));
}

test("levels are read at each scrape, and nothing of the last one stays", async () => {
  let levels = QUIET;
  const metrics = new Metrics(() => levels);
  expect(await values(metrics)).toEqual([
    "opencustody_signature_seconds_sum 0",
    "opencustody_signature_seconds_count 0",
    "opencustody_checkpoints_signed_total 0",
    "opencustody_commit_seconds_sum 0",
    "opencustody_commit_seconds_count 0",
    "opencustody_commit_transactions_sum 0",
    "opencustody_commit_transactions_count 0",
    'opencustody_requests{state="pending"} 0',
    'opencustody_requests{state="approved"} 0',
    "opencustody_hsm_restarts_total 0",
    "opencustody_log_entries 0",
    "opencustody_outbox_messages 0",
    "opencustody_owed_messages 0",
    "opencustody_hsm_up 1",
    "opencustody_hsm_down_seconds 0",
    "opencustody_bridge_online 1",
    "opencustody_clock_in_doubt 0",
    "opencustody_record_failed 0",
    "opencustody_witnesses_needed 2",
    "opencustody_witnesses_seen 2",
    "opencustody_vaults_frozen 0",
  ]);
  levels = {
    requests: { pending: 3 },
    logEntries: 100_000,
    outbox: 4,
    owed: 5,
    hsm: { up: false, downSeconds: 61.5, restarts: 7 },
    bridgeOnline: false,
    clockInDoubt: true,
    recordFailed: true,
    witnesses: { needed: 3, seen: 1 },
    frozenVaults: 2,
  };
  for (const _ of [1, 2])
    expect((await values(metrics)).slice(7)).toEqual([
      'opencustody_requests{state="pending"} 3',
      "opencustody_hsm_restarts_total 7",
      "opencustody_log_entries 100000",
      "opencustody_outbox_messages 4",
      "opencustody_owed_messages 5",
      "opencustody_hsm_up 0",
      "opencustody_hsm_down_seconds 61.5",
      "opencustody_bridge_online 0",
      "opencustody_clock_in_doubt 1",
      "opencustody_record_failed 1",
      "opencustody_witnesses_needed 3",
      "opencustody_witnesses_seen 1",
      "opencustody_vaults_frozen 2",
    ]);
});

test("what happened is counted and timed", async () => {
  const metrics = new Metrics(() => QUIET);
  metrics.signed("vault", 0.003);
  metrics.signed("identity", 0.5);
  metrics.signed("vault", 0.25);
  metrics.checkpointSigned();
  metrics.committed({ seconds: 0.002, transactions: 7 });
  metrics.committed({ seconds: 0.25, transactions: 1 });
  const text = await metrics.text();
  expect((await values(metrics)).slice(0, 9)).toEqual([
    'opencustody_signatures_total{key="vault"} 2',
    'opencustody_signatures_total{key="identity"} 1',
    "opencustody_signature_seconds_sum 0.753",
    "opencustody_signature_seconds_count 3",
    "opencustody_checkpoints_signed_total 1",
    "opencustody_commit_seconds_sum 0.252",
    "opencustody_commit_seconds_count 2",
    "opencustody_commit_transactions_sum 8",
    "opencustody_commit_transactions_count 2",
  ]);
  expect(text).toContain('opencustody_commit_seconds_bucket{le="0.0025"} 1\n');
  expect(text).toContain('opencustody_commit_transactions_bucket{le="5"} 1\n');
  expect(text).toContain('opencustody_signature_seconds_bucket{le="0.25"} 2\n');
});

test("each has a type and a help text, all labels are of closed sets, and the process's own registry stays empty", async () => {
  const metrics = new Metrics(() => QUIET);
  metrics.signed("vault", 1);
  const lines = (await metrics.text()).split("\n");
  const names = new Set(
    lines.filter((line) => line !== "" && !line.startsWith("#")).map((line) => line.split(/[{ ]/)[0]),
  );
  const families = [...names].map((name) => name?.replace(/_(bucket|sum|count)$/, ""));
  for (const family of families) {
    expect(lines.filter((line) => line.startsWith(`# HELP ${family} `))).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith(`# TYPE ${family} `))).toHaveLength(1);
  }
  const labels = lines.flatMap((line) => [...line.matchAll(/([a-z]+)="/g)].map(([, label]) => label));
  expect(new Set(labels)).toEqual(new Set(["key", "le", "state"]));
  expect(register.getMetricsAsArray()).toEqual([]);
  expect(metrics.contentType).toMatch(/^text\/plain; version=0\.0\.4/);
});

test("two agents of one process do not meet", async () => {
  const [one, other] = [new Metrics(() => QUIET), new Metrics(() => QUIET)];
  one.checkpointSigned();
  expect(await other.text()).toContain("opencustody_checkpoints_signed_total 0\n");
});
