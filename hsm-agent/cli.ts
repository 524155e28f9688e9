/**
 * The command `opencustody`: one commander tree. Results go to stdout (one JSON value with --json), faults to stderr as one
 * sentence and an exit code: 0 done, 1 refused, 2 wrong use or configuration, 3 agent or HSM not reachable.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Command, CommanderError } from "commander";
import { pino } from "pino";
import { Fault, isFault } from "../protocol/error.ts";
import { startAgent } from "./agent.ts";
import { addBackupCommands } from "./cli-backup.ts";
import { addGovernanceCommands } from "./cli-governance.ts";
import { addHsmCommands } from "./cli-hsm.ts";
import { addPeopleCommands } from "./cli-people.ts";
import { addProofCommands } from "./cli-proof.ts";
import { addRequestCommands } from "./cli-requests.ts";
import { readText, type Shell } from "./cli-shell.ts";
import { addVaultCommands } from "./cli-vault.ts";
import { type Config, readConfig, socketPath } from "./config.ts";
import { callAgent } from "./control-client.ts";
import { parseFounding } from "./founding-file.ts";
import { readPin } from "./hsm/pin.ts";
import { initialise, succeed } from "./init.ts";
import { makeKeyFile } from "./key-file.ts";
import { openLog } from "./log-lines.ts";
import { print, show } from "./print.ts";

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
  // What an HSM cannot do is an answer of it.
  if (fault.code === "ERR_HSM_UNSUPPORTED") return 1;
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
  const shell: Shell = {
    ask: async (command) => await callAgent(socketPath(config()), command),
    out: (value, human) => print(value, human, program.opts<{ json?: boolean }>().json === true),
    command: (parent, name, description, example) =>
      parent.command(name).description(description).addHelpText("after", `\nExample:\n  ${example}`).exitOverride(),
  };
  addFoundingCommands(program, shell, config);
  addHsmCommands(program, shell, config);
  addBackupCommands(program, shell, config);
  addPrograms(program, shell, config);
  shell
    .command(program, "status", "what runs, what is in force and what is frozen", "opencustody status")
    .action(async () => {
      shell.out(await shell.ask({ command: "status" }), show.status);
    });
  addVaultCommands(program, shell);
  addPeopleCommands(program, shell);
  addGovernanceCommands(program, shell);
  addRequestCommands(program, shell);
  addProofCommands(program, shell);
  return program;
}

/** What is done once, and the two commands that work on the token while no agent runs: `init` and `succeed`. */
function addFoundingCommands(program: Command, { ask, out, command }: Shell, config: () => Config): void {
  const key = command(program, "key", "key files, with which people propose", "opencustody key new olga.jwk");
  command(
    key,
    "new <file>",
    "make a key file with mode 0600 and print its public half, which others enroll",
    "opencustody key new olga.jwk",
  ).action(async (file: string) => {
    out(await makeKeyFile(file), show.key);
  });
  command(
    program,
    "init <file>",
    "make the HSM identity and the vaults of a founding file, and an invite for each founder",
    "opencustody init founding.json",
  ).action(async (file: string) => {
    const founding = parseFounding(readText(file, "a founding file"));
    const settings = config();
    out(await initialise(settings, await readPin(settings.hsm.pin), pino({ level: "silent" }), founding), show.founded);
  });
  command(
    program,
    "found",
    "ask the founders to sign again, after the founding was rejected or expired",
    "opencustody found",
  ).action(async () => {
    out(await ask({ command: "found" }), show.request);
  });
  command(
    program,
    "succeed",
    "where the old token is lost: make the next HSM identity in the token that the configuration names now",
    "opencustody succeed",
  ).action(async () => {
    const settings = config();
    out(await succeed(settings, await readPin(settings.hsm.pin), pino({ level: "silent" })), show.succeeded);
  });
}

/** The two programs that run until they are stopped. */
function addPrograms(program: Command, { command }: Shell, config: () => Config): void {
  command(program, "agent", "run the agent until it is stopped", "opencustody agent").action(async () => {
    const settings = config();
    const log = openLog(pino.destination({ dest: 1, sync: true }));
    const agent = await startAgent(settings, await readPin(settings.hsm.pin), log);
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
}
