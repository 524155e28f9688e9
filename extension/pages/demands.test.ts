import { expect, test } from "vitest";
import {
  betterKindWords,
  demandWords,
  helps,
  kindWords,
  missingOf,
  onWords,
  stillNeededWords,
  wrongKindWords,
} from "./demands.ts";

const LEDGER = { vendor: "Ledger", atLeast: 1 } as const;
const TREZOR = { vendor: "Trezor", atLeast: 1 } as const;
const EACH = { threshold: 2, vendors: [LEDGER, TREZOR] };
const ANY = { threshold: 2, vendors: [] };

test("what is missing: people, and kinds even where there are people enough", () => {
  expect(missingOf(ANY, ["Ledger", null])).toEqual({ count: 0, kinds: [] });
  expect(missingOf(EACH, [])).toEqual({ count: 2, kinds: [LEDGER, TREZOR] });
  expect(missingOf(EACH, ["Ledger"])).toEqual({ count: 1, kinds: [TREZOR] });
  expect(missingOf(EACH, ["Ledger", "Ledger", "Ledger"])).toEqual({ count: 1, kinds: [TREZOR] });
  expect(missingOf({ threshold: 3, vendors: [TREZOR] }, ["Ledger"])).toEqual({ count: 2, kinds: [TREZOR] });
});

test("an approval helps where it leaves less to be done", () => {
  expect(helps(EACH, [], "Ledger")).toBe(true);
  expect(helps(EACH, ["Ledger"], "Ledger")).toBe(false);
  expect(helps(EACH, ["Ledger"], "Trezor")).toBe(true);
  expect(helps({ threshold: 3, vendors: [TREZOR] }, ["Ledger"], "Ledger")).toBe(true);
  expect(helps(ANY, ["Ledger"], "Ledger")).toBe(true);
});

test("in words", () => {
  expect(demandWords([])).toBe("");
  expect(demandWords([LEDGER, TREZOR])).toBe("at least 1 Ledger and 1 Trezor");
  expect(demandWords([{ vendor: "Ledger", atLeast: 2 }])).toBe("at least 2 Ledgers");
  expect(kindWords([{ vendor: "Trezor", atLeast: 2 }])).toBe("2 Trezors");
  expect(stillNeededWords([TREZOR])).toBe("Still needed: a Trezor.");
  expect(stillNeededWords([LEDGER, TREZOR])).toBe("A Ledger and a Trezor are both needed.");
  expect(onWords(missingOf(EACH, []))).toBe(", on a Ledger and a Trezor");
  expect(onWords(missingOf({ threshold: 3, vendors: [TREZOR] }, []))).toBe(", among them one on a Trezor");
  expect(onWords(missingOf(ANY, []))).toBe("");
});

test("who has only what does not help is told whom to ask", () => {
  expect(wrongKindWords(EACH, ["Ledger"], ["Ledger", "Ledger"], ["Carol", "Dan"])).toBe(
    "This request still needs a Trezor, and you have a Ledger: your approval would not bring it nearer. Ask Carol or Dan, or enrol a Trezor.",
  );
  expect(wrongKindWords(EACH, ["Ledger"], ["Ledger", "Trezor"], ["Carol"])).toBe("");
  expect(wrongKindWords(EACH, [], ["Ledger"], ["Carol"])).toBe("");
  expect(wrongKindWords(EACH, ["Ledger"], [], ["Carol"])).toBe("");
});

test("who has both kinds is told to use the one that helps", () => {
  const desk = { vendor: "Trezor", name: "Desk (Trezor One)" } as const;
  expect(betterKindWords(EACH, ["Ledger"], "Ledger", desk)).toBe(
    "This request still needs a Trezor: an approval on a Ledger would not bring it nearer, and you can approve once only. Use Desk (Trezor One).",
  );
  expect(betterKindWords(EACH, ["Ledger"], "Trezor", undefined)).toBe("");
  expect(betterKindWords(EACH, [], "Ledger", desk)).toBe("");
});
