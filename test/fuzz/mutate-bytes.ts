/** Bytes that are nearly right, and base64url of them. */
import type { Random } from "./random.ts";

/** One to four edits of `bytes`. */
export function mutateBytes(random: Random, bytes: Uint8Array, corpus: readonly Uint8Array[]): Uint8Array {
  let made = bytes;
  for (let edits = 1 + random.int(random.once(3) ? 4 : 1); edits > 0; edits -= 1) made = edit(random, made, corpus);
  return made;
}

function edit(random: Random, bytes: Uint8Array, corpus: readonly Uint8Array[]): Uint8Array {
  const at = random.int(bytes.length + 1);
  const to = Math.min(bytes.length, at + random.length());
  const [head, piece, tail] = [bytes.subarray(0, at), bytes.subarray(at, to), bytes.subarray(to)];
  switch (random.int(9)) {
    case 0:
      return join(head, tail);
    case 1:
      return join(head, piece, piece, tail);
    case 2:
      return random.once(2) ? head : bytes.subarray(at);
    case 3:
      return join(head, random.bytes(random.length()), bytes.subarray(at));
    case 4: {
      const other = random.pick(corpus);
      const from = random.int(other.length);
      return join(head, other.subarray(from, from + random.length()), random.once(2) ? tail : bytes.subarray(at));
    }
    case 5:
      return join(head, Uint8Array.of(random.pick([0, 1, 0x7f, 0x80, 0xb8, 0xc0, 0xf8, 0xff])), bytes.subarray(at + 1));
    case 6:
      return random.once(2) ? join(bytes, random.bytes(1 + random.int(3))) : join(random.bytes(1), bytes);
    case 7:
      return join(
        head,
        piece.map(() => random.pick([0, 0xff])),
        tail,
      );
    default: {
      const flipped = Uint8Array.from(bytes);
      const place = random.int(bytes.length);
      flipped[place] = (flipped[place] ?? 0) ^ (1 << random.int(8));
      return flipped.subarray(0, bytes.length);
    }
  }
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

export function encode64(bytes: Uint8Array | string): string {
  return Buffer.from(bytes).toString("base64url");
}

/** Lenient, as an attacker reads. */
export function decode64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64url"));
}

/** base64url of the same bytes in another spelling: unused bits, padding, the other alphabet, white space. */
export function respell64(random: Random, text: string): string {
  switch (random.int(5)) {
    case 0:
      return `${text}${random.pick(["=", "==", "\n", " ", "A", "."])}`;
    case 1: {
      const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
      const last = alphabet.indexOf(text.at(-1) ?? "A");
      return text.slice(0, -1) + (alphabet[last ^ (1 + random.int(3))] ?? "");
    }
    case 2:
      return text.replaceAll("-", "+").replaceAll("_", "/");
    case 3: {
      const at = random.int(text.length);
      return `${text.slice(0, at)}${random.pick(["\n", " ", "=", "\u200b", "%41"])}${text.slice(at)}`;
    }
    default:
      return text.slice(0, text.length - random.int(4));
  }
}
