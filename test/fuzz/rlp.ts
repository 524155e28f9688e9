/** RLP of our own, small: it reads the strict form only, and writes any form, the wrong ones too. */
import { join } from "./mutate-bytes.ts";
import type { Random } from "./random.ts";

export type Rlp = Uint8Array | Rlp[];

/** The value of strict RLP, or undefined: shortest lengths, nothing behind the end. */
export function readRlp(bytes: Uint8Array): Rlp | undefined {
  const read = item(bytes, 0);
  return read !== undefined && read.end === bytes.length ? read.value : undefined;
}

function item(bytes: Uint8Array, at: number): { value: Rlp; end: number } | undefined {
  const first = bytes[at];
  if (first === undefined) return undefined;
  if (first < 0x80) return { value: bytes.subarray(at, at + 1), end: at + 1 };
  const isList = first >= 0xc0;
  const short = first - (isList ? 0xc0 : 0x80);
  const lengthBytes = short > 55 ? short - 55 : 0;
  let length = lengthBytes === 0 ? short : 0;
  for (const byte of bytes.subarray(at + 1, at + 1 + lengthBytes)) length = length * 256 + byte;
  const start = at + 1 + lengthBytes;
  const end = start + length;
  if (end > bytes.length || (lengthBytes > 0 && (length < 56 || bytes[at + 1] === 0))) return undefined;
  if (!isList) {
    const value = bytes.subarray(start, end);
    return length === 1 && (value[0] ?? 0) < 0x80 ? undefined : { value, end };
  }
  const items: Rlp[] = [];
  for (let next = start; next < end; ) {
    const read = item(bytes, next);
    if (read === undefined || read.end > end) return undefined;
    items.push(read.value);
    next = read.end;
  }
  return { value: items, end };
}

/** With `random`, now and then in a form that is not the shortest, or with a length that is not so. */
export function writeRlp(value: Rlp, random?: Random): Uint8Array {
  const isWrong = random?.once(40) === true;
  if (value instanceof Uint8Array) {
    if (value.length === 1 && (value[0] ?? 0) < 0x80 && !isWrong) return value;
    return join(prefix(value.length, 0x80, isWrong, random), value);
  }
  const body = join(...value.map((one) => writeRlp(one, random)));
  return join(prefix(body.length, 0xc0, isWrong, random), body);
}

function prefix(length: number, base: number, isWrong: boolean, random?: Random): Uint8Array {
  const said = isWrong && random?.once(2) === true ? Math.max(0, length + random.int(5) - 2) : length;
  if (said < 56 && !(isWrong && random?.once(2) === true)) return Uint8Array.of(base + said);
  const digits = Buffer.from(said.toString(16).padStart(said > 0xffff ? 6 : said > 0xff ? 4 : 2, "0"), "hex");
  const padded = isWrong && random?.once(2) === true ? join(Uint8Array.of(0), digits) : new Uint8Array(digits);
  return join(Uint8Array.of(base + 55 + padded.length), padded);
}

/** A number as RLP has it: no leading zeros, nothing for zero. */
export function numberBytes(value: bigint): Uint8Array {
  const hex = value.toString(16);
  return value === 0n
    ? new Uint8Array()
    : new Uint8Array(Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex"));
}
