/**
 * An approver who is always there, by the protocol and without a browser: answers every request by a plan, keeps each decision until a
 * verified receipt names it, and comes back after every loss of the connection. It sends what it keeps again where the connection or the
 * agent's card is a new one, and never for impatience: what got lost on a road that held would stay lost, and be seen.
 */
import { peekEnvelope } from "../../protocol/envelope.ts";
import { APPROVAL, FREEZE, FREEZES, REFUSAL, REJECTION } from "../../protocol/message.ts";
import { REQUEST, type RequestPayload, requestDigest } from "../../protocol/request.ts";
import { type Arrived, Member } from "../harness/member.ts";
import { claimsOf, jtiOf } from "../harness/message.ts";
import type { Ledger } from "./ledger.ts";

/** Milliseconds between two looks at the connection, and until what was missed is asked for again: as in an extension. */
const LOOK = 250;
const ASK_AGAIN = 10_000;

export type Answer = "approve" | "reject" | "nothing";

export interface PersonParts {
  readonly world: { readonly port: number };
  readonly name: string;
  readonly ledger: Ledger;
  readonly plan: (request: RequestPayload, person: string) => Answer;
}

interface Kept {
  readonly jws: string;
  readonly kind: "approval" | "rejection" | "freeze";
  readonly request: string | null;
}

const KINDS = { [APPROVAL.typ]: "approval", [REJECTION.typ]: "rejection", [FREEZE.typ]: "freeze" } as const;

export class Person extends Member {
  readonly #ledger: Ledger;
  readonly #plan: PersonParts["plan"];
  /** What was signed and not yet confirmed, by its `jti`. */
  readonly #kept = new Map<string, Kept>();
  readonly #open = new Map<string, Arrived>();
  /** Requests that this person has decided on, so that a request that comes again is no new one. */
  readonly #answered = new Set<string>();
  /** Codes of refusals, and faults of this script: what a run may look at. */
  readonly refusals = new Map<string, number>();
  readonly faults: string[] = [];
  #card = "";
  #stopped = false;
  #keeping: Promise<void> | undefined;

  constructor({ world, name, ledger, plan }: PersonParts) {
    super(world, name);
    this.#ledger = ledger;
    this.#plan = plan;
  }

  /** Decisions that no receipt has named yet. */
  get unconfirmed(): readonly string[] {
    return [...this.#kept.values()].map(({ kind, request }) => `${kind} of ${this.name} for ${request ?? "a vault"}`);
  }

  /** From now on everything is answered by the plan. After the founding. */
  start(): void {
    const fail = (error: unknown) => {
      if (!this.#stopped) this.faults.push(`${this.name}: ${error instanceof Error ? error.message : String(error)}`);
    };
    const all = async (opened: Promise<unknown>) => await opened.catch(fail);
    const { mail } = this;
    mail.asking.first = ASK_AGAIN;
    mail.log.follow(({ request, state, records }) => {
      if (this.#stopped) return;
      const mine = records.filter(({ person }) => person === this.name).map(({ of }) => of);
      this.#receive(request, state, mine);
    });
    const followed = [
      mail.follow(REQUEST, ({ payload, jws, bytes }) => this.#take(payload, jws, requestDigest(bytes))),
      mail.follow(FREEZES, ({ payload }) => {
        for (const { of } of payload.freezes) if (of !== null) this.#confirm(of);
      }),
      mail.follow(REFUSAL, ({ payload }) => this.#refused(payload.of, payload.code, payload.request)),
    ];
    for (const one of followed) void all(one);
    this.#keeping = all(this.#keep()).then(() => undefined);
  }

  /** Keeps what is a decision until it is confirmed; all else goes out as a member sends it. */
  override async postRaw(jws: string): Promise<void> {
    const kind = KINDS[peekEnvelope(jws).typ as keyof typeof KINDS];
    if (kind === undefined || this.#keeping === undefined) {
      await super.postRaw(jws);
      return;
    }
    const request = claimsOf(jws)["request"];
    const kept: Kept = { jws, kind, request: typeof request === "string" ? request : null };
    this.#kept.set(jtiOf(jws), kept);
    await this.#send(kept);
  }

  /** Ends the connection, and what keeps it. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.close();
    await this.#keeping;
    this.close();
  }

  #take(payload: RequestPayload, jws: string, digest: string): void {
    const { request } = payload;
    if (payload.verb === "FOUND" || this.#ledger.ends.has(request)) return;
    this.#open.set(request, { jws, payload, digest, statement: payload.statement.replace("{digest}", digest) });
    if (!payload.quorum.people.includes(this.name) || this.#answered.has(request)) return;
    this.#answered.add(request);
    void this.#answer(request);
  }

  async #answer(request: string): Promise<void> {
    const arrived = this.#open.get(request);
    if (arrived === undefined) return;
    const answer = this.#plan(arrived.payload, this.name);
    if (answer === "approve") await this.approve(arrived);
    if (answer === "reject") await this.reject(arrived);
  }

  #receive(request: string, state: string, mine: readonly string[]): void {
    for (const of of mine) this.#confirm(of);
    this.#ledger.told(request, state);
    if (!this.#ledger.ends.has(request)) return;
    this.#open.delete(request);
    // What came after the end is answered with a refusal, which says nothing new.
    for (const [jti, kept] of this.#kept) if (kept.request === request) this.#kept.delete(jti);
  }

  #confirm(jti: string): void {
    const kept = this.#kept.get(jti);
    if (kept === undefined) return;
    this.#kept.delete(jti);
    this.#ledger.decided(jti, { kind: kept.kind, request: kept.request, person: this.name });
  }

  #refused(of: string, code: string, request: string | null): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
    this.#kept.delete(of);
    // Approved again once the admins have lifted it, as the page says.
    if (code === "ERR_FROZEN" && request !== null)
      setTimeout(() => void this.#answer(request).catch(() => undefined), 500).unref();
  }

  async #send(kept: Kept): Promise<void> {
    // Where there is no connection now, the next one begins with all that is kept.
    if (this.mail.isOpen) await this.mail.postOnce(kept.jws).catch(() => undefined);
  }

  async #keep(): Promise<void> {
    while (!this.#stopped) {
      await new Promise((resolve) => setTimeout(resolve, LOOK));
      try {
        if (!this.mail.isOpen) await this.#return();
        const { n, seal } = await this.mail.card();
        const card = `${n} ${seal.x}`;
        // Another card is another life of the agent, which knows what it had recorded and nothing else.
        if (card === this.#card) continue;
        for (const kept of this.#kept.values()) await this.#send(kept);
        this.#card = card;
      } catch {
        // The bridge or the agent is away; it is looked again.
      }
    }
  }

  async #return(): Promise<void> {
    if (this.#stopped) return;
    await this.mail.reconnect();
    if (this.#stopped) this.close();
    this.#card = "";
  }
}
