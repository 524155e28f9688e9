/** What was found under a name, as long as there is room: the oldest is forgotten. Decides nothing. */
export class Memo<V> {
  readonly #most: number;
  readonly #values = new Map<string, V>();

  /** `most`: how many results are kept. */
  constructor(most: number) {
    this.#most = most;
  }

  get(input: string): V | undefined {
    return this.#values.get(input);
  }

  clear(): void {
    this.#values.clear();
  }

  set(input: string, value: V): void {
    if (this.#values.size >= this.#most && !this.#values.has(input)) {
      const [oldest] = this.#values.keys();
      if (oldest !== undefined) this.#values.delete(oldest);
    }
    this.#values.set(input, value);
  }
}
