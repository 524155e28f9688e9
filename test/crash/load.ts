/**
 * Many requests under way at a time, until it is told to stop: each is proposed, decided on by people, and looked at to its end. What is
 * to become of a request is in its amount, so that everybody plans the same without a word. protocol/README.md, "States".
 */
import type { RequestPayload } from "../../protocol/request.ts";
import { Random } from "../fuzz/random.ts";
import { NETWORK } from "../harness/policy-plan.ts";
import type { Initiator } from "./initiator.ts";
import type { Ledger } from "./ledger.ts";
import type { Answer } from "./person.ts";

/** What is planned for a request: by number. */
type Fate = "signed" | "rejected" | "cancelled";

export interface LoadOptions {
  readonly seed: number;
  readonly ledger: Ledger;
  readonly initiators: readonly Initiator[];
  /** Requests under way at a time. */
  readonly window: number;
  /** Milliseconds that each place in the window waits between two requests, at most. */
  readonly pause: number;
  /** How many requests; without end where it is not said. */
  readonly most?: number;
  /** Where request number `n` goes. */
  readonly networkOf?: (n: number) => string;
}

export class Load {
  readonly #options: LoadOptions;
  readonly #stuck: string[] = [];
  readonly #faults: string[] = [];
  #next = 0;
  #stopped = false;
  #running: Promise<unknown> = Promise.resolve();
  /** Resolves when nothing is waited for any more: what has not ended by then is stuck. */
  readonly #over = Promise.withResolvers<void>();

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  start(): void {
    const places = Array.from({ length: this.#options.window }, async (_, place) => await this.#fill(place));
    this.#running = Promise.all(places);
  }

  /** How many were begun. */
  get begun(): number {
    return this.#next;
  }

  /** No new ones; resolves once those under way have ended, or after so many milliseconds, when the others are stuck. */
  async stop(patience: number): Promise<void> {
    this.#stopped = true;
    const timer = setTimeout(() => this.#over.resolve(), patience);
    await this.#running;
    clearTimeout(timer);
  }

  /** Resolves once all of `most` have ended. Those that did not are stuck, once nothing has ended for so many milliseconds. */
  async done(patience: number): Promise<void> {
    const { ledger } = this.#options;
    let [ends, since] = [ledger.ends.size, performance.now()];
    const timer = setInterval(() => {
      if (ledger.ends.size > ends) [ends, since] = [ledger.ends.size, performance.now()];
      else if (performance.now() - since > patience) this.#over.resolve();
    }, 1_000);
    await this.#running;
    clearInterval(timer);
  }

  /** Requests that did not end in time, with what the agent says of them. */
  get stuck(): readonly string[] {
    return this.#stuck;
  }

  /** Proposals that were refused for good, which none here may be. */
  get faults(): readonly string[] {
    return this.#faults;
  }

  async #fill(place: number): Promise<void> {
    const { initiators, seed, pause, most = Number.POSITIVE_INFINITY } = this.#options;
    const initiator = initiators[place % initiators.length];
    if (initiator === undefined) throw new Error("nobody proposes");
    const chance = new Random(seed, "load", place);
    while (!this.#stopped && this.#next < most) {
      this.#next += 1;
      const number = this.#next;
      await this.#carry(initiator, number, chance).catch((error: unknown) => {
        this.#faults.push(`request number ${number}: ${error instanceof Error ? error.message : String(error)}`);
      });
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, chance.int(pause)));
    }
  }

  async #carry(initiator: Initiator, number: number, chance: Random): Promise<void> {
    const { ledger, seed, networkOf = () => NETWORK } = this.#options;
    const id = await initiator.propose({ network: networkOf(number), amount: amountOf(number) }, chance.once(6));
    const fate = fateOf(seed, number);
    if (fate === "cancelled") await initiator.cancel(id);
    const ended = ledger.ended(id).then(() => true);
    const isEnded = await Promise.race([ended, this.#over.promise.then(() => false)]);
    const shown = await initiator.show(id);
    if (typeof shown.signed === "string") ledger.read(id, shown.signed);
    // Whoever rejects or cancels may be too late: then it is signed.
    const end = ledger.ends.get(id);
    if (end !== undefined && end !== fate && end !== "signed")
      this.#stuck.push(`${id} is ${end} and was to be ${fate}`);
    if (!isEnded) this.#stuck.push(`${id} is ${shown.state} with ${shown.records.length} of ${shown.threshold}`);
  }
}

export interface PlanOptions {
  /** Whether what is asked on this network is of the load. */
  readonly isOurs?: (network: string) => boolean;
  /** How many of those who are asked answer at all; nobody is left out where it is not said. */
  readonly answering?: number;
}

/** What people answer to a request of the load; to any other they say yes. */
export function planOf(
  seed: number,
  { isOurs = (network) => network === NETWORK, answering = Number.POSITIVE_INFINITY }: PlanOptions = {},
): (request: RequestPayload, person: string) => Answer {
  return (request, person) => {
    if (request.verb !== "SEND" || !isOurs(request.network.id)) return "approve";
    const number = numberOf(request.effect.amount);
    const { people } = request.quorum;
    const at = people.indexOf(person);
    if (at === 0 && fateOf(seed, number) === "rejected") return "reject";
    return (at + number) % people.length < answering ? "approve" : "nothing";
  };
}

function fateOf(seed: number, number: number): Fate {
  const chance = new Random(seed, "fate", number).int(20);
  if (chance === 0) return "cancelled";
  return chance === 1 ? "rejected" : "signed";
}

const UNIT = 1_000_000;

/** An amount by which a request is known again: at least two decimals, and no zero at the end beyond them. */
function amountOf(number: number): string {
  const [whole = "", rest = ""] = (number / UNIT + 1).toFixed(6).split(".");
  return `${whole}.${rest.replace(/0{1,4}$/, "")}`;
}

function numberOf(amount: string): number {
  return Math.round((Number(amount) - 1) * UNIT);
}
