import { expect, test } from "vitest";
import { namedValues, policySentences } from "./policy-words.ts";
import { samplePeople, samplePolicy, USDC } from "./sample-policy.ts";
import { DESTINATION } from "./sample-request.ts";

test("a policy in sentences, and what its names stand for", () => {
  expect(policySentences(samplePolicy(), samplePeople())).toEqual([
    "Treasury-1 on Ethereum: 3 of 5 (alice, bob, dave, erin and frank) approve; to addresses of the address book only; fee up to 0.05 ETH; a request stays open 2 hours.",
    "Changes of people and policy: 2 of 2 admins (alice and bob) approve; a request stays open 1 day. Who proposes does not count.",
    "Recovery: 2 of 2 (erin and frank) may change people and policy without the admins, 72 hours after they ask for it.",
  ]);
  const { governance } = samplePolicy();
  const strict = { ...governance, vendors: [{ vendor: "Trezor" as const, atLeast: 1 }], recovery: null };
  expect(policySentences(samplePolicy({ governance: strict }), samplePeople()).slice(1)).toEqual([
    "Changes of people and policy: 2 of 2 admins (alice and bob) approve, on at least 1 Trezor; a request stays open 1 day. Who proposes does not count.",
    "Recovery: nobody can act when too many admins have lost their devices.",
  ]);
  expect(namedValues(samplePolicy())).toEqual([
    { name: "USDC on Ethereum, 6 decimals", text: USDC },
    { name: "Kraken-hot on Ethereum (address book)", text: DESTINATION },
  ]);
});
