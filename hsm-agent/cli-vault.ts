/** The CLI's `vault` commands. A new vault is a key and no more: it can be used once a policy names it. */
import { type Command, Option } from "commander";
import { Fault } from "../protocol/error.ts";
import { parseCount, type Shell } from "./cli-shell.ts";
import { show } from "./print.ts";

/** Adds `vault` and its subcommands. */
export function addVaultCommands(program: Command, { ask, out, command }: Shell): void {
  const vault = command(program, "vault", "vaults and their keys", "opencustody vault list");
  command(
    vault,
    "create <name>",
    "make a vault key in the HSM; propose a policy that names it to use it",
    "opencustody vault create Treasury-1 --network eip155:1 --next-nonce 0",
  )
    .option("--network <id>", "CAIP-2 id of a network, e.g. eip155:1; may be given several times", collect)
    .option("--next-nonce <n>", "the account's next nonce on that network", collectCount)
    .addOption(
      new Option("--backup [mode]", "wrap: it can leave the HSM, only under a key that the security officer trusts")
        .choices(["none", "wrap"])
        .preset("wrap")
        .default("none"),
    )
    .action(async (name: string, options: CreateOptions) => {
      const nonces = pairNonces(options.network ?? [], options.nextNonce ?? []);
      out(await ask({ command: "vault.create", name, backup: options.backup, nonces }), show.vault);
    });
  command(vault, "list", "all vaults with their addresses", "opencustody vault list --json").action(async () => {
    out(await ask({ command: "vault.list" }), show.vaults);
  });
  command(
    vault,
    "nonce <name>",
    "state the next nonce of a vault on a further network",
    "opencustody vault nonce Treasury-1 --network eip155:10 --next-nonce 0",
  )
    .requiredOption("--network <id>", "CAIP-2 id of the network")
    .requiredOption("--next-nonce <n>", "the account's next nonce on that network", parseCount)
    .action(async (name: string, options: { network: string; nextNonce: number }) => {
      const { network, nextNonce: nonce } = options;
      out(await ask({ command: "vault.nonce", name, network, nonce }), show.noted);
    });
}

interface CreateOptions {
  network?: string[];
  nextNonce?: number[];
  backup: "none" | "wrap";
}

/** The first network with the first nonce, and so on. @throws Fault ERR_USAGE */
function pairNonces(networks: readonly string[], nonces: readonly number[]): { network: string; nonce: number }[] {
  if (networks.length !== nonces.length)
    throw new Fault("ERR_USAGE", "Give one --next-nonce for each --network, in the same order.");
  return networks.flatMap((network, at) => {
    const nonce = nonces[at];
    return nonce === undefined ? [] : [{ network, nonce }];
  });
}

function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

function collectCount(text: string, before: readonly number[] = []): number[] {
  return [...before, parseCount(text)];
}
