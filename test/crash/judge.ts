/**
 * Compares what was acknowledged with what is in the record, and keeps every signed form that was ever seen. It asks the agent nothing:
 * it reads files and the ledger. An observer, so it never repairs and never excuses.
 */
import { parseTransaction, serializeTransaction } from "viem";
import type { Ledger } from "./ledger.ts";
import type { AgentRecord, RecordedDecision } from "./record.ts";

/** Begins the name of a decision that a page told. */
export const PAGE = "page ";

export class Judge {
  readonly #ledger: Ledger;
  /** All signed forms of each request, by whatever road they were seen. */
  readonly #forms = new Map<string, Set<string>>();
  /** The unsigned transactions that were signed with each (vault, network, nonce). */
  readonly #unsigned = new Map<string, Set<string>>();
  readonly #lost = new Set<string>();
  #acts = 0;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** Looks at the record. `when` names the moment, for a person who reads the report. */
  examine(record: AgentRecord, when: string): void {
    const { proposals, decisions, handedOut, ends } = this.#ledger;
    const lose = (what: string) => this.#lost.add(`${what} (${when})`);
    for (const [jti, id] of proposals) {
      const found = record.requests.get(id);
      if (found?.proposal !== jti) lose(`request ${id}`);
    }
    for (const [jti, { kind, request, person }] of decisions) {
      const isIt = (of: RecordedDecision | undefined) =>
        of?.kind === kind && of.request === request && of.person === person;
      // A page does not tell the name of the message: there is one approval of a person for a request at most.
      const isThere =
        kind === "freeze"
          ? record.freezes.has(jti)
          : isIt(record.decisions.get(jti)) || (jti.startsWith(PAGE) && [...record.decisions.values()].some(isIt));
      if (!isThere) lose(`${kind} of ${person} for ${request ?? "a vault"}`);
    }
    for (const [id, state] of ends) {
      const found = record.requests.get(id);
      if (found?.state !== state) lose(`end "${state}" of ${id}, which is ${found?.state ?? "gone"}`);
    }
    for (const [id, signed] of handedOut) {
      this.#see(id, signed);
      if (record.requests.get(id)?.signed !== signed) lose(`signed transaction of ${id}`);
    }
    if (record.acts < this.#acts) lose(`act ${this.#acts}, where ${record.acts} are`);
    this.#acts = record.acts;
    for (const { id, vault, network, nonce, signed } of record.requests.values()) {
      if (signed === null) continue;
      this.#see(id, signed);
      const place = `${vault} ${network} nonce ${nonce}`;
      add(this.#unsigned, place, unsignedOf(signed));
    }
  }

  /** Acknowledged and not there, or contradicted. */
  lost(): string[] {
    return [...this.#lost, ...this.#ledger.contradictions];
  }

  signedTwice(): string[] {
    const forms = [...this.#forms].filter(([, seen]) => seen.size > 1).map(([id]) => `request ${id}`);
    const nonces = [...this.#unsigned].filter(([, seen]) => seen.size > 1).map(([place]) => place);
    return [...forms, ...nonces];
  }

  #see(id: string, signed: string): void {
    add(this.#forms, id, signed);
  }
}

function add(to: Map<string, Set<string>>, key: string, value: string): void {
  to.set(key, (to.get(key) ?? new Set()).add(value));
}

const known = new Map<string, string>();

/** The transaction without its signature, by another library than the agent's. */
function unsignedOf(signed: string): string {
  const seen = known.get(signed);
  if (seen !== undefined) return seen;
  const { r: _r, s: _s, v: _v, yParity: _y, ...bare } = parseTransaction(signed as `0x02${string}`);
  const unsigned = serializeTransaction(bare);
  known.set(signed, unsigned);
  return unsigned;
}
