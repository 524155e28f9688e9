import fc from "fast-check";
import { expect, test } from "vitest";
import { differenceOf, linesOf } from "./difference.ts";
import { samplePolicy } from "./sample-policy.ts";
import { OTHER } from "./sample-request.ts";

const text = samplePolicy();

test("every value of the document stands in a line that says what it is", () => {
  expect(linesOf(text)).toEqual([
    "version of the format: 1",
    "bridge: wss://bridge.example.com/",
    "contact: Olga, +41 44 000 00 00",
    "network eip155:1, name: Ethereum",
    "network eip155:1, symbol: ETH",
    "network eip155:1, decimals: 18",
    "token 0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48 on eip155:1, symbol: USDC",
    "token 0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48 on eip155:1, decimals: 6",
    `vault Treasury-1, key in the HSM: ${"ab".repeat(16)}`,
    `vault Treasury-1, public key: 04${"11".repeat(64)}`,
    "address book Kraken-hot, network: eip155:1",
    "address book Kraken-hot, address: 0x52908400098527886E0F7030069857D2E4169EE7",
    "group treasurers, members: alice, bob, dave, erin, frank",
    "rule Treasury-1 on eip155:1, approvers: treasurers",
    "rule Treasury-1 on eip155:1, threshold: 3",
    "rule Treasury-1 on eip155:1, devices asked for: none",
    "rule Treasury-1 on eip155:1, destinations: book",
    "rule Treasury-1 on eip155:1, highest fee: 0.05",
    "rule Treasury-1 on eip155:1, open for (minutes): 120",
    "governance, threshold: 2",
    "governance, devices asked for: none",
    "governance, open for (minutes): 1440",
    "governance, recovery, people: erin, frank",
    "governance, recovery, threshold: 2",
    "governance, recovery, delay (hours): 72",
  ]);
});

test("a list within a row, and none where there was one", () => {
  const changed = { ...text, addressBook: [], governance: { ...text.governance, recovery: null } };
  const vendors = [{ vendor: "Trezor" as const, atLeast: 1 }];
  const lines = linesOf({ ...changed, rules: text.rules.map((rule) => ({ ...rule, vendors })) });
  expect(lines).toContain("address book: none");
  expect(lines).toContain("governance, recovery: none");
  expect(lines).toContain("rule Treasury-1 on eip155:1, devices asked for Trezor, at least: 1");
});

test("a member that nobody has named yet is not hidden", () => {
  const [rule] = text.rules;
  const lines = linesOf({ ...text, rules: [{ ...rule, weekends: "never" }], colour: "blue" } as never);
  expect(lines).toContain("rule Treasury-1 on eip155:1, weekends: never");
  expect(lines).toContain("colour: blue");
});

test("a changed line stands as removed and then as added, among the same ones", () => {
  const next = { ...text, addressBook: text.addressBook.map((payee) => ({ ...payee, address: OTHER })) };
  const changed = differenceOf(linesOf(text), linesOf(next)).filter(({ kind }) => kind !== "same");
  expect(changed).toEqual([
    { kind: "removed", text: "address book Kraken-hot, address: 0x52908400098527886E0F7030069857D2E4169EE7" },
    { kind: "added", text: `address book Kraken-hot, address: ${OTHER}` },
  ]);
  expect(differenceOf(linesOf(text), linesOf(text)).every(({ kind }) => kind === "same")).toBe(true);
});

test("the difference holds both texts whole, in order", () => {
  const lines = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 12 });
  fc.assert(
    fc.property(lines, lines, (before, after) => {
      const difference = differenceOf(before, after);
      const without = (kind: string) => difference.filter((line) => line.kind !== kind).map((line) => line.text);
      expect(without("added")).toEqual(before);
      expect(without("removed")).toEqual(after);
    }),
  );
});
