/**
 * The command `opencustody`: one commander tree. Results go to stdout (one JSON value with --json), faults to stderr as one
 * sentence and an exit code: 0 done, 1 refused, 2 wrong use or configuration, 3 agent or HSM not reachable.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Command, CommanderError, Option } from "commander";
import { pino } from "pino";
import { Fault, isFault } from "../protocol/error.ts";
import type { Role } from "../protocol/message.ts";
import { startAgent } from "./agent.ts";
import { addRequestCommands, parseCount } from "./cli-requests.ts";
import { readConfig, socketPath } from "./config.ts";
import type { Command as AgentCommand } from "./control.ts";
import { callAgent } from "./control-client.ts";
import { readPin } from "./hsm/pin.ts";
import { initialise } from "./init.ts";
import { makeKeyFile } from "./key-file.ts";
import { type Printable, print, show } from "./print.ts";

const BRIDGE_PROGRAM = fileURLToPath(new URL("../bridge/main.ts", import.meta.url));

/** Runs the command line and returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const asJson = argv.includes("--json");
  const program = build(asJson);
  try {
    await program.parseAsync([...argv], { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const fault = faultOf(error);
    // commander has said so itself, except where its words would not be JSON.
    if (error instanceof CommanderError && !asJson) return 2;
    process.stderr.write(
      asJson
        ? `${JSON.stringify({ error: { code: fault.code, message: fault.message } })}\n`
        : `${fault.message}\n(${fault.code})\n`,
    );
    return exitCodeOf(fault);
  }
}

function faultOf(error: unknown): Fault {
  if (isFault(error)) return error;
  if (error instanceof CommanderError && error.code === "commander.help")
    return new Fault("ERR_USAGE", 'Name a command; see "opencustody --help".');
  if (error instanceof CommanderError) return new Fault("ERR_USAGE", error.message.replace(/^error: /, ""));
  return new Fault("ERR_INTERNAL", error instanceof Error ? error.message : "An unknown error.");
}

function exitCodeOf(fault: Fault): number {
  if (["ERR_CONFIG", "ERR_USAGE", "ERR_SECRET"].includes(fault.code)) return 2;
  if (/^ERR_(AGENT_UNREACHABLE|BRIDGE_UNREACHABLE|HSM_)/.test(fault.code)) return 3;
  return 1;
}

/** The whole tree of commands. With `asJson` commander itself writes nothing to stderr. */
export function build(asJson = false): Command {
  const program = new Command("opencustody")
    .description("Approve an HSM's signing requests on the screens of hardware wallets.")
    .option("-c, --config <file>", "the configuration; of the bridge, bridge.json", "opencustody.json")
    .option("--json", "print one JSON value")
    .exitOverride()
    .showHelpAfterError('(see "opencustody --help")')
    .configureOutput(asJson ? { writeErr: () => {} } : {})
    .addHelpText("after", "\nExample:\n  opencustody status --json");
  const config = () => readConfig(program.opts<{ config: string }>().config);
  const ask = async (command: AgentCommand) => await callAgent(socketPath(config()), command);
  const out = (value: unknown, human: Printable) =>
    print(value, human, program.opts<{ json?: boolean }>().json === true);
  const command = (parent: Command, name: string, description: string, example: string) =>
    parent.command(name).description(description).addHelpText("after", `\nExample:\n  ${example}`).exitOverride();

  command(
    program,
    "init",
    "make the HSM identity and the first, empty policy",
    "opencustody init --config opencustody.json",
  ).action(async () => {
    const settings = config();
    out(await initialise(settings, await readPin(settings.hsm.pin), pino({ level: "silent" })), show.founded);
  });

  command(program, "agent", "run the agent until it is stopped", "opencustody agent").action(async () => {
    const settings = config();
    const agent = await startAgent(
      settings,
      await readPin(settings.hsm.pin),
      pino(pino.destination({ dest: 1, sync: true })),
    );
    await new Promise<void>((resolve) => {
      process.once("SIGINT", resolve);
      process.once("SIGTERM", resolve);
    });
    await agent.stop();
  });

  command(program, "bridge", "run the bridge until it is stopped", "opencustody bridge --config bridge.json").action(
    async () => {
      const named = program.getOptionValueSource("config") !== "default";
      const file = named ? program.opts<{ config: string }>().config : "bridge.json";
      const child = spawn(process.execPath, [BRIDGE_PROGRAM, "--config", file], { stdio: "inherit" });
      const forward = (signal: NodeJS.Signals) => child.kill(signal);
      process.on("SIGINT", forward).on("SIGTERM", forward);
      const code = await new Promise<number>((resolve) => child.once("exit", (exit) => resolve(exit ?? 1)));
      if (code !== 0)
        throw new Fault(code === 2 ? "ERR_CONFIG" : "ERR_INTERNAL", "The bridge ended; its last line says why.");
    },
  );

  command(program, "status", "what runs, and whether bridge and HSM are there", "opencustody status").action(
    async () => {
      out(await ask({ command: "status" }), show.status);
    },
  );

  const vault = command(program, "vault", "vaults and their keys", "opencustody vault list");
  command(
    vault,
    "create <name>",
    "make a vault key in the HSM",
    "opencustody vault create Treasury-1 --network eip155:1 --next-nonce 0",
  )
    .requiredOption("--network <id>", "CAIP-2 id of the network, e.g. eip155:1")
    .requiredOption("--next-nonce <n>", "the account's next nonce on that network", parseCount)
    .addOption(
      new Option("--backup <mode>", "none, or wrap: only by a key that the security officer marked as trusted")
        .choices(["none", "wrap"])
        .default("none"),
    )
    .action(async (name: string, options: { network: string; nextNonce: number; backup: "none" | "wrap" }) => {
      const nonces = [{ network: options.network, nonce: options.nextNonce }];
      out(await ask({ command: "vault.create", name, backup: options.backup, nonces }), show.vault);
    });
  command(vault, "list", "all vaults with their addresses", "opencustody vault list --json").action(async () => {
    out(await ask({ command: "vault.list" }), show.vaults);
  });

  command(
    program,
    "invite <name>",
    "make a one-time code with which a person pairs a browser",
    "opencustody invite Alice --role approver",
  )
    .addOption(roleOption())
    .option("--hours <n>", "how long it can be used", parseCount, 24)
    .action(async (name: string, options: { role: Role[]; hours: number }) => {
      out(await ask({ command: "invite", name, roles: options.role, hours: options.hours }), show.invite);
    });

  const members = command(program, "members", "who may propose and approve", "opencustody members").action(async () => {
    out(await ask({ command: "members.list" }), show.members);
  });
  command(
    members,
    "add <name>",
    "make a key file for somebody who proposes from the command line",
    "opencustody members add Olga --role initiator --key olga.jwk",
  )
    .addOption(roleOption())
    .requiredOption("--key <file>", "the new key file, made with mode 0600")
    .action(async (name: string, options: { role: Role[]; key: string }) => {
      await ask({ command: "status" });
      const key = await makeKeyFile(options.key);
      out(await ask({ command: "members.add", name, roles: options.role, key }), show.done);
    });
  command(
    members,
    "confirm <name> <address>",
    "count a device, after comparing its whole address with its owner over another channel",
    "opencustody members confirm Alice 0x52908400098527886E0F7030069857D2E4169EE7",
  ).action(async (name: string, address: string) => {
    out(await ask({ command: "members.confirm", name, address }), show.done);
  });

  const policy = command(program, "policy", "the policy in force", "opencustody policy show");
  command(policy, "show", "print it", "opencustody policy show").action(async () => {
    out(await ask({ command: "policy.show" }), show.document);
  });
  command(
    policy,
    "set <file>",
    "put a new one in force; open requests become void",
    "opencustody policy set policy.json",
  ).action(async (file: string) => {
    out(await ask({ command: "policy.set", policy: readJson(file) }), show.policySet);
  });

  addRequestCommands(program, { ask, out, command });
  return program;
}

function roleOption(): Option {
  return new Option("--role <role...>", "what the person may do")
    .choices(["initiator", "approver"])
    .makeOptionMandatory();
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    throw new Fault("ERR_USAGE", `${path} cannot be read as JSON; name a policy file.`);
  }
}
