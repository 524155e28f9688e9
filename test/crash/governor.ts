/** What makes acts while everything else goes on: a person freezes the vault, and the admins lift that. protocol/README.md, "Freeze". */
import { VAULT } from "../harness/policy-plan.ts";
import { until } from "../harness/retry.ts";
import type { Initiator } from "./initiator.ts";
import type { Ledger } from "./ledger.ts";
import type { Person } from "./person.ts";

/** Milliseconds. */
const PATIENCE = 90_000;

export class Governor {
  readonly #person: Person;
  readonly #initiator: Initiator;
  readonly #ledger: Ledger;
  #running: Promise<void> = Promise.resolve();
  #waiting = 0;
  readonly #stuck: string[] = [];
  #rounds = 0;

  constructor(person: Person, initiator: Initiator, ledger: Ledger) {
    this.#person = person;
    this.#initiator = initiator;
    this.#ledger = ledger;
  }

  /** Freezes and lifts it once; one round after the other, and no more than one waits. */
  round(): void {
    if (this.#waiting > 1) return;
    this.#waiting += 1;
    this.#running = this.#running.then(async () => {
      await this.#round().catch((error: unknown) => {
        this.#stuck.push(error instanceof Error ? error.message : String(error));
      });
      this.#waiting -= 1;
    });
  }

  /** Resolves when nothing is frozen any more by this hand. */
  async settled(): Promise<void> {
    await this.#running;
  }

  get stuck(): readonly string[] {
    return this.#stuck;
  }

  get rounds(): number {
    return this.#rounds;
  }

  async #round(): Promise<void> {
    const of = await this.#person.freeze(VAULT);
    await soon(() => this.#ledger.decisions.has(of), "a freeze was not confirmed");
    for (;;) {
      const id = await this.#initiator.move({ verb: "UNFREEZE", change: { vault: VAULT } });
      await soon(() => this.#ledger.ends.has(id), `nobody was told of the end of ${id}, which lifts a freeze`);
      if (this.#ledger.ends.get(id) === "enacted") break;
    }
    this.#rounds += 1;
  }
}

async function soon(isSo: () => boolean, otherwise: string): Promise<void> {
  const began = performance.now();
  await until(() => isSo() || performance.now() - began > PATIENCE);
  if (!isSo()) throw new Error(otherwise);
}
