/**
 * Whether an id may have been seen: a Bloom filter over ids, which are random. "No" is certain; "maybe" is for the store to
 * answer. Pure. protocol/README.md, "Mailbox".
 */

/** 2 MiB: with a million ids two in a hundred new ones are asked for in vain. */
const BITS = 2 ** 24;

export class Sieve {
  readonly #bits = new Uint8Array(BITS / 8);

  add(id: string): void {
    for (const from of PLACES) {
      const bit = bitOf(id, from);
      this.#bits[bit >> 3] = (this.#bits[bit >> 3] ?? 0) | (1 << (bit & 7));
    }
  }

  mayHave(id: string): boolean {
    for (const from of PLACES) {
      const bit = bitOf(id, from);
      if (((this.#bits[bit >> 3] ?? 0) & (1 << (bit & 7))) === 0) return false;
    }
    return true;
  }
}

/** Where in an id the characters of each place begin. */
const PLACES = [0, 5, 10] as const;

/** 24 of the bits that five characters hold, mixed: what they hold of a character is in its lower bits. */
function bitOf(id: string, from: number): number {
  let mixed = 0;
  for (let at = from; at < from + 5; at++) mixed = Math.imul(mixed ^ id.charCodeAt(at), 0x01000193) >>> 0;
  return (mixed ^ (mixed >>> 15)) & (BITS - 1);
}
