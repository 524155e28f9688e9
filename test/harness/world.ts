/**
 * One small company for a test or the demo: a SoftHSM token, an agent and a bridge, all in one temporary folder and on
 * ports of their own. Clients know the bridge as ws://127.0.0.1:8787/; browsers map that port, the agent dials the real one.
 * It is initialised and not founded: that is done by people, in company.ts.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "../../hsm-agent/control.ts";
import { DEVELOPMENT_BRIDGE } from "../../protocol/invite.ts";
import type { Role } from "../../protocol/people.ts";
import { makeSoftHsm, type SoftHsm } from "../softhsm.ts";
import { askAgent } from "./control-socket.ts";
import type { Participant } from "./participant.ts";
import { NETWORK, type PolicyPlan, planPolicy, VAULT } from "./policy-plan.ts";
import { type Program, ROOT, startProgram } from "./program.ts";

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A person of the founding file. Initiators get a key file; so does whoever is said to have one. */
export interface Founder {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly key?: boolean;
}

/** Olga proposes, and three people approve and govern. */
export const PEOPLE: readonly Founder[] = [
  { name: "Olga", roles: ["initiator"] },
  { name: "Ada", roles: ["approver", "admin"] },
  { name: "Bob", roles: ["approver", "admin"] },
  { name: "Dan", roles: ["approver", "admin"] },
];

export interface World {
  readonly folder: string;
  /** Name of the configuration file of the agent. */
  readonly configFile: string;
  readonly token: SoftHsm;
  /** The bridge's real port. */
  readonly port: number;
  readonly fingerprint: string;
  /** Treasury-1. */
  readonly vault: { readonly name: string; readonly address: string };
  /** Invites of the founders, by name. */
  readonly invites: ReadonlyMap<string, string>;
  /** The file of somebody's key, whether or not it is there. */
  keyFile(name: string): string;
  /** Who approves what is proposed where a test says nothing else: in company.ts. */
  board: Participant[];
  /** One after the other: an act makes every other open request void. */
  alone<T>(work: () => Promise<T>): Promise<T>;
  /** Runs `opencustody` with these arguments. */
  command(...args: string[]): Promise<CommandResult>;
  /** Runs it with --json and returns the result; throws what it wrote to stderr. */
  json<T>(...args: string[]): Promise<T>;
  /** Asks the running agent at its socket, without a process of its own: for what is looked at many times. */
  ask<T>(command: Command): Promise<T>;
  agent(): Program;
  bridge(): Program;
  startAgent(): Promise<void>;
  restartAgent(signal?: NodeJS.Signals): Promise<void>;
  /** `agents`: the fingerprints that it serves from now on. */
  restartBridge(options?: { signal?: NodeJS.Signals; agents?: readonly string[] }): Promise<void>;
  /** Ends everything and removes the folder. */
  dispose(): Promise<void>;
}

export interface WorldOptions {
  /** Lets the agent dial something that stands between it and the bridge: gets the bridge's port, returns another. */
  readonly between?: (bridgePort: number) => Promise<number>;
  readonly people?: readonly Founder[];
  readonly policy?: PolicyPlan;
  /** Puts something between the agent and its token: the module that it loads instead, and the environment for that. */
  readonly hsm?: (
    token: SoftHsm,
  ) => Promise<{ readonly module: string; readonly env: Readonly<Record<string, string>> }>;
  /** Code to be loaded into the agent's process. */
  readonly spy?: { readonly module: string };
  /** Settings of the bridge besides those that every test has. */
  readonly bridge?: Readonly<Record<string, unknown>>;
}

