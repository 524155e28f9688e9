/**
 * Whatever happens in whatever order: what is signed, released or enacted had enough distinct people under the documents that it names,
 * and no stop before it; and what had, and was not stopped, is done. What may happen is decided in decision.model.ts, which shares no code
 * with the agent.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Model, type Wish } from "./decision.model.ts";
import { ALICE, type Event, OLGA, Run, SPARE, STAFF } from "./decision.run.ts";
import { Office } from "./testing.ts";
import { policyOf, VAULT } from "./testing-people.ts";

const who = fc.nat({ max: STAFF.length - 1 });
const vault = fc.constantFrom(null, VAULT);
const target = fc.nat({ max: 5 });
const wish: fc.Arbitrary<Wish> = fc.oneof(
  fc.record({ do: fc.constant("transfer" as const) }),
  fc.record({
    do: fc.constant("policy" as const),
    threshold: fc.integer({ min: 1, max: 3 }),
    trezors: fc.nat({ max: 1 }),
  }),
  fc.record({ do: fc.constantFrom("remove" as const, "unpair" as const, "unequip" as const, "equip" as const), who }),
  fc.record({ do: fc.constant("thaw" as const), vault }),
);
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("wish" as const), wish, byAlice: fc.boolean(), recovery: fc.boolean() }),
  },
  { weight: 14, arbitrary: fc.record({ do: fc.constant("approve" as const), who, target, spare: fc.nat({ max: 5 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("replay" as const), at: fc.nat(), as: who, same: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("reject" as const, "withdraw" as const), who, target }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("forge" as const), who, target }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cancel" as const), target }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("release" as const), target }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("freeze" as const), who: fc.option(who), vault }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("wait" as const), seconds: fc.constantFrom(1, 600, 2_000, 86_400) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
);

/** What comes while the HSM signs: stops more than anything else. */
const sudden: fc.Arbitrary<Event> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("approve" as const), who, target, spare: fc.nat({ max: 5 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("reject" as const, "withdraw" as const), who, target }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("freeze" as const), who: fc.option(who), vault }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("cancel" as const, "release" as const), target }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("replay" as const), at: fc.nat(), as: who, same: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("pass" as const), seconds: fc.constantFrom(600, 3_700) }) },
);

const world = fc.record({
  threshold: fc.integer({ min: 1, max: 3 }),
  admins: fc.integer({ min: 1, max: 2 }),
  trezors: fc.nat({ max: 1 }),
  events: fc.array(event, { minLength: 6, maxLength: 30 }),
  /** What happens while a vault's key signs, and while the identity does, each time one. */
  atVault: fc.array(fc.option(sudden, { nil: undefined }), { maxLength: 2 }),
  meanwhile: fc.array(fc.option(sudden, { nil: undefined }), { maxLength: 6 }),
});

/** Where each of the three happens, so that no luck is needed for that: a transfer, and then a policy. */
const approval: Event = { do: "approve", who: 1, target: 0, spare: 1 };
const changed: Wish = { do: "policy", threshold: 2, trezors: 0 };
const plain = {
  threshold: 1,
  admins: 1,
  trezors: 0,
  events: [
    approval,
    { do: "release", target: 0 },
    { do: "wish", wish: changed, byAlice: false, recovery: false },
    approval,
  ] satisfies Event[],
  atVault: [],
  meanwhile: [],
};

test("nothing is signed, released or enacted without its quorum or after a stop; and what has the one and not the other is", async () => {
  const seen = { signed: 0, enacted: 0, released: 0 };
  await fc.assert(
    fc.asyncProperty(world, async ({ threshold, admins, trezors, events, atVault, meanwhile }) => {
      const vendors = trezors === 0 ? [] : [{ vendor: "Trezor" as const, atLeast: trezors }];
      const names = STAFF.map(({ name }) => name);
      const recovery = { people: ["Carol", "Dave"], threshold: admins, delay: 24 };
      const policy = {
        rules: policyOf(names, threshold).rules.map((rule) => ({ ...rule, vendors })),
        governance: { threshold: admins, vendors: [], expiresAfter: 60, recovery },
      };
      const roles = [[ALICE, ["initiator", "approver", "admin"]]] as const;
      const office = await Office.open(STAFF, threshold, OLGA, { policy, roles });
      try {
        const model = new Model({ threshold, trezors, admins }, STAFF, SPARE);
        const run = new Run(office, model);
        await run.happen({ do: "wish", wish: { do: "transfer" }, byAlice: false, recovery: false });
        const left = { "P-256": [...meanwhile], secp256k1: [...atVault] };
        let busy = true;
        await run.drive();
        office.hsm.before = async ({ curve }) => {
          const next = busy ? undefined : left[curve].shift();
          if (next === undefined) return;
          busy = true;
          await run.happen(next).finally(() => (busy = false));
        };
        for (const each of events) {
          await run.happen(each);
          busy = false;
          await run.drive();
          busy = true;
        }
        await run.drive();
        for (const id of run.requests) model.settled(id, office.now);
        for (const key of ["signed", "enacted", "released"] as const) seen[key] += model.count(key);
      } finally {
        office.dispose();
      }
    }),
    { numRuns: 80, examples: [[plain]] },
  );
  // The property would hold of an agent that never does anything.
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0);
}, 900_000);
