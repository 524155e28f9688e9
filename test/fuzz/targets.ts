/** Everything that is fuzzed: each parser of something that comes from outside, and how many of a million inputs it gets. */
import type { Target } from "./target.ts";

export interface Entry {
  readonly name: string;
  /** Of a million inputs; what talks to a process or verifies many signatures gets fewer. */
  readonly inputs: number;
  readonly open: () => Promise<Target>;
}

/** Each file is loaded by the target that needs it. */
export const ENTRIES: readonly Entry[] = [
  entry("client-frame", 70_000, async () => (await import("./targets/frame.ts")).frames("client")),
  entry("bridge-frame", 70_000, async () => (await import("./targets/frame.ts")).frames("bridge")),
  entry("invite", 60_000, async () => (await import("./targets/frame.ts")).invites()),
  entry("envelope", 60_000, async () => (await import("./targets/envelope.ts")).envelopes()),
  entry("envelope-signed", 60_000, async () => (await import("./targets/envelope.ts")).signedEnvelopes()),
  entry("seal", 40_000, async () => await (await import("./targets/seal.ts")).seals()),
  entry("seal-inside", 20_000, async () => await (await import("./targets/seal.ts")).sealedAnything()),
  entry("request", 60_000, async () => (await import("./targets/request.ts")).requests()),
  entry("request-inspected", 30_000, async () => (await import("./targets/request.ts")).inspected()),
  entry("charter", 15_000, async () => await (await import("./targets/charter.ts")).acts()),
  entry("restore", 20_000, async () => (await import("./targets/request.ts")).restores()),
  entry("checkpoint", 40_000, async () => (await import("./targets/log.ts")).checkpoints()),
  entry("log-entry", 40_000, async () => (await import("./targets/log.ts")).entries()),
  entry("view", 30_000, async () => await (await import("./targets/log.ts")).views()),
  entry("proof", 4_000, async () => (await import("./targets/proof.ts")).proofs()),
  entry("policy", 50_000, async () => (await import("./targets/document.ts")).policies()),
  entry("founding", 50_000, async () => (await import("./targets/document.ts")).foundings()),
  entry("bridge-config", 50_000, async () => (await import("./targets/document.ts")).bridgeConfigs()),
  entry("agent-config", 40_000, async () => (await import("./targets/document.ts")).agentConfigs()),
  entry("key-file", 20_000, async () => (await import("./targets/document.ts")).keyFiles()),
  entry("name", 50_000, async () => (await import("./targets/value.ts")).names()),
  entry("amount", 50_000, async () => (await import("./targets/value.ts")).amounts()),
  entry("words", 30_000, async () => (await import("./targets/value.ts")).words()),
  entry("device-signature", 10_000, async () => (await import("./targets/value.ts")).deviceSignatures()),
  entry("transaction-agent", 30_000, async () => (await import("./targets/ethereum.ts")).transactions("agent")),
  entry("transaction-extension", 30_000, async () => (await import("./targets/ethereum.ts")).transactions("extension")),
  entry("transaction-both", 40_000, async () => (await import("./targets/ethereum.ts")).transactions("both")),
  entry("ledger", 15_000, async () => (await import("./targets/device.ts")).ledgers()),
  entry("trezor", 10_000, async () => (await import("./targets/device.ts")).trezors()),
  entry("hsm-wire", 20_000, async () => (await import("./targets/wire.ts")).wires()),
  entry("agent-inbound", 8_000, async () => await (await import("./targets/agent.ts")).inbound()),
  entry("control-socket", 6_000, async () => await (await import("./targets/control.ts")).controls()),
  entry("bridge-upgrade", 3_000, async () => await (await import("./targets/bridge.ts")).upgrades()),
  entry("bridge-socket", 3_000, async () => await (await import("./targets/bridge.ts")).firstFrames()),
];

function entry(name: string, inputs: number, open: () => Promise<Target>): Entry {
  return { name, inputs, open };
}

/** The inputs of each target where there are `total` in all; at least one each. */
export function shares(total: number): Map<string, number> {
  const whole = ENTRIES.reduce((sum, { inputs }) => sum + inputs, 0);
  return new Map(ENTRIES.map(({ name, inputs }) => [name, Math.max(1, Math.round((inputs * total) / whole))]));
}
