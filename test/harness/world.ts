/**
 * One small company for a test or the demo: a SoftHSM token, an agent and a bridge, all in one temporary folder and on
 * ports of their own. Clients know the bridge as ws://127.0.0.1:8787/; browsers map that port, the agent dials the real one.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEVELOPMENT_BRIDGE } from "../../protocol/invite.ts";
import type { VendorDemand } from "../../protocol/vendor.ts";
import { makeSoftHsm } from "../softhsm.ts";
import { type Program, ROOT, startProgram } from "./program.ts";

export const NETWORK = "eip155:1";
export const VAULT = "Treasury-1";
export const USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48";

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface World {
  readonly folder: string;
  /** The bridge's real port. */
  readonly port: number;
  readonly fingerprint: string;
  /** Runs `opencustody` with these arguments. */
  command(...args: string[]): Promise<CommandResult>;
  /** Runs it with --json and returns the result; throws what it wrote to stderr. */
  json<T>(...args: string[]): Promise<T>;
  agent(): Program;
  bridge(): Program;
  restartAgent(signal?: NodeJS.Signals): Promise<void>;
  restartBridge(signal?: NodeJS.Signals): Promise<void>;
  /** Ends everything and removes the folder. */
  dispose(): Promise<void>;
}

export interface WorldOptions {
  /** Lets the agent dial something that stands between it and the bridge: gets the bridge's port, returns another. */
  readonly between?: (bridgePort: number) => Promise<number>;
}

export async function makeWorld(options: WorldOptions = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "opencustody-world-"));
  const token = makeSoftHsm("opencustody-test", folder);
  const env = { ...process.env, ...token.env };
  const configFile = join(folder, "opencustody.json");
  const bridgeFile = join(folder, "bridge.json");
  const programs: { agent?: Program; bridge?: Program } = {};
  mkdirSync(join(folder, "bridge"), { mode: 0o700 });

  const writeConfig = (dial: string) =>
    writeFileSync(
      configFile,
      JSON.stringify({
        data: "agent",
        hsm: { module: token.module, token: { label: token.tokenLabel }, pin: { file: token.pinFile } },
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
  const startBridge = async (port: number): Promise<number> => {
    writeFileSync(
      bridgeFile,
      JSON.stringify({
        url: DEVELOPMENT_BRIDGE,
        listen: { host: "127.0.0.1", port },
        data: "bridge",
        agents: [fingerprint],
      }),
    );
    programs.bridge = startProgram("bridge/main.ts", ["--config", bridgeFile], env);
    return Number((await programs.bridge.logged("listening"))["port"]);
  };
  const startAgent = async (): Promise<void> => {
    programs.agent = startProgram("hsm-agent/main.ts", ["--config", configFile, "agent"], env);
    await programs.agent.logged("agent ready");
  };

  writeConfig(DEVELOPMENT_BRIDGE);
  const { fingerprint } = await json<{ fingerprint: string }>("init");
  const port = await startBridge(0);
  const dialPort = options.between === undefined ? port : await options.between(port);
  writeConfig(`ws://127.0.0.1:${dialPort}/`);
  await startAgent();
  return {
    folder,
    port,
    fingerprint,
    command,
    json,
    agent: () => required(programs.agent),
    bridge: () => required(programs.bridge),
    restartAgent: async (signal = "SIGKILL") => {
      await programs.agent?.stop(signal);
      await startAgent();
    },
    restartBridge: async (signal = "SIGKILL") => {
      await programs.bridge?.stop(signal);
      await startBridge(port);
    },
    dispose: async () => {
      await programs.agent?.stop();
      await programs.bridge?.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A vault, an initiator Olga with a key file, and approvers as named; the policy needs `threshold` of them. */
export async function makeTreasury(
  world: World,
  approvers: readonly string[],
  threshold: number,
): Promise<{ address: string }> {
  const vault = await world.json<{ address: string }>(
    "vault",
    "create",
    VAULT,
    "--network",
    NETWORK,
    "--next-nonce",
    "7",
  );
  await writePolicy(world, approvers, threshold);
  return vault;
}

export interface PolicyOptions {
  readonly expiresAfter?: number;
  readonly maxFee?: string;
  readonly vendors?: readonly VendorDemand[];
}

/** Puts a policy in force for the one vault. The approvers must be members already. */
export async function writePolicy(
  world: World,
  approvers: readonly string[],
  threshold: number,
  options: PolicyOptions = {},
): Promise<void> {
  const file = join(world.folder, "policy.json");
  const policy = {
    v: 1,
    networks: [{ id: NETWORK, name: "Ethereum", symbol: "ETH", decimals: 18 }],
    tokens: [{ network: NETWORK, contract: USDC, symbol: "USDC", decimals: 6 }],
    groups: [{ name: "Treasury", members: approvers }],
    rules: [
      {
        vault: VAULT,
        network: NETWORK,
        approvers: "Treasury",
        threshold,
        vendors: options.vendors ?? [],
        maxFee: options.maxFee ?? "0.012",
        expiresAfter: options.expiresAfter ?? 60,
      },
    ],
  };
  writeFileSync(file, JSON.stringify(policy));
  await world.json("policy", "set", file);
}

/** Adds somebody who proposes with a key file; returns the file. */
export async function addInitiator(world: World, name: string): Promise<string> {
  const file = join(world.folder, `${name}.jwk`);
  await world.json("members", "add", name, "--role", "initiator", "--key", file);
  return file;
}

export interface SendOptions {
  readonly key: string;
  readonly to?: string;
  readonly amount?: string;
  readonly asset?: string;
  readonly maxFee?: string;
}

export const DESTINATION = "0x52908400098527886E0F7030069857D2E4169EE7";

/** Proposes a transfer; returns the request as `request show` has it. */
export async function send(world: World, options: SendOptions): Promise<RequestView> {
  const asset = options.asset ?? "ETH";
  return await world.json<RequestView>(
    "request",
    "send",
    "--key",
    options.key,
    "--vault",
    VAULT,
    "--network",
    NETWORK,
    "--to",
    options.to ?? DESTINATION,
    "--amount",
    options.amount ?? "1.5",
    "--asset",
    asset,
    "--gas-limit",
    asset === "ETH" ? "21000" : "65000",
    "--max-fee",
    options.maxFee ?? "30",
    "--priority-fee",
    "1",
  );
}

export interface RequestView {
  readonly id: string;
  readonly state: string;
  readonly nonce: number;
  readonly digest: string;
  readonly statement: string;
  readonly approvers: readonly string[];
  readonly records: readonly { readonly kind: string; readonly person: string; readonly reason: string | null }[];
  readonly signed: string | null;
  readonly hash: string | null;
  readonly problem: string | null;
}

export async function showRequest(world: World, id: string): Promise<RequestView> {
  return await world.json<RequestView>("request", "show", id);
}

/** Looks until the request satisfies `until`. The test's own time-out bounds it. */
export async function waitForRequest(
  world: World,
  id: string,
  until: (request: RequestView) => boolean,
): Promise<RequestView> {
  for (;;) {
    const request = await showRequest(world, id);
    if (until(request)) return request;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function required(program: Program | undefined): Program {
  if (program === undefined) throw new Error(`not started in ${ROOT}`);
  return program;
}
