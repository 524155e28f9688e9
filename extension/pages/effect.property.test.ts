/** For all policies: what changes is never silent. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Policy } from "../../protocol/policy.ts";
import { differenceOf, linesOf } from "./difference.ts";
import { effectsOf } from "./effect.ts";
import { DAI, samplePolicy, USDC } from "./sample-policy.ts";
import { DESTINATION, OTHER } from "./sample-request.ts";

const before = samplePolicy();
const name = fc.constantFrom("alice", "bob", "carol", "Treasury-1", "Cold");
const id = fc.constantFrom("eip155:1", "eip155:10");
const address = fc.constantFrom(DESTINATION, OTHER, USDC, DAI);
const count = fc.integer({ min: 1, max: 4 });
const vendors = fc.array(fc.record({ vendor: fc.constantFrom("Ledger" as const, "Trezor" as const), atLeast: count }), {
  maxLength: 2,
});
const few = <T>(row: fc.Arbitrary<T>) => fc.array(row, { maxLength: 3 });
/** Policies of the right shape, also such that no agent would take: two rows of one name, rules without a group. */
const anyPolicy: fc.Arbitrary<Policy> = fc.record({
  n: fc.constant(17),
  v: fc.constant(1 as const),
  bridge: fc.constantFrom("wss://a.example.com/", "wss://b.example.com/"),
  contact: fc.constantFrom("Olga", "Mallory"),
  networks: few(fc.record({ id, name, symbol: name, decimals: count })),
  tokens: few(fc.record({ network: id, contract: address, symbol: name, decimals: count })),
  vaults: few(fc.record({ name, id, publicKey: id })),
  addressBook: few(fc.record({ name, network: id, address })),
  groups: few(fc.record({ name, members: few(name) })),
  rules: few(
    fc.record({
      vault: name,
      network: id,
      approvers: name,
      threshold: count,
      vendors,
      destinations: fc.constantFrom("any" as const, "book" as const),
      maxFee: fc.constantFrom("0.05", "0.5"),
      expiresAfter: count,
    }),
  ),
  governance: fc.record({
    threshold: count,
    vendors,
    expiresAfter: count,
    recovery: fc.option(fc.record({ people: few(name), threshold: count, delay: count })),
  }),
});

test("a changed policy never has an empty list of effects, and always a changed line", () => {
  fc.assert(
    fc.property(anyPolicy, anyPolicy, fc.subarray(Object.keys(before) as (keyof Policy)[]), (one, other, kept) => {
      const next = { ...other, ...Object.fromEntries(kept.map((key) => [key, one[key]])) } as Policy;
      const effects = effectsOf(one, next);
      const changed = JSON.stringify(one) !== JSON.stringify({ ...next, n: one.n });
      expect(effects.length > 0).toBe(changed);
      const lines = differenceOf(linesOf(one), linesOf(next));
      expect(lines.some(({ kind }) => kind !== "same")).toBe(changed);
    }),
    { numRuns: 300 },
  );
});

/** Every way to change one value of a policy to another of its kind, with the section that it stands in. */
function* changed(value: unknown): Generator {
  if (typeof value === "number") yield value + 1;
  else if (typeof value === "string") yield `${value}9`;
  else if (Array.isArray(value)) {
    const items: unknown[] = value;
    for (const [at, item] of items.entries()) {
      yield items.toSpliced(at, 1);
      for (const other of changed(item)) yield items.with(at, other);
    }
  } else if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value))
      for (const other of changed(item)) yield { ...value, [key]: other };
  }
}

test("every single value that changes is named, and has a line", () => {
  const { n: _n, ...text } = before;
  const all = [...changed(text)] as (typeof text)[];
  expect(all.length).toBeGreaterThan(40);
  for (const next of all) {
    expect(effectsOf(before, next), JSON.stringify(next)).not.toEqual([]);
    expect(linesOf(next)).not.toEqual(linesOf(text));
  }
});
