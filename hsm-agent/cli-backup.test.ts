/** What the CLI makes of the words of `restore propose`, and what it asks the agent. */
import { expect, test } from "vitest";
import { withNonces } from "./cli-backup.ts";
import { fault } from "./testing-people.ts";

const head = (size: number) => ({ size, root: "a".repeat(64) });
const nonces = [
  { vault: "Treasury-1", network: "eip155:1", nonce: 9 },
  { vault: "Treasury-1", network: "eip155:10", nonce: 0 },
];
const change = (seen: number | null) => ({ log: head(40), seen: seen === null ? null : head(seen), nonces });
const ONE = ["Treasury-1", "eip155:1", "42"];
const OTHER = ["Treasury-1", "eip155:10", "3"];

test("named nonces take the place of the record's own, account by account", () => {
  expect(withNonces(change(null), [])).toEqual(change(null));
  const named = withNonces(change(null), ONE);
  expect(named.nonces.map(({ nonce }) => nonce)).toEqual([42, 0]);
  expect(named).toMatchObject({ log: head(40), seen: null });
  expect(withNonces(change(60), [...OTHER, ...ONE]).nonces.map(({ nonce }) => nonce)).toEqual([42, 3]);
});

test("where entries are missing every account has to be looked up", () => {
  for (const words of [[], ONE, OTHER])
    expect(() => withNonces(change(60), words)).toThrow(expect.objectContaining(fault("ERR_USAGE")) as Error);
});

test.each([
  ["two words", ["Treasury-1", "eip155:1"]],
  ["an account that is not there", ["Treasury-2", "eip155:1", "1"]],
  ["an account twice", [...ONE, ...ONE]],
  ["a nonce that is no whole number", ["Treasury-1", "eip155:1", "1.5"]],
  ["a nonce below zero", ["Treasury-1", "eip155:1", "-1"]],
  ["no nonce", ["Treasury-1", "eip155:1", ""]],
])("refused: %s", (_what, words) => {
  expect(() => withNonces(change(null), words)).toThrow(expect.objectContaining(fault("ERR_USAGE")) as Error);
});
