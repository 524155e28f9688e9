/**
 * Whatever happens in whatever order: a signature implies enough distinct eligible people other than the initiator, and no stop
 * before it. The model here knows people and time only; it shares no code with policy.ts, verify.ts or requests.ts.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Fault, isFault } from "../protocol/error.ts";
import { CANCELLATION } from "../protocol/message.ts";
import { advance, expireRequests } from "./advance.ts";
import { receive } from "./inbound.ts";
import { cancel } from "./proposals.ts";
import { makePerson, Office, type Person } from "./testing.ts";

const STAFF = ["Alice", "Bob", "Carol", "Dave"].map((name) => makePerson(name));
const NAMES = STAFF.map(({ name }) => name);

const who = fc.nat({ max: STAFF.length - 1 });
const event = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("approve" as const), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("replay" as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reject" as const), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("withdraw" as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("forge" as const), who }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom("policy" as const, "people" as const, "cancel" as const), who }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), who: fc.nat({ max: 2_000 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("advance" as const, "crash" as const), who }) },
);
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

const world = fc.record({
  threshold: fc.integer({ min: 1, max: 3 }),
  /** Who proposes; may be an approver too. */
  initiator: who,
  group: fc.uniqueArray(who, { minLength: 3 }),
  events: fc.array(event, { minLength: 3, maxLength: 14 }),
  /** What happens while the HSM makes the vault's signature, each time one event. */
  meanwhile: fc.array(fc.option(event, { nil: undefined }), { maxLength: 3 }),
});

/** What ought to be so. */
interface Model {
  readonly eligible: ReadonlySet<string>;
  readonly threshold: number;
  readonly expires: number;
  readonly approved: Set<string>;
  readonly withdrawn: Set<string>;
  stopped: boolean;
  signed: boolean;
}

class Run {
  readonly office: Office;
  readonly id: string;
  readonly model: Model;
  readonly #initiator: Person;
  readonly #sent = new Map<string, string>();

  constructor(office: Office, id: string, initiator: Person, model: Model) {
    this.office = office;
    this.id = id;
    this.#initiator = initiator;
    this.model = model;
  }

  get #isOpen(): boolean {
    return !this.model.stopped && !this.model.signed && this.office.now < this.model.expires;
  }

  get hasQuorum(): boolean {
    return [...this.model.approved].filter((name) => !this.model.withdrawn.has(name)).length >= this.model.threshold;
  }

  /** One event, in the world and in the model. */
  async happen({ do: what, who: n }: Event): Promise<void> {
    const { office, id, model } = this;
    const person = STAFF[n % STAFF.length] ?? this.#initiator;
    const counts = this.#isOpen && model.eligible.has(person.name);
    switch (what) {
      case "approve": {
        const jws = await office.approval(person, id);
        this.#sent.set(person.name, jws);
        if (counts && !model.withdrawn.has(person.name)) model.approved.add(person.name);
        await receive(office.desk, person.key.kid, jws);
        return;
      }
      case "replay": {
        // Their own message again, and as if it were another's.
        const jws = this.#sent.get(person.name);
        for (const from of jws === undefined ? [] : STAFF) await receive(office.desk, from.key.kid, jws ?? "");
        return;
      }
      case "forge": {
        // The device of one inside the message of the next.
        const next = STAFF[(n + 1) % STAFF.length] ?? person;
        const jws = await office.approval({ ...next, sign: person.sign, address: person.address }, id);
        await receive(office.desk, next.key.kid, jws);
        return;
      }
      case "reject":
        if (counts) model.stopped = true;
        await office.reject(person, id);
        return;
      case "withdraw":
        if (counts) model.withdrawn.add(person.name);
        await office.withdraw(person, id);
        return;
      case "policy":
        model.stopped = true;
        office.setPolicy(NAMES, 1);
        return;
      case "people":
        model.stopped = true;
        office.add(makePerson(`P${crypto.randomUUID().slice(0, 8)}`));
        return;
      case "cancel": {
        const jws = await office.message(CANCELLATION, this.#initiator.key, { request: id });
        if (this.#isOpen) model.stopped = true;
        await cancel(office.desk, jws).catch(ignoreFault);
        return;
      }
      case "wait":
        office.now += n;
        expireRequests(office.desk);
        return;
      case "crash":
        office.reopen();
        return;
      case "advance":
        return;
    }
  }

  /** Drives the request until it rests, and holds the record against the model. */
  async drive(): Promise<void> {
    for (let left = 6; left > 0; left -= 1) {
      const done = await advance(this.office.desk, this.id).then(() => true, ignoreFault);
      if (done) break;
      expect(left).toBeGreaterThan(1);
    }
    this.check();
  }

  check(): void {
    const { signed, state } = this.office.row(this.id);
    expect(signed !== null).toBe(state === "signed");
    if (signed === null) return;
    if (!this.model.signed) {
      expect(this.hasQuorum).toBe(true);
      expect(this.model.stopped).toBe(false);
      this.model.signed = true;
    }
  }
}

function ignoreFault(error: unknown): false {
  if (isFault(error)) return false;
  throw error instanceof Error ? error : new Fault("ERR_INTERNAL", "not an error");
}

test("a signature implies a quorum of eligible people and no stop; a quorum without a stop, a signature", async () => {
  let signatures = 0;
  await fc.assert(
    fc.asyncProperty(world, async ({ threshold, initiator, group, events, meanwhile }) => {
      const proposer = STAFF[initiator] ?? makePerson("Olga");
      const office = await Office.open(STAFF, threshold);
      try {
        // What proposes is a key in a file, whoever's.
        const proposing = { ...proposer, key: makePerson("x").key };
        office.add(proposing, ["initiator"], "files");
        const members = group.flatMap((n) => STAFF[n]?.name ?? []);
        office.setPolicy(members, threshold);
        const eligible = new Set(members.filter((name) => name !== proposer.name));
        const id = await office.propose(proposing).catch(ignoreFault);
        if (id === false) {
          expect(eligible.size).toBeLessThan(threshold);
          return;
        }
        const model = {
          eligible,
          threshold,
          expires: office.row(id).expires,
          approved: new Set<string>(),
          withdrawn: new Set<string>(),
          stopped: false,
          signed: false,
        };
        const run = new Run(office, id, proposing, model);
        await run.drive();
        const left = [...meanwhile];
        office.hsm.before = async ({ curve }) => {
          const next = curve === "secp256k1" ? left.shift() : undefined;
          // A crash here would close the record under the step itself; advance.test.ts does that.
          if (next !== undefined && next.do !== "crash") await run.happen(next);
        };
        for (const each of events) {
          await run.happen(each);
          await run.drive();
        }
        if (run.hasQuorum && !model.stopped && office.now < model.expires) expect(model.signed).toBe(true);
        if (model.signed) signatures += 1;
      } finally {
        office.dispose();
      }
    }),
    { numRuns: 40 },
  );
  // The property would hold of an agent that never signs.
  expect(signatures).toBeGreaterThan(0);
});
