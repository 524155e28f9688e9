/** The agent's side of protocol/vectors/ethereum.json: extension/decode/ethereum.vectors.test.ts is the other. */
import { expect, test } from "vitest";
import vectors from "../../protocol/vectors/ethereum.json" with { type: "json" };
import { ethereum } from "./ethereum.ts";

const { decoded, refused } = vectors;

test.each(decoded)("$what", ({ tx, network, token, effect }) => {
  const { maxFeeUnits: _, ...described } = ethereum.describe(tx, network, token);
  expect(described).toEqual(effect);
});

test.each(refused)("refused: $what", ({ tx, network, token, agent: code }) => {
  expect(() => ethereum.describe(tx, network, token)).toThrow(expect.objectContaining({ name: "Fault", code }));
});

test("none is lost", () => {
  expect([decoded.length, refused.length]).toEqual([43, 41]);
});
