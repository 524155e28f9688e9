/**
 * The signature of a hardware wallet over a statement: EIP-191 personal_sign by an Ethereum key.
 * README.md, "Device signature". Verification only; the key is in the device.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import * as v from "valibot";
import { Fault } from "./error.ts";

/** `0x`, then r, s and v (1b or 1c): 65 bytes in lower-case hex. Low s only, as EIP-2 asks. */
export const DeviceSignatureSchema = v.pipe(
  v.string(),
  v.regex(/^0x[0-9a-f]{128}1[bc]$/, "a device signature is 0x, r, s and 1b or 1c"),
);

/** An Ethereum address in EIP-55 spelling: 42 characters. */
export const EthereumAddressSchema = v.pipe(
  v.string(),
  v.regex(/^0x[0-9a-fA-F]{40}$/, "an address is 0x and 40 hex digits"),
  // Asked of what failed above as well: only what is as long as an address is spelled.
  v.check(
    (address) => address.length === 42 && checksumAddress(address) === address,
    "the address must have its EIP-55 checksum",
  ),
);

/** Spellings that are kept, of addresses only: people's devices are few, and each is read again with every entry of the log. */
const SPELLED = new Map<string, string>();
const SPELLED_MAX = 1_024;
const DIGITS = /^[0-9a-f]{40}$/;

/** EIP-55 spelling of `0x` and 40 hex digits in any case. */
export function checksumAddress(address: string): string {
  const digits = address.slice(2).toLowerCase();
  const known = SPELLED.get(digits);
  if (known !== undefined) return known;
  const hash = bytesToHex(keccak_256(utf8ToBytes(digits)));
  const spelled = `0x${digits
    .split("")
    .map((digit, at) => (Number.parseInt(hash[at] ?? "0", 16) >= 8 ? digit.toUpperCase() : digit))
    .join("")}`;
  if (!DIGITS.test(digits)) return spelled;
  if (SPELLED.size >= SPELLED_MAX) SPELLED.clear();
  SPELLED.set(digits, spelled);
  return spelled;
}

/** Address of an uncompressed secp256k1 public key (65 bytes). */
export function addressOfPublicKey(publicKey: Uint8Array): string {
  return checksumAddress(`0x${bytesToHex(keccak_256(publicKey.subarray(1)).subarray(12))}`);
}

/** keccak256 of the EIP-191 version 0x45 form of a text. 32 bytes. */
export function personalMessageHash(text: string): Uint8Array {
  const bytes = utf8ToBytes(text);
  return keccak_256(concatBytes(utf8ToBytes(`\x19Ethereum Signed Message:\n${bytes.length}`), bytes));
}

/**
 * The curve operation: the public key (65 bytes, uncompressed) for which `signature` (64 bytes r || s) over `digest` (32 bytes) is valid
 * with this recovery id; undefined where there is none.
 */
export type RecoverKey = (signature: Uint8Array, recovery: 0 | 1, digest: Uint8Array) => Uint8Array | undefined;

const recoverWithNoble: RecoverKey = (signature, recovery, digest) =>
  secp256k1.Signature.fromBytes(signature, "compact").addRecoveryBit(recovery).recoverPublicKey(digest).toBytes(false);

/**
 * The address whose key signed `statement`. `recover` does the curve's part; what it is given is well formed, in range and of low s.
 * @throws Fault ERR_APPROVAL_SIGNATURE where the signature is malformed, has a high s or recovers to nothing.
 */
export function recoverSigner(statement: string, signature: string, recover: RecoverKey = recoverWithNoble): string {
  if (!v.is(DeviceSignatureSchema, signature)) throw badSignature();
  const bytes = hexToBytes(signature.slice(2));
  const compact = bytes.subarray(0, 64);
  try {
    if (secp256k1.Signature.fromBytes(compact, "compact").hasHighS()) throw badSignature();
    const publicKey = recover(compact, bytes[64] === 27 ? 0 : 1, personalMessageHash(statement));
    if (publicKey === undefined) throw badSignature();
    return addressOfPublicKey(publicKey);
  } catch {
    throw badSignature();
  }
}

function badSignature(): Fault {
  return new Fault("ERR_APPROVAL_SIGNATURE", "The device's signature does not verify; sign again on the device.");
}
