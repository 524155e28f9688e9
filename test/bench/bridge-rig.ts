/** For the bench of the bridge: the bridge as it ships, with agents and members; clients as processes; what a process uses. */
import { type ChildProcess, execFileSync, fork, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fingerprint, thumbprint } from "../../protocol/primitive.ts";
import { type Program, startProgram } from "../harness/program.ts";
import type { Job, Pair } from "./bridge-load.ts";
import { type AgentKeys, makeCard, makeJwk, makeRoster, type PrivateJwk, URL_OF_BRIDGE } from "./bridge-people.ts";
import { type Entry, enter, next } from "./bridge-socket.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const MAIN = fileURLToPath(new URL("../../bridge/main.ts", import.meta.url));
/** More than the connections of any figure. */
const CONNECTIONS = 10_500;

/** An agent and the members on its roster. */
export interface Agent extends AgentKeys {
  readonly id: string;
  readonly card: string;
  readonly members: readonly PrivateJwk[];
}

/** A bridge as it ships, with agents whose rosters are in force. */
export class BenchBridge {
  readonly program: Program;
  readonly port: number;
  readonly agents: readonly Agent[];
  readonly #folder: string;

  constructor(program: Program, port: number, agents: readonly Agent[], folder: string) {
    this.program = program;
    this.port = port;
    this.agents = agents;
    this.#folder = folder;
  }

  static async start(agentCount: number, membersEach: number): Promise<BenchBridge> {
    const folder = mkdtempSync(join(tmpdir(), "bench-bridge-"));
    const agents: Agent[] = [];
    for (let at = 0; at < agentCount; at += 1) {
      const keys = { hsm: makeJwk(), link: makeJwk() };
      const members = Array.from({ length: membersEach }, makeJwk);
      agents.push({ ...keys, id: thumbprint(publicOf(keys.hsm)), card: await makeCard(keys), members });
    }
    const config = {
      url: URL_OF_BRIDGE,
      listen: { host: "127.0.0.1", port: 0 },
      data: "data",
      health: { host: "127.0.0.1", port: 0 },
      connections: CONNECTIONS,
      proxy: { header: "x-forwarded-for", trusted: 1 },
    };
    const path = join(folder, "bridge.json");
    writeFileSync(path, JSON.stringify({ ...config, agents: agents.map(({ id }) => fingerprint(id)) }));
    const program = startProgram(MAIN, ["--config", path]);
    const bridge = new BenchBridge(program, Number((await program.logged("listening"))["port"]), agents, folder);
    for (const agent of agents) {
      const socket = await enter(bridge.asAgent(agent));
      socket.send(JSON.stringify({ v: 1, t: "roster", jws: await makeRoster(agent, agent.members) }));
      await next(socket);
      socket.terminate();
    }
    return bridge;
  }

  /** Of all messages so far, the part that was stored: at once, or because nobody acknowledged it in time. */
  async storedShare(): Promise<number> {
    const port = Number((await this.program.logged("listening"))["health"]);
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const count = (way: string) => Number(new RegExp(`messages_total\\{way="${way}"\\} ([0-9]+)`).exec(text)?.[1]);
    return (count("store") + count("late")) / (count("memory") + count("store"));
  }

  get pid(): number {
    return this.program.process.pid ?? 0;
  }

  asAgent({ link, id, card }: Agent): Entry {
    return { port: this.port, key: link, agent: id, card };
  }

  asMember({ id, members }: Agent, at: number): Entry {
    const key = members[at];
    if (key === undefined) throw new Error("no such member");
    return { port: this.port, key, agent: id, card: null };
  }

  /** From each agent to a member of its own; `online` or away. */
  pairs(count: number, online: boolean, member = 0): Pair[] {
    return this.agents.slice(0, count).map((agent) => {
      const to = this.asMember(agent, member);
      return { from: this.asAgent(agent), to: online ? to : null, address: thumbprint(publicOf(to.key)) };
    });
  }

  async stop(): Promise<void> {
    await this.program.stop(process.env["BENCH_PROF"] ? "SIGTERM" : "SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/**
 * Keeps every core awake with what gives way to anything else: waking a core that sleeps can cost more than a message does, so a
 * flood would seem to help. Returns what ends it.
 */
export function keepAwake(): () => void {
  const idlers = Array.from({ length: availableParallelism() }, () =>
    spawn("chrt", ["--idle", "0", process.execPath, "--eval", "for (;;);"], { stdio: ["ignore", "ignore", "inherit"] }),
  );
  return () => {
    for (const idler of idlers) idler.kill("SIGKILL");
  };
}

/** Clients as a process of their own. */
export class Load {
  readonly #child: ChildProcess = fork(join(HERE, "bridge-load.ts"), { stdio: ["ignore", "ignore", "inherit", "ipc"] });

  /** `isIdle`: it gets what of the processor nobody else wants (SCHED_IDLE; `chrt` is of util-linux). */
  constructor(isIdle = false) {
    if (isIdle) execFileSync("chrt", ["--idle", "--all-tasks", "--pid", "0", String(this.#child.pid)]);
  }

  /** `ready` runs once all are connected and before the first message of a relay. */
  async do(job: Job, ready: () => void = () => undefined): Promise<number[]> {
    this.#child.send(job);
    return await new Promise((resolve, reject) => {
      const onMessage = (message: { figures?: number[]; failed?: string; ready?: boolean }) => {
        if (message.ready === true) {
          ready();
          this.#child.send("go");
          return;
        }
        this.#child.off("message", onMessage);
        if (message.figures === undefined) reject(new Error(message.failed));
        else resolve(message.figures);
      };
      this.#child.on("message", onMessage);
    });
  }

  end(): void {
    this.#child.kill("SIGKILL");
  }
}

function publicOf({ x, y }: PrivateJwk) {
  return { kty: "EC", crv: "P-256", x, y } as const;
}

/** Seconds of CPU that a process has used, all its threads; a tick is 10 ms on Linux. */
export function cpu(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** KiB. */
export function rss(pid: number): number {
  return Number(/^VmRSS:\s+([0-9]+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
export const median = (values: readonly number[]): number => quantile(values, 0.5);
export const sleep = async (ms: number) => await new Promise((resolve) => setTimeout(resolve, ms));
