import { expect, test } from "vitest";
import { screensOf } from "../devices/screens.ts";
import { type Mark, markLines, type Piece, rangesOf } from "./marking.ts";
import { DESTINATION } from "./sample-request.ts";

const STATEMENT = `SEND 250000.00 USDC TO ${DESTINATION} ON Ethereum FROM Treasury-1; max fee 0.012 ETH; needs 2 of 3`;
const WORDS = { amount: "250000.00", asset: "USDC", to: DESTINATION };

function marked(lines: readonly Piece[][], mark: Mark): string {
  return lines
    .flat()
    .filter((piece) => piece.mark === mark)
    .map((piece) => piece.text)
    .join("");
}

test.each([
  ["nano-s-plus", "text"],
  ["nano-x", "text"],
  ["flex", "text"],
  ["flex", "more"],
] as const)("amount and destination are marked whole on the %s, pages %s", (model, kind) => {
  const statement = `${STATEMENT}; ${"policy 17; ".repeat(10)}end`;
  const pages = screensOf(model, "1.22.0", statement)?.pages.filter((page) => page.kind === kind) ?? [];
  const lines = pages.flatMap((page) => page.lines);
  const pieces = markLines(lines, statement, rangesOf(statement, WORDS));
  expect(lines.length).toBeGreaterThan(0);
  expect(marked(pieces, "amount")).toBe("250000.00 USDC");
  expect(marked(pieces, "address")).toBe(DESTINATION);
  // Nothing that the device shows is lost or changed by marking.
  expect(pieces.map((line) => line.map((piece) => piece.text).join(""))).toEqual(lines);
});

test("a line that does not continue the statement stays plain", () => {
  const [first, second] = markLines(["SEND 250000.00", "something else"], STATEMENT, rangesOf(STATEMENT, WORDS));
  expect(first).toEqual([
    { text: "SEND ", mark: null },
    { text: "250000.00", mark: "amount" },
  ]);
  expect(second).toEqual([{ text: "something else", mark: null }]);
});

test("words that are not in the statement mark nothing", () => {
  expect(rangesOf("SEND 1 ETH", { amount: "2", asset: "ETH", to: DESTINATION })).toEqual([]);
});
