/**
 * Is a raw transaction exactly the bytes that people approved, with a signature of the vault's key? README.md, "Verifying a proof". Pure,
 * and without a chain library, so that agent, extension and whoever reads a proof ask the same. What the transaction does is not asked here.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { bytesToHex, concatBytes, hexToBytes } from "@noble/hashes/utils.js";
import { Fault } from "./error.ts";

/** EIP-1559 in EIP-2718. */
const TYPE = 0x02;

/** Gas limit and fees per gas (wei) of an unsigned EIP-1559 transaction, hex. @throws Fault ERR_TX_MALFORMED */
export function gasOf(unsigned: string): { limit: bigint; maxFeePerGas: bigint; maxPriorityFeePerGas: bigint } {
  const [, , priority, fee, limit] = itemsOf(listOf(hexToBytes(unsigned)));
  return { limit: numberOf(limit), maxFeePerGas: numberOf(fee), maxPriorityFeePerGas: numberOf(priority) };
}

/**
 * Refuses `raw` (`0x…`) unless it is `unsigned` (hex) with yParity, r and a low s of the key `publicKey` (65 bytes, hex), in canonical RLP.
 * Returns its hash, `0x…`.
 * @throws Fault ERR_TX_MALFORMED, ERR_HSM_SIGNATURE
 */
export function checkSigned(unsigned: string, raw: string, publicKey: string): string {
  const fields = listOf(hexToBytes(unsigned));
  const bytes = hexToBytes(raw.slice(2));
  const whole = listOf(bytes);
  const [yParity, r, s, ...more] = itemsOf(whole.subarray(fields.length));
  if (yParity === undefined || r === undefined || s === undefined || more.length > 0) throw malformed();
  // Written again from its parts: there is one spelling, and nothing in it but these parts.
  if (bytesToHex(listBytes(concatBytes(fields, ...[yParity, r, s].map(itemBytes)))) !== bytesToHex(bytes))
    throw malformed();
  if (recover(hexToBytes(unsigned), { yParity, r, s }) !== publicKey)
    throw new Fault("ERR_HSM_SIGNATURE", "The transaction is not signed by the vault's key.");
  return `0x${bytesToHex(keccak_256(bytes))}`;
}

function recover(unsigned: Uint8Array, { yParity, r, s }: Record<"yParity" | "r" | "s", Uint8Array>): string {
  try {
    const parity = numberOf(yParity);
    const signature = new secp256k1.Signature(numberOf(r), numberOf(s), parity === 0n ? 0 : 1);
    if (parity > 1n || signature.hasHighS()) return "";
    return bytesToHex(signature.recoverPublicKey(keccak_256(unsigned)).toBytes(false));
  } catch {
    return "";
  }
}

/** What is in the list that follows the type's byte, and ends with the bytes. */
function listOf(bytes: Uint8Array): Uint8Array {
  const first = bytes[1] ?? 0;
  if (bytes[0] !== TYPE || first < 0xc0) throw malformed();
  const { begin, end } = spanOf(bytes, 1, 0xc0);
  if (end !== bytes.length) throw malformed();
  return bytes.subarray(begin, end);
}

/** The strings in a list's content; a list among them (the access list) is one with its bytes, as it stands. */
function itemsOf(content: Uint8Array): Uint8Array[] {
  const items: Uint8Array[] = [];
  for (let at = 0; at < content.length; ) {
    const first = content[at] ?? 0;
    const span = first < 0x80 ? { begin: at, end: at + 1 } : spanOf(content, at, first < 0xc0 ? 0x80 : 0xc0);
    if (span.end > content.length) throw malformed();
    items.push(content.subarray(span.begin, span.end));
    at = span.end;
  }
  return items;
}

/** Where the content of the item at `at` begins and ends. `base`: 0x80 of a string, 0xc0 of a list. */
function spanOf(bytes: Uint8Array, at: number, base: number): { begin: number; end: number } {
  const short = (bytes[at] ?? 0) - base;
  if (short <= 55) return { begin: at + 1, end: at + 1 + short };
  const begin = at + 1 + short - 55;
  const length = numberOf(bytes.subarray(at + 1, begin));
  if (length > BigInt(bytes.length)) throw malformed();
  return { begin, end: begin + Number(length) };
}

function itemBytes(content: Uint8Array): Uint8Array {
  return content.length === 1 && (content[0] ?? 0) < 0x80
    ? content
    : concatBytes(headerBytes(content.length, 0x80), content);
}

function listBytes(content: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(TYPE), headerBytes(content.length, 0xc0), content);
}

function headerBytes(length: number, base: number): Uint8Array {
  if (length <= 55) return Uint8Array.of(base + length);
  const hex = length.toString(16);
  const size = hexToBytes(hex.padStart(hex.length + (hex.length % 2), "0"));
  return concatBytes(Uint8Array.of(base + 55 + size.length), size);
}

/** A number in its one spelling: no leading zero, nothing for none. */
function numberOf(bytes: Uint8Array | undefined): bigint {
  if (bytes === undefined || bytes[0] === 0 || bytes.length > 32) throw malformed();
  return bytes.length === 0 ? 0n : BigInt(`0x${bytesToHex(bytes)}`);
}

function malformed(): Fault {
  return new Fault("ERR_TX_MALFORMED", "A transaction is not in its one canonical form.");
}
