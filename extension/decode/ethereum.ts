/**
 * What an Ethereum transaction does, read from its bytes alone: coin and ERC-20 transfers as EIP-1559, and nothing else.
 * The only file that uses viem, a library that the agent does not use. protocol/README.md, "Checking a request", steps 2 and 3.
 * Names, decimals and the expected contract come from the request, which the HSM signed; every number comes from the bytes.
 */
import { formatUnits, getAddress, parseTransaction, serializeTransaction } from "viem/utils";
import { Fault } from "../../protocol/error.ts";
import type { Network, Token } from "../../protocol/network.ts";

export interface DecodedTransfer {
  readonly kind: "native" | "erc20";
  /** Exact decimal in the asset's unit. */
  readonly amount: string;
  readonly asset: string;
  /** Who receives, in EIP-55 spelling: for a token the recipient, not the contract. */
  readonly to: string;
  /** Exact decimal and the network's symbol: gas times the fee per gas. */
  readonly maxFee: string;
  readonly nonce: number;
  readonly chainId: number;
  /** Units of gas. */
  readonly gas: bigint;
  /** Wei. */
  readonly maxFeePerGas: bigint;
  /** Wei. */
  readonly maxPriorityFeePerGas: bigint;
}

/** transfer(address,uint256): selector, address with twelve zero bytes before it, amount; 68 bytes and no more. */
const TRANSFER = /^0xa9059cbb0{24}([0-9a-f]{40})([0-9a-f]{64})$/;

/**
 * Decodes `sign[0]` of a request's payload.
 * @throws Fault ERR_TX_MALFORMED, ERR_TX_UNSUPPORTED; ERR_REQUEST_DIFFERS where chain or token is not the request's
 */
export function decodeTransfer(payload: {
  readonly sign: readonly string[];
  readonly network: Network;
  readonly token: Token | null;
}): DecodedTransfer {
  const { network, token } = payload;
  const transaction = parse(payload.sign);
  const { chainId, nonce = 0, gas = 0n, value = 0n, data = "0x", maxFeePerGas = 0n } = transaction;
  if (`eip155:${chainId}` !== network.id) throw differs("network", network.id, `eip155:${chainId}`);
  if (transaction.to === undefined || transaction.to === null) throw unsupported("it creates a contract");
  if (gas >= 1n << 64n || value >= 1n << 256n) throw unsupported("a number in it is more than the chain can hold");
  if (gas * maxFeePerGas >= 1n << 256n) throw unsupported("its fee is more than the chain can hold");
  const to = getAddress(transaction.to);
  const common = {
    maxFee: `${formatAmount(gas * maxFeePerGas, network.decimals)} ${network.symbol}`,
    nonce,
    chainId,
    gas,
    maxFeePerGas,
    maxPriorityFeePerGas: transaction.maxPriorityFeePerGas ?? 0n,
  };
  if (token === null) {
    if (data !== "0x") throw unsupported(`it is said to send ${network.symbol}, and calls a contract`);
    if (value === 0n) throw unsupported("it moves nothing");
    return { kind: "native", amount: formatAmount(value, network.decimals), asset: network.symbol, to, ...common };
  }
  if (to !== token.contract) throw differs("token", token.contract, to);
  if (value !== 0n) throw unsupported(`it sends ${network.symbol} along with a token`);
  const [, recipient, units] = TRANSFER.exec(data) ?? [];
  if (recipient === undefined || units === undefined) throw unsupported("its call is not a plain transfer of a token");
  const amount = BigInt(`0x${units}`);
  if (amount === 0n) throw unsupported("it moves nothing");
  return {
    kind: "erc20",
    amount: formatAmount(amount, token.decimals),
    asset: token.symbol,
    to: getAddress(`0x${recipient}`),
    ...common,
  };
}

/** Exact; at least two decimals where the asset has them, and no further trailing zeros. */
function formatAmount(units: bigint, decimals: number): string {
  const [whole = "", fraction = ""] = formatUnits(units, decimals).split(".");
  const shown = fraction.padEnd(Math.min(2, decimals), "0");
  return shown === "" ? whole : `${whole}.${shown}`;
}

function parse(sign: readonly string[]) {
  const [hex] = sign;
  if (hex === undefined || sign.length !== 1) throw unsupported("it is not exactly one transaction");
  if (!hex.startsWith("02")) throw unsupported("it is not of type EIP-1559");
  const bytes = `0x02${hex.slice(2)}` as const;
  try {
    const { chainId, nonce, gas, to, value, data, maxFeePerGas, maxPriorityFeePerGas, accessList, ...rest } =
      parseTransaction(bytes);
    if (accessList !== undefined) throw unsupported("it has an access list");
    if ("r" in rest || "s" in rest || "yParity" in rest || "v" in rest) throw unsupported("it is signed already");
    const known = { chainId, nonce, gas, to, value, data, maxFeePerGas, maxPriorityFeePerGas };
    // One spelling only: what is not the canonical form of exactly these fields hides something.
    if (serializeTransaction({ type: "eip1559", ...known }) !== bytes) throw malformed();
    return known;
  } catch (error) {
    throw error instanceof Fault ? error : malformed(error);
  }
}

function malformed(cause?: unknown): Fault {
  return new Fault(
    "ERR_TX_MALFORMED",
    "The request's transaction cannot be read. Do not sign; tell your operator.",
    cause === undefined ? undefined : { cause },
  );
}

function unsupported(what: string): Fault {
  return new Fault("ERR_TX_UNSUPPORTED", `The request's transaction is refused: ${what}. Do not sign.`);
}

/** The one sentence for a request that says something else than its bytes do. */
export function differs(field: string, said: string, done: string): Fault {
  return new Fault(
    "ERR_REQUEST_DIFFERS",
    `The request says ${field} ${said}, but its transaction says ${done}. Do not sign; tell your operator.`,
  );
}
