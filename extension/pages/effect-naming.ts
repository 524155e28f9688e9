/** What a new policy does to the meaning of words: networks, tokens, vaults and the address book. Pure; effect.ts puts it together. */
import type { PolicyText } from "../../protocol/policy.ts";
import { type Consequence, note, replaced, rowChanges, warning } from "./consequence.ts";

type Change = (before: PolicyText, after: PolicyText) => Consequence[];

/** A network's name by its id, as the policy has it; the id where it has none. */
export function networkName({ networks }: Pick<PolicyText, "networks">, id: string): string {
  return networks.find((network) => network.id === id)?.name ?? id;
}

/** The symbol of a network's coin, in which its fees are paid, with a space before it; nothing where it is not known. */
export function coinWords({ networks }: Pick<PolicyText, "networks">, id: string): string {
  const symbol = networks.find((network) => network.id === id)?.symbol;
  return symbol === undefined ? "" : ` ${symbol}`;
}

export const networkChanges: Change = (before, after) =>
  rowChanges(before.networks, after.networks, {
    list: "networks",
    idOf: ({ id }) => id,
    nameOf: ({ name, id }) => `network ${name} (${id})`,
    added: ({ name, id, symbol }) => note(`Network ${name} (${id}) is new; its coin is called ${symbol}.`),
    removed: ({ name, id }) => note(`Network ${name} (${id}) is gone: nothing can be sent there any more.`),
    members: {
      name: (was, is) => [warning(`Network ${is.id} is called ${is.name} instead of ${was.name}.`)],
      symbol: (was, is) => [warning(`The coin of ${is.name} is called ${is.symbol} instead of ${was.symbol}.`)],
      decimals: (was, is) => [warning(decimalsWords(`${is.symbol} on ${is.name}`, was.decimals, is.decimals))],
    },
  });

export const tokenChanges: Change = (before, after) =>
  rowChanges(before.tokens, after.tokens, {
    list: "tokens",
    // What a reader knows it by: another contract under the same symbol is a change of meaning, not another token.
    idOf: ({ network, symbol }) => `${network} ${symbol}`,
    nameOf: ({ network, symbol }) => `token ${symbol} on ${networkName(before, network)}`,
    added: ({ network, symbol, contract }) => {
      const where = `${symbol} on ${networkName(after, network)}`;
      const former = before.tokens.find((token) => token.network === network && token.contract === contract);
      const text =
        former === undefined
          ? note(`${where} is new: it can be sent under this name.`)
          : warning(`${where} is a new name for the contract that is called ${former.symbol} now.`);
      return { ...text, values: [{ label: "Contract", text: contract }] };
    },
    removed: ({ network, symbol }) =>
      note(`${symbol} on ${networkName(before, network)} is gone: it cannot be sent under this name any more.`),
    members: {
      contract: (was, is) => [
        replaced(
          `${is.symbol} on ${networkName(after, is.network)} means another contract.`,
          was.contract,
          is.contract,
        ),
      ],
      decimals: (was, is) => [
        warning(decimalsWords(`${is.symbol} on ${networkName(after, is.network)}`, was.decimals, is.decimals)),
      ],
    },
  });

function decimalsWords(asset: string, was: number, is: number): string {
  return `Amounts of ${asset} are read with ${is} decimals instead of ${was}: the same bytes say another amount.`;
}

export const vaultChanges: Change = (before, after) =>
  rowChanges(before.vaults, after.vaults, {
    list: "vaults",
    idOf: ({ name }) => name,
    nameOf: ({ name }) => `vault ${name}`,
    added: ({ name, id, publicKey }) => {
      const values = [
        { label: "Key in the HSM", text: id },
        { label: "Public key", text: publicKey },
      ];
      const former = before.vaults.find((vault) => vault.publicKey === publicKey);
      const text =
        former === undefined ? `Vault ${name} is new.` : `${name} is a new name for the key of ${former.name}.`;
      return { ...(former === undefined ? note(text) : warning(text)), values };
    },
    removed: ({ name }) => warning(`Vault ${name} is gone: nothing can be sent from it under this name any more.`),
    members: {
      id: (was, is) => [replaced(`${is.name} means another key in the HSM.`, was.id, is.id)],
      publicKey: (was, is) => [
        replaced(`${is.name} has another public key, and so other addresses.`, was.publicKey, is.publicKey),
      ],
    },
  });

export const addressBookChanges: Change = (before, after) =>
  rowChanges(before.addressBook, after.addressBook, {
    list: "address book",
    idOf: ({ name }) => name,
    nameOf: ({ name }) => `address book, ${name}`,
    added: ({ name, network, address }) => ({
      ...warning(`Address book: ${name} on ${networkName(after, network)} is new.`),
      values: [{ label: "Address", text: address }],
    }),
    removed: ({ name, network }) => note(`Address book: ${name} on ${networkName(before, network)} is gone.`),
    members: {
      address: (was, is) => [replaced(`Address book: ${is.name} changes address.`, was.address, is.address)],
      network: (was, is) => [
        warning(
          `Address book: ${is.name} is on ${networkName(after, is.network)} instead of ${networkName(before, was.network)}.`,
        ),
      ],
    },
  });
