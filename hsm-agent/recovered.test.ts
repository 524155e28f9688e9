/** The remembered answers against protocol/'s own, on its vectors and on what is asked again. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { recoverSigner } from "../protocol/device-signature.ts";
import { remembering, signerOf } from "./recovered.ts";

const read = () =>
  JSON.parse(readFileSync(new URL("../protocol/vectors/device-signature.json", import.meta.url), "utf8")) as {
    valid: { statement: string; signature: string; address: string }[];
    refused: { statement: string; signature: string; code: string }[];
  };

test("the vectors of device signatures, asked twice", () => {
  const { valid, refused } = read();
  expect([valid.length, refused.length]).toEqual([8, 17]);
  for (const _ of [1, 2]) {
    for (const { statement, signature, address } of valid) expect(signerOf(statement, signature)).toBe(address);
    for (const { statement, signature, code } of refused) {
      expect(() => signerOf(statement, signature)).toThrow(expect.objectContaining({ code }));
    }
  }
});

test("each pair is asked once; another statement or signature is another pair; refusals are asked again", () => {
  const asked: string[] = [];
  const remembered = remembering((statement, signature) => {
    asked.push(`${statement}|${signature}`);
    if (signature === "bad") throw new Error("refused");
    return `${statement}-${signature}`;
  });
  const pairs = [
    ["a", "1"],
    ["a", "2"],
    ["b", "1"],
    ["a1", ""],
    ["", "a1"],
  ] as const;
  for (const [statement, signature] of [...pairs, ...pairs]) {
    expect(remembered(statement, signature)).toBe(`${statement}-${signature}`);
  }
  expect(asked).toHaveLength(pairs.length);
  for (const _ of [1, 2]) expect(() => remembered("a", "bad")).toThrow("refused");
  expect(asked).toHaveLength(pairs.length + 2);
});

test("only the last few are kept, by when they were last asked for", () => {
  const asked: string[] = [];
  const remembered = remembering((statement) => {
    asked.push(statement);
    return statement;
  }, 2);
  for (const statement of ["a", "b", "a", "c", "a", "b"]) remembered(statement, "");
  expect(asked).toEqual(["a", "b", "c", "b"]);
});

test("statements that differ in one character have their own signers", () => {
  const [{ statement, signature, address } = { statement: "", signature: "", address: "" }] = read().valid;
  const other = `${statement.slice(0, -1)}x`;
  expect(signerOf(statement, signature)).toBe(address);
  expect(signerOf(other, signature)).toBe(recoverSigner(other, signature));
  expect(signerOf(other, signature)).not.toBe(address);
});
