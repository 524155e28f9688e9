/**
 * The agent's figures for Prometheus: how many and how long, never who, which vault or what for. Levels are read when somebody asks.
 * Whether the agent is well is health.ts. README.md, "Health and metrics". The only file of the agent that imports prom-client.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { RequestState } from "../protocol/message.ts";
import type { Commit } from "./store.ts";

/** What holds at the moment of a scrape. */
export interface Levels {
  /** How many are in each state; a state that is not named has no line. */
  readonly requests: Readonly<Partial<Record<RequestState, number>>>;
  readonly logEntries: number;
  /** Messages signed and not yet taken by the bridge, and messages still to be signed. */
  readonly outbox: number;
  readonly owed: number;
  /** Seconds since it went down, 0 while it is up; and how often its process was started again. */
  readonly hsm: { readonly up: boolean; readonly downSeconds: number; readonly restarts: number };
  readonly bridgeOnline: boolean;
  readonly clockInDoubt: boolean;
  readonly recordFailed: boolean;
  /** People who have shown what they know of the log since the start. */
  readonly witnesses: { readonly needed: number; readonly seen: number };
  readonly frozenVaults: number;
}

/** Whose key signed. */
export type SigningKey = "vault" | "identity";

const SIGNATURE_SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const COMMIT_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const COMMIT_TRANSACTIONS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

export class Metrics {
  readonly contentType: string;
  readonly #levels: () => Levels;
  // Not the library's own registry, which anything in the process may add to.
  readonly #registry = new Registry();
  readonly #signatures = new Counter({
    ...this.#named("signatures_total", "Signatures that the HSM made and that were verified, by whose key made them."),
    labelNames: ["key"],
  });
  readonly #signatureSeconds = new Histogram({
    ...this.#named("signature_seconds", "From asking the HSM for a signature until it was verified."),
    buckets: SIGNATURE_SECONDS,
  });
  readonly #checkpoints = new Counter(
    this.#named("checkpoints_signed_total", "Checkpoints of the log that the HSM signed."),
  );
  readonly #commitSeconds = new Histogram({
    ...this.#named("commit_seconds", "How long the record's commits took, fsync included."),
    buckets: COMMIT_SECONDS,
  });
  readonly #commitTransactions = new Histogram({
    ...this.#named("commit_transactions", "How many transactions one commit made durable."),
    buckets: COMMIT_TRANSACTIONS,
  });
  readonly #requests = new Gauge({ ...this.#named("requests", "Requests by state."), labelNames: ["state"] });
  readonly #restarts = new Counter(this.#named("hsm_restarts_total", "How often the HSM's process was started again."));
  readonly #gauges: readonly (readonly [Gauge, (levels: Levels) => number | boolean])[] = [
    [this.#gauge("log_entries", "Entries of the log."), ({ logEntries }) => logEntries],
    [this.#gauge("outbox_messages", "Messages that the bridge has not taken yet."), ({ outbox }) => outbox],
    [this.#gauge("owed_messages", "Messages that are still to be signed."), ({ owed }) => owed],
    [this.#gauge("hsm_up", "1 while the HSM can be used."), ({ hsm }) => hsm.up],
    [
      this.#gauge("hsm_down_seconds", "Since when the HSM cannot be used; 0 while it can."),
      ({ hsm }) => hsm.downSeconds,
    ],
    [this.#gauge("bridge_online", "1 while the agent is logged in to the bridge."), ({ bridgeOnline }) => bridgeOnline],
    [this.#gauge("clock_in_doubt", "1 until a person confirms the clock."), ({ clockInDoubt }) => clockInDoubt],
    [this.#gauge("record_failed", "1 once the record could not be written."), ({ recordFailed }) => recordFailed],
    [this.#gauge("witnesses_needed", "People who must show the log they know."), ({ witnesses }) => witnesses.needed],
    [this.#gauge("witnesses_seen", "People who have, since the start."), ({ witnesses }) => witnesses.seen],
    [this.#gauge("vaults_frozen", "Vaults that are frozen."), ({ frozenVaults }) => frozenVaults],
  ];

  /** `levels` is called once for each scrape. */
  constructor(levels: () => Levels) {
    this.#levels = levels;
    this.contentType = this.#registry.contentType;
  }

  /** The HSM made a signature, which was verified; `seconds` from asking on. */
  signed(key: SigningKey, seconds: number): void {
    this.#signatures.inc({ key });
    this.#signatureSeconds.observe(seconds);
  }

  checkpointSigned(): void {
    this.#checkpoints.inc();
  }

  /** For `Store.onCommit`. */
  committed({ seconds, transactions }: Commit): void {
    this.#commitSeconds.observe(seconds);
    this.#commitTransactions.observe(transactions);
  }

  /** All figures in Prometheus' text form. Throws what `levels` throws. */
  async text(): Promise<string> {
    const levels = this.#levels();
    this.#requests.reset();
    for (const [state, count] of Object.entries(levels.requests)) this.#requests.set({ state }, count);
    this.#restarts.reset();
    this.#restarts.inc(levels.hsm.restarts);
    for (const [gauge, read] of this.#gauges) gauge.set(Number(read(levels)));
    return await this.#registry.metrics();
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge(this.#named(name, help));
  }

  #named(name: string, help: string): { name: string; help: string; registers: Registry[] } {
    return { name: `opencustody_${name}`, help, registers: [this.#registry] };
  }
}
