import { expect, test } from "vitest";
import { samplePayload } from "./sample-request.ts";
import { askedWords, groupAmount, inFours, listWords, reasonClause, sentenceOf } from "./wording.ts";

test("an amount is grouped for reading and never rounded", () => {
  expect(groupAmount("250000.00")).toBe("250,000.00");
  expect(groupAmount("1234567")).toBe("1,234,567");
  expect(groupAmount("0.000001234567")).toBe("0.000001234567");
  expect(groupAmount("999.50")).toBe("999.50");
});

test("a sentence names amount, whole destination and vault", () => {
  expect(sentenceOf(samplePayload())).toBe(
    "Send 1.50 ETH to 0x52908400098527886E0F7030069857D2E4169EE7 from Treasury-1",
  );
});

test("groups of four lose nothing", () => {
  expect(inFours("")).toEqual([]);
  expect(inFours("0123456789")).toEqual(["0123", "4567", "89"]);
});

test("lists and reasons read as sentences", () => {
  expect(listWords([])).toBe("");
  expect(listWords(["a"])).toBe("a");
  expect(listWords(["a", "b"], "or")).toBe("a or b");
  expect(listWords(["a", "b", "c"])).toBe("a, b and c");
  expect(reasonClause("wrong-destination")).toBe("wrong destination");
  expect(reasonClause("not-expected")).toBe("did not expect this request");
  expect(reasonClause(null)).toBe("no reason given");
});

test("where it takes everybody, all are named as needed; where some will do, any of them", () => {
  expect(askedWords(["you", "bob", "dave"], 2)).toBe("you, bob or dave");
  expect(askedWords(["bob", "dave"], 2)).toBe("bob and dave");
  expect(askedWords(["bob", "dave"], 1)).toBe("bob or dave");
  expect(askedWords(["bob"], 1)).toBe("bob");
});
