/**
 * What the bridge counts, as text for Prometheus: numbers of all together, read when they are asked for. No keys, no
 * addresses, nothing by receiver. protocol/README.md, "Bridge".
 */
import { Counter, Gauge, Registry } from "prom-client";
import type { Health } from "./health.ts";

/** `all`, `held`: messages waiting, and those in memory. `late`: held first, then stored. Counts are since the start. */
export interface Figures extends Health {
  readonly all: number;
  readonly held: number;
  readonly heldBytes: number;
  readonly read: number;
  readonly written: number;
  readonly inMemory: number;
  readonly stored: number;
  readonly late: number;
  readonly commits: number;
}

export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
}

const PREFIX = "opencustody_bridge_";

/** @param measure is asked once for each answer */
export function makeMetrics(measure: () => Figures): Metrics {
  const registry = new Registry();
  const gauge = (name: string, help: string) =>
    new Gauge({ name: PREFIX + name, help, labelNames: ["where"], registers: [registry] });
  const counter = (name: string, help: string) =>
    new Counter({ name: PREFIX + name, help, labelNames: ["way"], registers: [registry] });
  const connections = gauge("connections", "Open WebSocket connections.");
  const agents = gauge("agents_online", "Agents that are connected.");
  const waiting = gauge("messages_waiting", "Messages without an acknowledgement.");
  const heldBytes = gauge("memory_bytes", "Bytes of the bodies of messages in memory.");
  const failed = gauge("store_failed", "1 once a write or a commit has failed: the bridge ends.");
  const frames = counter("frames_total", "Frames read and written.");
  const messages = counter(
    "messages_total",
    "Messages taken into memory, into the store, and moved from memory to the store.",
  );
  const commits = counter("commits_total", "Transactions made durable.");
  return {
    contentType: registry.contentType,
    text: async () => {
      const now = measure();
      connections.set(now.connections);
      agents.set(now.agentsOnline);
      waiting.set({ where: "memory" }, now.held);
      waiting.set({ where: "store" }, now.all - now.held);
      heldBytes.set(now.heldBytes);
      failed.set(now.storeFailed === true ? 1 : 0);
      for (const one of [frames, messages, commits]) one.reset();
      frames.inc({ way: "read" }, now.read);
      frames.inc({ way: "written" }, now.written);
      messages.inc({ way: "memory" }, now.inMemory);
      messages.inc({ way: "store" }, now.stored);
      messages.inc({ way: "late" }, now.late);
      commits.inc(now.commits);
      return await registry.metrics();
    },
  };
}
