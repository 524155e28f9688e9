/** proof.json with the extension's own decoder: the page that shows a proof judges it as the agent does. */
import { expect, test } from "vitest";
import { verifyProof } from "../protocol/proof.ts";
import { GOOD_PROOFS, REFUSED_PROOFS } from "../protocol/vectors/proof-file.ts";
import { effectOf } from "./proof.ts";

test.each(GOOD_PROOFS)("$what holds", async ({ file, fingerprint, state }) => {
  const verdict = await verifyProof(file, { fingerprint, decode: effectOf });
  expect(verdict.steps.filter(({ ok }) => !ok)).toEqual([]);
  expect(verdict).toMatchObject({ ok: true, proved: { receipt: { state } } });
});

test.each(REFUSED_PROOFS)("$step refuses: $what", async ({ file, fingerprint, step }) => {
  const verdict = await verifyProof(file, { fingerprint, decode: effectOf });
  expect(verdict).toMatchObject({ ok: false, code: "ERR_PROOF", proved: null });
  expect(verdict.steps.at(-1)).toMatchObject({ name: step, ok: false });
});
