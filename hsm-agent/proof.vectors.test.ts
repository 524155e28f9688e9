/** proof.json with the agent's decoder, and one bit changed anywhere in a file. */
import { expect, test } from "vitest";
import { verifyProof } from "../protocol/proof.ts";
import type { TransferRequest } from "../protocol/request.ts";
import { GOOD_PROOFS, REFUSED_PROOFS } from "../protocol/vectors/proof-file.ts";
import { ethereum } from "./chains/ethereum.ts";

const decode = ({ sign: [unsigned = ""], network, token }: TransferRequest) =>
  ethereum.describe(unsigned, network, token);

test.each(GOOD_PROOFS)("$what holds", async ({ file, fingerprint, state }) => {
  const verdict = await verifyProof(file, { fingerprint, decode });
  expect(verdict.steps.filter(({ ok }) => !ok)).toEqual([]);
  expect(verdict).toMatchObject({ ok: true, proved: { receipt: { state } } });
});

test.each(REFUSED_PROOFS)("$step refuses: $what", async ({ file, fingerprint, step }) => {
  const verdict = await verifyProof(file, { fingerprint, decode });
  expect(verdict).toMatchObject({ ok: false, code: "ERR_PROOF", proved: null });
  expect(verdict.steps.at(-1)).toMatchObject({ name: step, ok: false });
});

test("one bit changed anywhere is refused", async () => {
  const [{ file, fingerprint } = { file: new Uint8Array(), fingerprint: "" }] = GOOD_PROOFS;
  const passed: number[] = [];
  // A stride that has no factor with 8 or the length: places and bits of them all over the file.
  for (let bit = 0; bit < file.length * 8; bit += 157) {
    const changed = Uint8Array.from(file);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    if ((await verifyProof(changed, { fingerprint, decode })).ok) passed.push(bit);
  }
  expect(passed).toEqual([]);
});
