/**
 * The processes of a world that are killed: agent, bridge, and the PKCS#11 server that SoftHSM runs behind. The agent's disk fails on
 * demand (fsync-faults.ts) and loses what was not synced (power.ts).
 */
import { type ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Vault } from "../../protocol/policy.ts";
import { FaultyDisk } from "../harness/fsync-faults.ts";
import { type P11Kit, startP11Kit } from "../harness/p11-kit.ts";
import { type Program, startProgram } from "../harness/program.ts";
import type { World } from "../harness/world.ts";
import { Power } from "./power.ts";

const INJECT = fileURLToPath(new URL("inject.ts", import.meta.url));

export type Part = "agent" | "bridge";

const PROGRAMS = {
  agent: { file: "hsm-agent/main.ts", config: "opencustody.json", args: ["agent"], ready: "agent ready" },
  bridge: { file: "bridge/main.ts", config: "bridge.json", args: [], ready: "listening" },
} as const;

export class Plant {
  readonly world: World;
  readonly disk: FaultyDisk;
  readonly server: P11Kit;
  readonly #power: Power;
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #running = new Map<Part, Program>();

  private constructor(parts: {
    world: World;
    disk: FaultyDisk;
    server: P11Kit;
    power: Power;
    folder: string;
    vault: string;
  }) {
    this.world = parts.world;
    this.disk = parts.disk;
    this.server = parts.server;
    this.#power = parts.power;
    this.#folder = parts.folder;
    this.#env = { ...process.env, ...parts.world.token.env, CRASH_VAULT: parts.vault };
  }

  /** Takes over a founded world: its agent and bridge are ended and started anew, under control. */
  static async open(world: World): Promise<Plant> {
    const folder = join(world.folder, "crash");
    mkdirSync(folder);
    const { vaults } = await world.ask<{ vaults: Vault[] }>({ command: "policy.show", n: null });
    // Once, so that its configuration names the port.
    await world.restartBridge();
    await world.agent().stop("SIGTERM");
    await world.bridge().stop("SIGTERM");
    const data = join(world.folder, "agent");
    const disk = new FaultyDisk(folder, data);
    const power = new Power(folder, data, "agent.db");
    const server = await startP11Kit(world.token, world.folder);
    const plant = new Plant({ world, disk, server, power, folder, vault: vaults[0]?.id ?? "" });
    try {
      const config = JSON.parse(readFileSync(world.configFile, "utf8")) as { hsm: object };
      writeFileSync(world.configFile, JSON.stringify({ ...config, hsm: { ...config.hsm, module: server.module } }));
      await plant.start("bridge");
      await plant.start("agent");
    } catch (error) {
      await plant.dispose();
      throw error;
    }
    return plant;
  }

  /** The agent's data folder. */
  get data(): string {
    return join(this.world.folder, "agent");
  }

  program(part: Part): Program {
    const program = this.#running.get(part);
    if (program === undefined) throw new Error(`the ${part} was never started`);
    return program;
  }

  isAlive(part: Part): boolean {
    const { exitCode, signalCode } = this.program(part).process;
    return exitCode === null && signalCode === null;
  }

  /** Starts a part that is not running. False where it ended before it was ready, as an armed one may. */
  async start(part: Part): Promise<boolean> {
    const { file, config, args, ready } = PROGRAMS[part];
    for (const name of ["arm", "hits"]) this.#touch(part, name);
    const own = { CRASH_ARM: this.#file(part, "arm"), CRASH_HITS: this.#file(part, "hits") };
    const loaded = { ...this.#env, ...own, NODE_OPTIONS: `${process.env["NODE_OPTIONS"] ?? ""} --import=${INJECT}` };
    const env = part === "agent" ? this.#power.env(this.disk.env({ ...loaded, ...this.server.env })) : loaded;
    const program = startProgram(file, ["--config", join(this.world.folder, config), ...args], env);
    this.#running.set(part, program);
    return await Promise.race([
      program.logged(ready).then(
        () => true,
        () => false,
      ),
      ended(program.process).then(() => false),
    ]);
  }

  /** From now on, or at its start where it is not running, a part ends itself at the `nth` time that it comes to a point. */
  arm(part: Part, point: string, nth: number): void {
    writeFileSync(this.#file(part, "arm"), JSON.stringify({ point, nth }));
    if (this.#running.has(part) && this.isAlive(part)) this.program(part).process.kill("SIGUSR2");
  }

  disarm(part: Part): void {
    writeFileSync(this.#file(part, "arm"), "");
  }

  /** The points at which a part ended itself so far. */
  hits(part: Part): string[] {
    return readFileSync(this.#file(part, "hits"), "utf8").split("\n").slice(0, -1);
  }

  /** True once a part has ended; false where it has not within so many milliseconds. */
  async gone(part: Part, patience: number): Promise<boolean> {
    const late = new Promise<false>((resolve) => setTimeout(resolve, patience, false).unref());
    return await Promise.race([ended(this.program(part).process).then(() => true), late]);
  }

  /** Resolves when it is gone. */
  async kill(part: Part): Promise<void> {
    await this.program(part).stop("SIGKILL");
  }

  /** After the agent's end: what was not synced is lost, or, without a power cut, is not. Returns how many writes were. */
  afterKill(powerCut: boolean): number {
    if (powerCut) return this.#power.cut();
    this.#power.forget();
    return 0;
  }

  async dispose(): Promise<void> {
    for (const program of this.#running.values()) await program.stop("SIGKILL");
    await this.server.dispose();
  }

  #file(part: Part, name: string): string {
    return join(this.#folder, `${part}.${name}`);
  }

  #touch(part: Part, name: string): void {
    writeFileSync(this.#file(part, name), "", { flag: "a" });
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => child.once("exit", () => resolve()));
}
