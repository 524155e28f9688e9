/**
 * The keys of a simulated device: BIP-39, BIP-32, secp256k1. Deterministic (RFC 6979, low s), so that the recorded
 * signatures reproduce. For tests and the demo only: the mnemonic is a string in memory.
 */

import { secp256k1 } from "@noble/curves/secp256k1.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { HDKey } from "@scure/bip32";
import { mnemonicToSeedSync } from "@scure/bip39";

export interface Account {
  /** 65 bytes, starting with 04. */
  readonly publicKey: Uint8Array;
  /** 40 hex digits with EIP-55 capitals, no 0x. */
  readonly address: string;
  /** `v` (27 or 28), r, s: the EIP-191 signature of the message's bytes. */
  signMessage(message: Uint8Array): Uint8Array;
}

export class Wallet {
  readonly #master: HDKey;

  /** A passphrase makes another wallet of the same words. @throws when the mnemonic's words or checksum are wrong. */
  constructor(mnemonic: string, passphrase = "") {
    this.#master = HDKey.fromMasterSeed(mnemonicToSeedSync(mnemonic, passphrase));
  }

  /** The account at a path of u32 (hardened ones with bit 31 set). */
  account(path: readonly number[]): Account {
    const { privateKey } = path.reduce((key, index) => key.deriveChild(index), this.#master);
    if (privateKey === null) throw new Error("the path has no private key");
    const publicKey = secp256k1.getPublicKey(privateKey, false);
    return {
      publicKey,
      address: checksummed(publicKey),
      signMessage(message) {
        const signature = secp256k1.sign(eip191(message), privateKey, { prehash: false, format: "recovered" });
        return Uint8Array.from([27 + (signature[0] ?? 0), ...signature.slice(1)]);
      },
    };
  }
}

function eip191(message: Uint8Array): Uint8Array {
  const prefix = new TextEncoder().encode(`\x19Ethereum Signed Message:\n${message.length}`);
  return keccak_256(Uint8Array.from([...prefix, ...message]));
}

function checksummed(publicKey: Uint8Array): string {
  const plain = Buffer.from(keccak_256(publicKey.slice(1)).slice(12)).toString("hex");
  const capitals = Buffer.from(keccak_256(new TextEncoder().encode(plain))).toString("hex");
  return Array.from(plain, (digit, i) =>
    Number.parseInt(capitals.charAt(i), 16) > 7 ? digit.toUpperCase() : digit,
  ).join("");
}