export async function makeWorld(options: WorldOptions = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "opencustody-world-"));
  const token = makeSoftHsm("opencustody-test", folder);
  const { module, env: hsmEnv } = await (options.hsm?.(token) ?? token);
  const env = { ...process.env, ...hsmEnv };
  const configFile = join(folder, "opencustody.json");
  const bridgeFile = join(folder, "bridge.json");
  const programs: { agent?: Program; bridge?: Program } = {};
  mkdirSync(join(folder, "bridge"), { mode: 0o700 });

  const writeConfig = (dial: string) =>
    writeFileSync(
      configFile,
      JSON.stringify({
        data: "agent",
        hsm: { module, token: { label: token.tokenLabel }, pin: { file: token.pinFile } },
        bridge: { url: DEVELOPMENT_BRIDGE, dial },
      }),
    );
  const command = async (...args: string[]): Promise<CommandResult> => {
    const program = startProgram("hsm-agent/main.ts", ["--config", configFile, ...args], env);
    const out = { stdout: "", stderr: "" };
    program.process.stdout?.on("data", (data) => (out.stdout += String(data)));
    program.process.stderr?.on("data", (data) => (out.stderr += String(data)));
    const code = await new Promise<number>((resolve) => program.process.once("close", (exit) => resolve(exit ?? 1)));
    return { code, ...out };
  };
  const json = async <T>(...args: string[]): Promise<T> => {
    const { code, stdout, stderr } = await command("--json", ...args);
    if (code !== 0) throw new Error(`opencustody ${args.join(" ")}: ${stderr}`);
    return JSON.parse(stdout) as T;
  };
  const keyFile = (name: string) => join(folder, `${name}.jwk`);
  const startBridge = async (port: number, agents: readonly string[]): Promise<number> => {
    const listen = { host: "127.0.0.1", port };
    writeFileSync(
      bridgeFile,
      JSON.stringify({ url: DEVELOPMENT_BRIDGE, listen, data: "bridge", agents, ...options.bridge }),
    );
    programs.bridge = startProgram("bridge/main.ts", ["--config", bridgeFile], env);
    return Number((await programs.bridge.logged("listening"))["port"]);
  };
  const startAgent = async (): Promise<void> => {
    const loaded = `${process.env["NODE_OPTIONS"] ?? ""} --import=${options.spy?.module ?? ""}`;
    const itsEnv = options.spy === undefined ? env : { ...env, NODE_OPTIONS: loaded };
    programs.agent = startProgram("hsm-agent/main.ts", ["--config", configFile, "agent"], itsEnv);
    await programs.agent.logged("agent ready");
  };

  const dispose = async (): Promise<void> => {
    await programs.agent?.stop();
    await programs.bridge?.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  const begin = async () => {
    writeConfig(DEVELOPMENT_BRIDGE);
    const people = options.people ?? PEOPLE;
    const keys = new Map<string, unknown>();
    for (const { name, roles, key = roles.includes("initiator") } of people)
      if (key) keys.set(name, await json("key", "new", keyFile(name)));
    const file = join(folder, "founding.json");
    const founders = people.map(({ name, roles }) => ({ name, roles, key: keys.get(name) ?? null }));
    const policy = planPolicy(people, options.policy);
    writeFileSync(file, JSON.stringify({ v: 1, people: founders, vaults: [VAULT_PLAN], policy }));
    const made = await json<Initialised>("init", file);
    const port = await startBridge(0, [made.fingerprint]);
    const dialPort = options.between === undefined ? port : await options.between(port);
    writeConfig(`ws://127.0.0.1:${dialPort}/`);
    await startAgent();
    return { ...made, port };
  };

  const { fingerprint, vaults, invites, port } = await begin().catch(async (error: unknown) => {
    await dispose();
    throw error;
  });
  const [vault] = vaults;
  if (vault === undefined) throw new Error("no vault was made");
  let turn: Promise<unknown> = Promise.resolve();
  let served: readonly string[] = [fingerprint];
  return {
    folder,
    configFile,
    token,
    port,
    fingerprint,
    vault,
    invites: new Map(invites.map(({ name, code }) => [name, code])),
    keyFile,
    board: [],
    alone: async <T>(work: () => Promise<T>): Promise<T> => {
      const mine = turn.then(work);
      turn = mine.catch(() => undefined);
      return await mine;
    },
    command,
    json,
    ask: async <T>(asked: Command) => (await askAgent(join(folder, "agent", "agent.sock"), asked)) as T,
    agent: () => required(programs.agent),
    bridge: () => required(programs.bridge),
    startAgent,
    restartAgent: async (signal = "SIGKILL") => {
      await programs.agent?.stop(signal);
      await startAgent();
    },
    restartBridge: async ({ signal = "SIGKILL", agents = served } = {}) => {
      served = agents;
      await programs.bridge?.stop(signal);
      await startBridge(port, agents);
    },
    dispose,
  };
}

const VAULT_PLAN = { name: VAULT, nonces: [{ network: NETWORK, nonce: 7 }] };

interface Initialised {
  readonly fingerprint: string;
  readonly vaults: readonly { readonly name: string; readonly address: string }[];
  readonly invites: readonly { readonly name: string; readonly code: string }[];
}

function required(program: Program | undefined): Program {
  if (program === undefined) throw new Error(`not started in ${ROOT}`);
  return program;
}
