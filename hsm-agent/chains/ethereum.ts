/**
 * Ethereum and its kin (CAIP-2 eip155): transfers of the coin and of ERC-20 tokens as EIP-1559 transactions.
 * Nothing else is built and nothing else is understood: no contract creation, no access list, no other call.
 */

import { keccak_256 } from "@noble/hashes/sha3.js";
import { hexToBytes } from "@noble/hashes/utils.js";
import { addr, Transaction } from "micro-eth-signer";
import { Fault } from "../../protocol/error.ts";
import type { Network, Token } from "../../protocol/network.ts";
import { recover } from "../secp256k1.ts";
import type { Chain, Signature, Transfer } from "./chain.ts";
import { formatUnits, parseUnits } from "./decimal.ts";

const TRANSFER_SELECTOR = "a9059cbb";
const TRANSFER_DATA = new RegExp(`^0x${TRANSFER_SELECTOR}0{24}([0-9a-f]{40})([0-9a-f]{64})$`);

export const ethereum: Chain = {
  addressOf: (publicKey) => addr.fromPublicKey(publicKey),
  build,
  describe,
  digest: (bytes) => keccak_256(hexToBytes(bytes)),
  finish,
};

function build({ network, token, to, amount, nonce, gas }: Transfer): string {
  const units = parseUnits(amount, token?.decimals ?? network.decimals);
  if (units <= 0n) throw new Fault("ERR_AMOUNT", "The amount must be more than nothing.");
  if (units >= 1n << 256n) throw new Fault("ERR_AMOUNT", "The amount is larger than the chain can hold.");
  if (/^0x0{40}$/.test(to))
    throw new Fault("ERR_ADDRESS", "The destination is the zero address; nobody could spend it.");
  if (token !== null && to === token.contract) {
    throw new Fault("ERR_ADDRESS", "The destination is the token's own contract; the tokens would be lost.");
  }
  if (gas.maxPriorityFeePerGas > gas.maxFeePerGas) {
    throw new Fault("ERR_TX_UNSUPPORTED", "The priority fee is larger than the fee; lower it.");
  }
  const data =
    token === null
      ? ""
      : `0x${TRANSFER_SELECTOR}${to.slice(2).toLowerCase().padStart(64, "0")}${units.toString(16).padStart(64, "0")}`;
  try {
    const transaction = new Transaction("eip1559", {
      chainId: chainIdOf(network),
      nonce: BigInt(nonce),
      maxPriorityFeePerGas: gas.maxPriorityFeePerGas,
      maxFeePerGas: gas.maxFeePerGas,
      gasLimit: gas.limit,
      to: token === null ? to : token.contract,
      value: token === null ? units : 0n,
      data,
      accessList: [],
    });
    return transaction.toHex({ includeSignature: false }).slice(2);
  } catch (cause) {
    throw new Fault("ERR_TX_UNSUPPORTED", `The transaction cannot be built: ${reasonOf(cause)}.`, { cause });
  }
}

function describe(bytes: string, network: Network, token: Token | null): ReturnType<Chain["describe"]> {
  const { raw } = parse(bytes);
  if (raw.chainId !== chainIdOf(network)) throw unsupported("it is for another network");
  if (raw.to === "0x") throw unsupported("it creates a contract");
  if (raw.accessList.length !== 0) throw unsupported("it has an access list");
  if (raw.nonce > BigInt(Number.MAX_SAFE_INTEGER)) throw unsupported("its nonce is out of range");
  const maxFeeUnits = raw.gasLimit * raw.maxFeePerGas;
  const common = {
    nonce: Number(raw.nonce),
    maxFee: `${formatUnits(maxFeeUnits, network.decimals)} ${network.symbol}`,
    maxFeeUnits,
  };
  if (token === null) {
    if (raw.data !== "" && raw.data !== "0x") throw unsupported("it carries data");
    if (raw.value === 0n) throw unsupported("it moves nothing");
    return {
      ...common,
      amount: formatUnits(raw.value, network.decimals),
      asset: network.symbol,
      to: addr.addChecksum(raw.to),
    };
  }
  const match = TRANSFER_DATA.exec(raw.data.startsWith("0x") ? raw.data : `0x${raw.data}`);
  if (match === null || raw.value !== 0n) throw unsupported("it is not a plain transfer of a token");
  if (addr.addChecksum(raw.to) !== token.contract) throw unsupported("it calls another contract than the token's");
  const [, to = "", units = ""] = match;
  if (/^0+$/.test(units)) throw unsupported("it moves nothing");
  return {
    ...common,
    amount: formatUnits(BigInt(`0x${units}`), token.decimals),
    asset: token.symbol,
    to: addr.addChecksum(`0x${to}`),
  };
}

function finish(bytes: string, signature: Signature, publicKey: Uint8Array): { raw: string; hash: string } {
  const { raw } = parse(bytes);
  const signed = new Transaction("eip1559", { ...raw, ...signature }, { allowSignatureFields: true });
  const text = signed.toHex({ includeSignature: true });
  // Read back from the text that is released: the same unsigned bytes, with a signature that recovers to the vault's key.
  const read = Transaction.fromHex(text);
  const { r = 0n, s = 0n, yParity = 2 } = isEip1559(read) ? read.raw : {};
  const isVaults =
    read.toHex({ includeSignature: false }) === `0x${bytes}` &&
    equalBytes(recover(compact(r, s), yParity, ethereum.digest(bytes)) ?? new Uint8Array(), publicKey);
  if (!isVaults)
    throw new Fault("ERR_HSM_SIGNATURE", "The HSM's signature is not by the vault's key; nothing was released.");
  return { raw: text, hash: `0x${signed.hash.replace(/^0x/, "")}` };
}

function compact(r: bigint, s: bigint): Uint8Array {
  const hex = (value: bigint) => value.toString(16).padStart(64, "0");
  return hexToBytes(hex(r) + hex(s));
}

function equalBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

type Eip1559 = InstanceType<typeof Transaction<"eip1559">>;

function parse(bytes: string): Eip1559 {
  let transaction: ReturnType<typeof Transaction.fromHex>;
  try {
    transaction = Transaction.fromHex(`0x${bytes}`);
  } catch (cause) {
    throw new Fault("ERR_TX_MALFORMED", `The transaction cannot be read: ${reasonOf(cause)}.`, { cause });
  }
  if (!isEip1559(transaction) || transaction.isSigned) throw unsupported("it is not an unsigned EIP-1559 transaction");
  if (transaction.toHex({ includeSignature: false }) !== `0x${bytes}`) {
    throw new Fault("ERR_TX_MALFORMED", "The transaction is not in its one canonical form.");
  }
  return transaction;
}

function isEip1559(transaction: { type: string }): transaction is Eip1559 {
  return transaction.type === "eip1559";
}

function chainIdOf(network: Network): bigint {
  return BigInt(network.id.slice("eip155:".length));
}

function unsupported(why: string): Fault {
  return new Fault("ERR_TX_UNSUPPORTED", `This transaction is not one that can be approved: ${why}.`);
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return "unknown reason";
  const fields =
    "errors" in cause && Array.isArray(cause.errors) ? (cause.errors as { field: string; error: string }[]) : [];
  return fields.length > 0 ? fields.map(({ field, error }) => `${field}: ${error}`).join(", ") : cause.message;
}
