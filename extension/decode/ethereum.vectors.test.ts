/** The extension's side of protocol/vectors/ethereum.json: hsm-agent/chains/ethereum.vectors.test.ts is the other. */
import { expect, test } from "vitest";
import vectors from "../../protocol/vectors/ethereum.json" with { type: "json" };
import { decodeTransfer } from "./ethereum.ts";

const { decoded, refused } = vectors;

test.each(decoded)("$what", ({ tx, network, token, effect }) => {
  const { amount, asset, to, maxFee, nonce } = decodeTransfer({ sign: [tx], network, token });
  expect({ amount, asset, to, maxFee, nonce }).toEqual(effect);
});

test.each(refused)("refused: $what", ({ tx, network, token, extension: code }) => {
  expect(() => decodeTransfer({ sign: [tx], network, token })).toThrow(
    expect.objectContaining({ name: "Fault", code }),
  );
});

test("none is lost", () => {
  expect([decoded.length, refused.length]).toEqual([43, 41]);
});
