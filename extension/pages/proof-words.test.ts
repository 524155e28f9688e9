import { expect, test } from "vitest";
import { PROOF_STEPS } from "../../protocol/proof.ts";
import { GOOD_PROOFS, REFUSED_PROOFS } from "../../protocol/vectors/proof-file.ts";
import { typedFingerprint, verifyFile } from "../proof.ts";
import { resultHeading, STEP_TITLES } from "./proof-words.ts";

test("every step has a title of its own", () => {
  expect(Object.keys(STEP_TITLES)).toEqual([...PROOF_STEPS]);
  expect(new Set(Object.values(STEP_TITLES)).size).toBe(PROOF_STEPS.length);
});

test("the heading says what is proved, that a file is none, or that it is not to be relied on", async () => {
  const [good] = GOOD_PROOFS;
  const heading = async (proof: { file: Uint8Array; fingerprint: string } | undefined) =>
    resultHeading(await verifyFile(proof?.file ?? new Uint8Array(), proof?.fingerprint ?? ""));
  expect(await heading(good)).toBe("Proved: the request is signed");
  expect(await heading(REFUSED_PROOFS.find(({ step }) => step === "form"))).toBe("This file is no proof");
  expect(await heading(REFUSED_PROOFS.find(({ step }) => step === "answers"))).toContain("do not rely");
});

test("a fingerprint is typed in groups or not, and nothing else is one", () => {
  const digits = "0123456789abcdef".repeat(4);
  expect(typedFingerprint(digits)).toBe(digits);
  expect(typedFingerprint(` ${digits.toUpperCase().replaceAll(/(....)/g, "$1 ")}\n`)).toBe(digits);
  for (const wrong of ["", digits.slice(1), `${digits}0`, `g${digits.slice(1)}`, `0x${digits}`])
    expect(typedFingerprint(wrong)).toBeUndefined();
});
