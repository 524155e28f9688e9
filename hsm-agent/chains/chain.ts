/** What the agent needs of any chain: build, read back, finish. One file a chain. README.md of protocol/, "Request". */
import type { Network, Token } from "../../protocol/network.ts";
import type { Effect } from "../../protocol/request.ts";

/** A transfer as proposed, in the chain's own units. */
export interface Transfer {
  readonly network: Network;
  /** null for the network's own coin. */
  readonly token: Token | null;
  readonly to: string;
  /** Exact decimal in the asset's unit. */
  readonly amount: string;
  readonly nonce: number;
  readonly gas: { readonly limit: bigint; readonly maxFeePerGas: bigint; readonly maxPriorityFeePerGas: bigint };
}

export interface Signature {
  readonly r: bigint;
  readonly s: bigint;
  readonly yParity: 0 | 1;
}

export interface SignedTransaction {
  /** Serialised, ready to broadcast: `0x…`. */
  readonly raw: string;
  /** Its hash: `0x` and 64 hex digits. */
  readonly hash: string;
}

export interface Chain {
  /** The address of a vault's public key (65 bytes, uncompressed). */
  addressOf(publicKey: Uint8Array): string;
  /** Unsigned bytes of a transfer, hex. @throws Fault ERR_AMOUNT, ERR_TX_UNSUPPORTED */
  build(transfer: Transfer): string;
  /** What unsigned bytes do, read from the bytes alone. @throws Fault ERR_TX_MALFORMED, ERR_TX_UNSUPPORTED */
  describe(bytes: string, network: Network, token: Token | null): Effect & { readonly maxFeeUnits: bigint };
  /** The 32 bytes that the vault key signs for these unsigned bytes. */
  digest(bytes: string): Uint8Array;
  /** Puts the signature in, and refuses one that does not recover to `publicKey`. @throws Fault ERR_HSM_SIGNATURE */
  finish(bytes: string, signature: Signature, publicKey: Uint8Array): SignedTransaction;
}
