/** Chance that can be repeated: what comes out follows from the seed, the target's name and the input's number alone. Not for secrets. */

export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** The generator of one input (sfc32). */
  constructor(seed: number, name: string, number: number) {
    this.#a = seed >>> 0;
    this.#b = hashOf(name);
    this.#c = number >>> 0;
    for (let round = 0; round < 12; round += 1) this.next();
  }

  /** 32 random bits, as a number from 0. */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter) >>> 0;
    this.#counter = (this.#counter + 1) >>> 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) >>> 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) >>> 0;
    return sum;
  }

  /** A whole number from 0 up to, and without, `below`. */
  int(below: number): number {
    return below <= 1 ? 0 : this.next() % below;
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.int(times) === 0;
  }

  pick<T>(values: readonly T[]): T {
    const at = this.int(values.length);
    // The only way past the end is an empty list, which is a mistake of the target.
    if (at >= values.length) throw new RangeError("nothing to pick from");
    return values[at] as T;
  }

  /** Small numbers mostly, now and then a large one: lengths that parsers meet, and lengths that they do not expect. */
  length(): number {
    return this.once(12) ? this.int(4_000) : this.int(24);
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.int(256));
  }

  /** Any text: of ASCII, of any UTF-16 units, lone surrogates among them. */
  text(length: number): string {
    const ascii = this.once(2);
    let made = "";
    for (let at = 0; at < length; at += 1)
      made += String.fromCharCode(ascii ? 32 + this.int(95) : this.int(this.once(2) ? 256 : 65_536));
    return made;
  }
}

/** FNV-1a. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at += 1) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193) >>> 0;
  return hash;
}
