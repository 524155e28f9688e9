/**
 * The bridge against a bare `ws` echo of the same sizes, per second of the server's CPU; memory of idle connections; what a flood
 * does to the others; growth with what is stored. Real processes, real logins, online receivers that acknowledge. Prints; asserts nothing.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startProgram } from "../harness/program.ts";
import type { Job } from "./bridge-load.ts";
import { BenchBridge, cpu, keepAwake, Load, median, quantile, rss, sleep } from "./bridge-rig.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
/** Sender and receiver each on a connection of its own; as many frames under way as the agent's link has. */
const PAIRS = 32;
const FLIGHT = 64;
const BODY = 1_024;
/** Of the `send` frame around a body. */
const ENVELOPE = '{"v":1,"t":"send","id":"","to":"","body":""}'.length + 22 + 43;
const MESSAGES = 3_500;
const ROUNDS = 5;
const IDLE = 10_000;
const SAMPLES = 150;
/** Quiet and flooded in turn. */
const FLOODS = 4;

/** Messages for a second of the server's CPU. */
async function rateOf(load: Load, pid: number, job: Job): Promise<number> {
  // An agent's rate outlives its connection: as much as one of these jobs sends may be sent again after two seconds.
  if (job.do === "relay") await sleep(2_500);
  let before = cpu(pid);
  const [messages = 0] = await load.do(job, () => {
    before = cpu(pid);
  });
  return messages / (cpu(pid) - before);
}

async function measureRatio(): Promise<Record<string, number>> {
  const bridge = await BenchBridge.start(PAIRS, 1);
  const echo = startProgram(join(HERE, "echo-server.mjs"), []);
  const load = new Load();
  try {
    const port = Number((await echo.logged("listening"))["port"]);
    const pid = echo.process.pid ?? 0;
    const plain: Job = {
      do: "echo",
      port,
      sockets: PAIRS,
      flight: FLIGHT,
      length: BODY + ENVELOPE,
      messages: MESSAGES,
    };
    const relay = {
      do: "relay",
      pairs: bridge.pairs(PAIRS, true),
      flight: FLIGHT,
      body: BODY,
      messages: MESSAGES,
    } as const;
    const [bare, turn, each]: [number[], number[], number[]] = [[], [], []];
    for (let round = 0; round <= ROUNDS; round += 1) {
      const rates = [
        await rateOf(load, pid, plain),
        await rateOf(load, bridge.pid, { ...relay, acks: "turn" }),
        await rateOf(load, bridge.pid, { ...relay, acks: "each" }),
      ];
      // The first warms both up.
      if (round > 0) for (const [at, rate] of rates.entries()) [bare, turn, each][at]?.push(rate);
    }
    return {
      bare_ws_per_cpu_second: median(bare),
      bridge_per_cpu_second: median(turn),
      bridge_ratio: median(turn.map((rate, at) => rate / (bare[at] ?? Number.NaN))),
      bridge_stored_share: await bridge.storedShare(),
      bridge_ratio_each_acknowledged: median(each.map((rate, at) => rate / (bare[at] ?? Number.NaN))),
    };
  } finally {
    load.end();
    await echo.stop("SIGKILL");
    await bridge.stop();
  }
}

async function measureIdle(): Promise<Record<string, number>> {
  const bridge = await BenchBridge.start(5, 500);
  const loads = [new Load(), new Load()];
  try {
    await sleep(1_000);
    const before = rss(bridge.pid);
    const entries = bridge.agents.flatMap((agent) =>
      Array.from({ length: (IDLE / 5) | 0 }, (_, at) => bridge.asMember(agent, at % 500)),
    );
    const half = entries.length / 2;
    await Promise.all(
      loads.map((load, at) => load.do({ do: "idle", entries: entries.slice(at * half, (at + 1) * half) })),
    );
    // Longer than a heartbeat: with what answering it takes.
    await sleep(25_000);
    return { idle_connections: entries.length, idle_connection_kib: (rss(bridge.pid) - before) / entries.length };
  } finally {
    for (const load of loads) load.end();
    await bridge.stop();
  }
}

