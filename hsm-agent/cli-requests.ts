/** The CLI's `request` commands: a member's key file signs what is proposed and cancelled; the rest only reads. */
import { type Command, InvalidArgumentError } from "commander";
import * as v from "valibot";
import { Fault } from "../protocol/error.ts";
import { CANCELLATION, PROPOSAL } from "../protocol/message.ts";
import { parseUnits } from "./chains/decimal.ts";
import type { Command as AgentCommand } from "./control.ts";
import { readKeyFile, signAsMember } from "./key-file.ts";
import { type Printable, RequestViewSchema, show } from "./print.ts";

/** Milliseconds between looks at a request that `--wait` waits for. */
const WAIT_STEP = 300;
const GWEI_DECIMALS = 9;

/** What every command of the CLI works with. */
export interface Shell {
  /** Gives the agent a command. */
  readonly ask: (command: AgentCommand) => Promise<unknown>;
  /** Prints a result, for people or as JSON. */
  readonly out: (value: unknown, human: Printable) => void;
  /** Adds a subcommand with an example to its help. */
  readonly command: (parent: Command, name: string, description: string, example: string) => Command;
}

/** Adds `request` and its subcommands. */
export function addRequestCommands(program: Command, { ask, out, command }: Shell): void {
  const request = command(program, "request", "propose and follow requests", "opencustody request list");
  command(
    request,
    "send",
    "propose a transfer",
    "opencustody request send --key olga.jwk --vault Treasury-1 --network eip155:1 --to 0x5290…9EE7 --amount 1.5 --asset ETH \\\n    --gas-limit 21000 --max-fee 30 --priority-fee 1 --wait",
  )
    .requiredOption("--key <file>", "the proposer's key file")
    .requiredOption("--vault <name>", "the vault that pays")
    .requiredOption("--network <id>", "CAIP-2 id, e.g. eip155:1")
    .requiredOption("--to <address>", "the whole destination, with its EIP-55 checksum")
    .requiredOption("--amount <decimal>", "exact, in the asset's unit")
    .requiredOption("--asset <symbol>", "the coin or a token of the policy")
    .requiredOption("--gas-limit <n>", "units of gas", parseCount)
    .requiredOption("--max-fee <gwei>", "fee per gas at most")
    .requiredOption("--priority-fee <gwei>", "of which to the proposer of the block")
    .option("--wait", "wait until it is signed or ended")
    .action(async (options: SendOptions) => {
      const signer = await readKeyFile(options.key);
      const jws = await signAsMember(PROPOSAL, signer, await agentThumbprint(ask), {
        vault: options.vault,
        network: options.network,
        asset: options.asset,
        amount: options.amount,
        to: options.to,
        gas: {
          limit: String(options.gasLimit),
          maxFeePerGas: parseUnits(options.maxFee, GWEI_DECIMALS).toString(),
          maxPriorityFeePerGas: parseUnits(options.priorityFee, GWEI_DECIMALS).toString(),
        },
      }).catch(useOf);
      const proposed = v.parse(ProposedSchema, await ask({ command: "request.propose", jws }));
      for (const warning of proposed.warnings) process.stderr.write(`${warning}\n`);
      out(await follow(ask, proposed.request, options.wait === true), show.request);
    });
  command(
    request,
    "cancel <id>",
    "take back a request that you proposed",
    "opencustody request cancel 01JDA7Q9T2M4XYZ0 --key olga.jwk",
  )
    .requiredOption("--key <file>", "the proposer's key file")
    .action(async (id: string, options: { key: string }) => {
      const jws = await signAsMember(CANCELLATION, await readKeyFile(options.key), await agentThumbprint(ask), {
        request: id,
      }).catch(useOf);
      out(await ask({ command: "request.cancel", jws }), show.request);
    });
  command(request, "list", "all requests, newest first", "opencustody request list").action(async () => {
    out(await ask({ command: "request.list" }), show.requests);
  });
  command(
    request,
    "show <id>",
    "one request: statement, digest, who approved, the signed transaction",
    "opencustody request show 01JDA7Q9T2M4XYZ0",
  )
    .option("--wait", "wait until it is signed or ended")
    .action(async (id: string, options: { wait?: boolean }) => {
      out(await follow(ask, id, options.wait === true), show.request);
    });
}

interface SendOptions {
  key: string;
  vault: string;
  network: string;
  to: string;
  amount: string;
  asset: string;
  gasLimit: number;
  maxFee: string;
  priorityFee: string;
  wait?: boolean;
}

type Ask = Shell["ask"];
const ProposedSchema = v.object({ request: v.string(), warnings: v.array(v.string()) });
const StatusSchema = v.object({ hsm: v.object({ thumbprint: v.string() }) });

async function agentThumbprint(ask: Ask): Promise<string> {
  return v.parse(StatusSchema, await ask({ command: "status" })).hsm.thumbprint;
}

async function follow(ask: Ask, id: string, wait: boolean): Promise<unknown> {
  for (;;) {
    const view = v.parse(RequestViewSchema, await ask({ command: "request.show", id }));
    if (!wait || !["proposed", "pending", "approved"].includes(view.state)) return view;
    await new Promise((resolve) => setTimeout(resolve, WAIT_STEP));
  }
}

/** A whole number of an option. */
export function parseCount(text: string): number {
  if (!/^(0|[1-9][0-9]{0,14})$/.test(text)) throw new InvalidArgumentError("it must be a whole number.");
  return Number(text);
}

/** What the person typed does not fit the message's schema: say which option. */
function useOf(error: unknown): never {
  throw new Fault("ERR_USAGE", error instanceof Error ? error.message : "The command does not fit.");
}
