/** What a pure function gave for the same input, as long as it is asked for often: the oldest is forgotten. Decides nothing. */
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

  set(input: string, value: V): void {
    if (this.#values.size >= this.#most) {
      const [oldest] = this.#values.keys();
      if (oldest !== undefined) this.#values.delete(oldest);
    }
    this.#values.set(input, value);
  }
}
