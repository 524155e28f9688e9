/** The CLI's `request` commands: a member's key file signs what is proposed and cancelled; the rest only reads. */
import { type Command } from "commander";
import * as v from "valibot";
import { CANCELLATION, PROPOSAL } from "../protocol/message.ts";
import { parseUnits } from "./chains/decimal.ts";
import { follow, parseCount, type Shell, signFor, warn } from "./cli-shell.ts";
import { show } from "./print.ts";
import { LISTED_MAX } from "./views.ts";

const GWEI_DECIMALS = 9;
const ProposedSchema = v.object({ request: v.string(), warnings: v.array(v.string()) });

/** Adds `request` and its subcommands. */
export function addRequestCommands(program: Command, { ask, out, command }: Shell): void {
  const request = command(program, "request", "propose transfers, follow requests", "opencustody request list");
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
    .option("--wait", "wait until it is signed, took effect or ended")
    .action(async (options: SendOptions) => {
      const jws = await signFor(ask, options.key, PROPOSAL, {
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
      });
      const proposed = v.parse(ProposedSchema, await ask({ command: "request.propose", jws }));
      warn(proposed.warnings);
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
      const jws = await signFor(ask, options.key, CANCELLATION, { request: id });
      out(await ask({ command: "request.cancel", jws }), show.request);
    });
  command(
    request,
    "list",
    "what is open and the newest 1,000 requests, newest first",
    "opencustody request list",
  ).action(async () => {
    const listed = v.parse(v.array(v.unknown()), await ask({ command: "request.list" }));
    if (listed.length >= LISTED_MAX) warn(['Older ones are not listed; see "opencustody request show".']);
    out(listed, show.requests);
  });
  command(
    request,
    "show <id>",
    "one request: statement, digest, who approved, the signed transaction",
    "opencustody request show 01JDA7Q9T2M4XYZ0",
  )
    .option("--wait", "wait until it is signed, took effect or ended")
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
