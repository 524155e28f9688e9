import { createHash } from "node:crypto";
import * as v from "valibot";
import { expect, test } from "vitest";
import { EFF_LARGE_WORDLIST } from "./eff-large-wordlist.ts";
import { isWord, normaliseWords, type PairingFacts, WordsSchema, wordsOfPairing } from "./words.ts";

const list = EFF_LARGE_WORDLIST.trim().split(/\s/);
const key = (byte: string) => ({ kty: "EC", crv: "P-256", x: byte.repeat(43), y: byte.repeat(43) }) as const;
const facts: PairingFacts = {
  hsm: "8JTWO1casAxtsrCyvj3JhXy8kwUyVfska-CmYpnZ8lM",
  key: key("A"),
  seal: key("B"),
  name: "Carol",
  roles: ["approver"],
  address: "0x52908400098527886E0F7030069857D2E4169EE7",
};

test("the list is the one that the EFF publishes, dice numbers and all", () => {
  const dice = (at: number): string => [1296, 216, 36, 6, 1].map((unit) => (Math.floor(at / unit) % 6) + 1).join("");
  const file = list.map((word, at) => `${dice(at)}\t${word}\n`).join("");
  expect(createHash("sha256").update(file).digest("hex")).toBe(
    "addd35536511597a02fa0a9ff1e5284677b8883b83e986e43f15a3db996b903e",
  );
  expect(new Set(list).size).toBe(7776);
});

test("six words of the list, the same each time, in the one spelling", () => {
  const words = wordsOfPairing(facts);
  expect(words).toBe(wordsOfPairing({ ...facts }));
  expect(v.is(WordsSchema, words)).toBe(true);
  expect(words.split(" ").every(isWord)).toBe(true);
  expect(normaliseWords(`  ${words.toUpperCase().replaceAll(" ", ",  ")}\n`)).toBe(words);
});

test.each([
  { hsm: "9JTWO1casAxtsrCyvj3JhXy8kwUyVfska-CmYpnZ8lM" },
  { key: key("C") },
  { seal: key("C") },
  { name: "Carla" },
  { roles: ["approver", "admin"] as const },
  { address: "0x8617E340B3D01FA5F11F306F4090FD50E238070D" },
])("each fact changes them: %o", (other) => {
  expect(wordsOfPairing({ ...facts, ...other })).not.toBe(wordsOfPairing(facts));
});
