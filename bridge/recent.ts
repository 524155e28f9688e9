/**
 * Ids of 16 bytes that were seen, exactly: open addressing in one array of numbers. A Set of as many strings took a tenth of
 * all that the bridge does for a message (measured with test/bench/bridge.ts). Pure. protocol/README.md, "Mailbox".
 */

/** Values of the characters of base64url, by their codes. */
const VALUES = new Uint8Array(128);
for (const [value, code] of Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_").entries()) {
  VALUES[code] = value;
}

/** Numbers of 32 bits that an id is. */
const WORDS = 4;
const SMALLEST = 16;
/** The id that `find` looks for. Of one use at a time: nothing here waits. */
const wanted = new Uint32Array(WORDS);

export class IdSet {
  #slots = new Uint32Array(SMALLEST * WORDS);
  #size = 0;
  /** The id of zeros, which in a slot means that there is none. */
  #hasZero = false;

  get size(): number {
    return this.#size;
  }

  has(id: string): boolean {
    if (this.#size === 0) return false;
    return read(id) ? this.#hasZero : !isFree(this.#slots, find(this.#slots));
  }

  add(id: string): void {
    if (read(id)) {
      if (!this.#hasZero) this.#size += 1;
      this.#hasZero = true;
      return;
    }
    const at = find(this.#slots);
    if (!isFree(this.#slots, at)) return;
    this.#slots.set(wanted, at);
    this.#size += 1;
    // At most half full: a look-up ends after a few steps.
    if (this.#size * 2 * WORDS > this.#slots.length) this.#grow();
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Uint32Array(before.length * 2);
    for (let at = 0; at < before.length; at += WORDS) {
      if (isFree(before, at)) continue;
      for (let word = 0; word < WORDS; word++) wanted[word] = before[at + word] ?? 0;
      this.#slots.set(wanted, find(this.#slots));
    }
  }
}

/** Puts an id of 22 characters into `wanted`: 30 bits and two to each word. Whether it is that of zeros. */
function read(id: string): boolean {
  let [at, any] = [0, 0];
  for (let word = 0; word < WORDS; word++) {
    let value = 0;
    for (const end = at + 5; at < end; at++) value = (value << 6) | (VALUES[id.charCodeAt(at)] ?? 0);
    wanted[word] = value;
    any |= value;
  }
  // Of the last character four bits are always zero.
  const rest = ((VALUES[id.charCodeAt(20)] ?? 0) << 2) | ((VALUES[id.charCodeAt(21)] ?? 0) >> 4);
  for (let word = 0; word < WORDS; word++) wanted[word] = ((wanted[word] ?? 0) << 2) | ((rest >> (2 * word)) & 3);
  return any === 0 && rest === 0;
}

/** Where `wanted` is in `slots`, or the free slot where it would be. Who chooses ids that meet slows the look-up of some thousand of their own. */
function find(slots: Uint32Array): number {
  const mask = slots.length - 1;
  let at = (Math.imul((wanted[0] ?? 0) ^ (wanted[3] ?? 0), 0x9e3779b1) >>> 8) * WORDS;
  for (at &= mask; !isFree(slots, at); at = (at + WORDS) & mask) {
    if (
      slots[at] === wanted[0] &&
      slots[at + 1] === wanted[1] &&
      slots[at + 2] === wanted[2] &&
      slots[at + 3] === wanted[3]
    )
      return at;
  }
  return at;
}

function isFree(slots: Uint32Array, at: number): boolean {
  return slots[at] === 0 && slots[at + 1] === 0 && slots[at + 2] === 0 && slots[at + 3] === 0;
}