async function measureFlood(): Promise<Record<string, number>> {
  const bridge = await BenchBridge.start(1, 3);
  const letSleep = keepAwake();
  // Whoever floods has a machine of their own: here they share two cores with those whom the figure is about.
  const [load, flood] = [new Load(), new Load(true)];
  try {
    const [own] = bridge.agents;
    if (own === undefined) throw new Error("an agent");
    // The agent gets the flood, as far as it is let through, and one member's messages between.
    const pair = { from: bridge.asMember(own, 2), to: bridge.asAgent(own), address: own.id };
    const sample = async () => await load.do({ do: "latency", pair, samples: SAMPLES, pause: 22 });
    const floods: readonly [string, Job][] = [
      ["member", { do: "flood-member", entry: bridge.asMember(own, 1), address: own.id }],
      ["strangers", { do: "flood-strangers", port: bridge.port, atOnce: 32 }],
    ];
    const figures: Record<string, number> = {};
    await sample();
    for (const [name, job] of floods) {
      const [quiet, loud]: [number[], number[]] = [[], []];
      for (let round = 0; round < FLOODS; round += 1) {
        quiet.push(...(await sample()));
        await flood.do(job);
        const before = cpu(bridge.pid);
        const began = performance.now();
        loud.push(...(await sample()));
        figures[`flood_cpu_share_${name}`] = (1_000 * (cpu(bridge.pid) - before)) / (performance.now() - began);
        await flood.do({ do: "stop" });
        await sleep(500);
      }
      figures["quiet_latency_ms"] = median(quiet);
      // Of all rounds together: the slowest twentieth of one round is too few to say anything.
      for (const part of [0.5, 0.95])
        figures[`flood_latency_ratio_${name}_p${100 * part}`] = quantile(loud, part) / quantile(quiet, part);
    }
    const all = Object.entries(figures).filter(([name]) => name.startsWith("flood_"));
    return { ...figures, flood_latency_ratio: Math.max(...all.map(([, ratio]) => ratio)) };
  } finally {
    load.end();
    flood.end();
    letSleep();
    await bridge.stop();
  }
}

/** Cost of a stored and of a held message with 100, 1,000 and 10,000 messages in the store. */
async function measureGrowth(): Promise<Record<string, number>> {
  const bridge = await BenchBridge.start(10, 22);
  const load = new Load();
  try {
    const fill = async (member: number, messages: number) =>
      await load.do({
        do: "relay",
        pairs: bridge.pairs(10, false, member),
        flight: 32,
        body: BODY,
        messages,
        acks: "turn",
      });
    const costs: { stored: number; held: number }[] = [];
    let next = 2;
    for (const [members, each] of [
      [1, 10],
      [1, 90],
      [10, 90],
    ] as const) {
      for (let at = 0; at < members; at += 1) await fill(next++, each);
      const stored: Job = {
        do: "relay",
        pairs: bridge.pairs(10, false, next++),
        flight: 32,
        body: BODY,
        messages: 200,
        acks: "turn",
      };
      const held: Job = {
        do: "relay",
        pairs: bridge.pairs(10, true),
        flight: FLIGHT,
        body: BODY,
        messages: 1_500,
        acks: "turn",
      };
      await rateOf(load, bridge.pid, held);
      costs.push({
        stored: 1 / (await rateOf(load, bridge.pid, stored)),
        held: 1 / (await rateOf(load, bridge.pid, held)),
      });
    }
    const [one, ten, hundred] = costs;
    if (one === undefined || ten === undefined || hundred === undefined) throw new Error("three sizes");
    return {
      stored_message_cpu_us: one.stored * 1e6,
      bridge_growth_stored_10x: ten.stored / one.stored,
      bridge_growth_stored_100x: hundred.stored / one.stored,
      bridge_growth_held_10x: ten.held / one.held,
      bridge_growth_held_100x: hundred.held / one.held,
    };
  } finally {
    load.end();
    await bridge.stop();
  }
}

/** Ratios, KiB and microseconds; and the same in sentences. */
export async function measure(): Promise<{ lines: string[]; figures: Record<string, number> }> {
  const figures = {
    ...(await measureRatio()),
    ...(await measureIdle()),
    ...(await measureFlood()),
    ...(await measureGrowth()),
  };
  const lines = Object.entries(figures).map(([name, value]) => `${name} ${value.toPrecision(4)}`);
  return { lines, figures };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const part = process.argv[2];
  const parts: Record<string, () => Promise<unknown>> = {
    ratio: measureRatio,
    idle: measureIdle,
    flood: measureFlood,
    growth: measureGrowth,
  };
  process.stdout.write(`${JSON.stringify(await (parts[part ?? ""] ?? measure)(), null, 2)}\n`);
}
