import { expect, test } from "vitest";
import { ENDS, lossSentence, nonceLines, unnamedSentence } from "./restore-words.ts";
import { samplePolicy } from "./sample-policy.ts";

const head = (size: number) => ({ size, root: "a".repeat(64) });
const nonces = [
  { vault: "Treasury-1", network: "eip155:1", nonce: 42 },
  { vault: "Treasury-1", network: "eip155:999999", nonce: 0 },
];
const change = (seen: number | null) => ({ log: head(40), seen: seen === null ? null : head(seen), nonces });

test("what is missing is said in numbers, and that signed transactions may be among it", () => {
  const sentence = lossSentence(change(60));
  expect(sentence).toContain("goes back to 40 entries; browsers had seen 60. Up to 20 decisions are missing");
  expect(sentence).toContain("signed transactions among them may exist");
  expect(lossSentence(change(41))).toContain("Up to 1 decision is missing");
  // Another log of the same length, or a shorter one: there is no number, and something is missing.
  for (const size of [40, 30]) expect(lossSentence(change(size))).toContain("Up to 1 decision is missing");
  expect(lossSentence(change(null))).toContain("Nobody's browser is known to have seen more");
  expect(ENDS).toContain("Every open request ends");
});

test("a browser that has seen more than is named says so, and no other", () => {
  expect(unnamedSentence(change(60), head(61))).toMatch(/seen 61 entries, more than the 60 .* Do not approve it/);
  expect(unnamedSentence(change(null), head(41))).toMatch(/more than the 40/);
  for (const known of [null, head(0), head(40), head(60)]) expect(unnamedSentence(change(60), known)).toBe("");
});

test("the next nonces are named by account, a network that the policy does not know by its id", () => {
  const lines = ["Treasury-1 on Ethereum: next nonce 42", "Treasury-1 on eip155:999999: next nonce 0"];
  expect(nonceLines(change(null), samplePolicy())).toEqual(lines);
  expect(nonceLines(change(null), null)[0]).toBe("Treasury-1 on eip155:1: next nonce 42");
});
