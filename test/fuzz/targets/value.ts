/** The smallest parts: names, amounts, words, addresses and the signatures of devices. Each is looked at by other code than its schema. */
import * as v from "valibot";
import { formatUnits as viemFormat, parseUnits as viemParse } from "viem/utils";
// oxlint-disable-next-line no-restricted-imports -- what is fuzzed is the code itself
import { scaled } from "../../../extension/pages/decimal.ts";
// oxlint-disable-next-line no-restricted-imports -- what is fuzzed is the code itself
import { formatUnits, parseUnits } from "../../../hsm-agent/chains/decimal.ts";
import { checksumAddress, EthereumAddressSchema, recoverSigner } from "../../../protocol/device-signature.ts";
import { foldName, NameSchema, SymbolSchema } from "../../../protocol/name.ts";
import { DecimalSchema, NetworkIdSchema } from "../../../protocol/network.ts";
import { isWord, normaliseWords, WordsSchema, wordsOfPairing } from "../../../protocol/words.ts";
import { readVectors, textsIn } from "../corpus.ts";
import { mutateText } from "../mutate-text.ts";
import type { Random } from "../random.ts";
import { accept, given, require, type Target } from "../target.ts";

const NAMES = textsIn(readVectors("name"));
const nearly = (random: Random, texts: readonly string[]) =>
  random.once(8) ? random.text(random.int(30)) : mutateText(random, random.pick(texts), texts);

/** Not a type guard: what does not fit is looked at as well. */
const fits = (schema: v.GenericSchema, text: string): boolean => v.is(schema, text);

export function names(): Target {
  return {
    attempt: (random) => {
      const text = given(nearly(random, NAMES));
      const isSymbol = random.once(3);
      const letters = isSymbol ? "" : "._-";
      if (!fits(isSymbol ? SymbolSchema : NameSchema, text)) return "refused";
      const isPlain = text
        .split("")
        .every((one) => isLetter(one) || (one >= "0" && one <= "9") || letters.includes(one));
      require(isPlain && isLetter(text[0] ?? ""), "a name of other characters");
      require(text.length <= (isSymbol ? 11 : 24), "a name that is too long");
      require(!["to", "on", "from", "as", "by"].includes(text.toLowerCase()), "a word of the statement");
      require(foldName(foldName(text)) === foldName(text), "a name that folds twice");
      return "accepted";
    },
  };
}

function isLetter(one: string): boolean {
  return (one >= "a" && one <= "z") || (one >= "A" && one <= "Z");
}

const AMOUNTS = [
  "0",
  "1",
  "1.5",
  "0.000001",
  "250000.00",
  "1234567890.123456789012345678",
  "9".repeat(78),
  `0.${"0".repeat(35)}1`,
];

/** The agent's decimals, viem's, which the extension uses, and those that the extension's pages compare by. */
export function amounts(): Target {
  return {
    attempt: (random) => {
      const text = given(random.once(3) ? digits(random) : nearly(random, AMOUNTS));
      const decimals = random.int(37);
      const isDecimal = fits(DecimalSchema, text);
      const units = accept(() => parseUnits(text, decimals));
      // Two writings of one grammar: whatever the agent takes is a decimal, and it takes every decimal that is not too fine.
      const fraction = text.split(".")[1] ?? "";
      require(units === undefined || isDecimal || text.length > 90, "an amount that no message can carry");
      require(!isDecimal ||
        fraction.length > decimals ||
        units !== undefined, "a decimal that the agent does not read");
      if (units === undefined) return "refused";
      require(units === viemParse(text, decimals), "another amount than the extension's");
      const shown = formatUnits(units, decimals);
      const [whole = "", rest = ""] = viemFormat(units, decimals).split(".");
      require(shown ===
        [whole, rest.padEnd(Math.min(2, decimals), "0")]
          .filter((part) => part !== "")
          .join("."), "another text than the extension's");
      require(parseUnits(shown, decimals) === units, "an amount that does not read back");
      require(scaled(shown) === units * 10n ** BigInt(36 - decimals), "another amount on the pages");
      return "accepted";
    },
  };
}

function digits(random: Random): string {
  const run = (most: number) => Array.from({ length: 1 + random.int(most) }, () => random.int(10)).join("");
  return random.once(3) ? run(80) : `${run(60)}.${run(40)}`;
}

const WORDS = textsIn(readVectors("words"), (text) => text.includes(" "));
const FACTS = (readVectors("words") as { pairings: { facts: Parameters<typeof wordsOfPairing>[0] }[] }).pairings;

export function words(): Target {
  return {
    attempt: (random) => {
      if (random.once(20)) {
        const { facts } = random.pick(FACTS);
        const made = wordsOfPairing({ ...facts, name: given(random.text(random.length())) });
        require(fits(WordsSchema, made) && made.split(" ").every(isWord), "words that are not on the list");
      }
      const text = given(nearly(random, WORDS));
      const typed = normaliseWords(text);
      require(normaliseWords(typed) === typed, "words with two spellings");
      if (!fits(WordsSchema, text)) return "refused";
      require(typed === text, "words in another spelling");
      return "accepted";
    },
  };
}

const SIGNATURES = readVectors("device-signature") as Record<
  "valid" | "others" | "refused",
  { statement: string; signature: string }[]
>;
const SIGNED = [...SIGNATURES.valid, ...SIGNATURES.others, ...SIGNATURES.refused];
const VALID = new Map(
  SIGNATURES.valid.map((one) => [
    `${one.statement}\n${one.signature}`,
    (one as unknown as { address: string }).address,
  ]),
);
const SPELT = SIGNED.map(({ signature }) => signature);
const ADDRESSES = [...VALID.values()];

/** Another signature or text recovers to another address, if to any: never to the address of the one whose it is. */
export function deviceSignatures(): Target {
  const owners = new Set(ADDRESSES);
  return {
    attempt: (random) => {
      if (random.once(2)) return address(given(nearly(random, [...ADDRESSES, "eip155:1", "eip155:8453"])));
      const { statement, signature } = random.pick(SIGNED);
      const isText = random.once(6);
      const text = isText ? mutateText(random, statement, [statement]) : statement;
      const made = isText || random.once(4) ? otherForm(signature, isText) : nearly(random, SPELT);
      given([text, made]);
      const signer = accept(() => recoverSigner(text, made));
      if (signer === undefined) return "refused";
      require(fits(EthereumAddressSchema, signer), "no address");
      const isKnown = SIGNED.some((one) => one.statement === text && one.signature === made);
      require(isKnown || !owners.has(signer), "a signature that the device did not make");
      return "accepted";
    },
  };
}

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

/** The form with the order less s and the other v, which recovers to the same address. */
function otherForm(signature: string, isKept: boolean): string {
  if (isKept || !/^0x[0-9a-f]{130}$/.test(signature)) return signature;
  const s = (ORDER - BigInt(`0x${signature.slice(66, 130)}`)).toString(16).padStart(64, "0");
  return `${signature.slice(0, 66)}${s}${signature.endsWith("1b") ? "1c" : "1b"}`;
}

function address(text: string): "accepted" | "refused" {
  if (fits(NetworkIdSchema, text)) {
    require(`eip155:${BigInt(text.slice(7))}` === text, "a network in another spelling");
    return "accepted";
  }
  if (!fits(EthereumAddressSchema, text)) return "refused";
  require(text.length === 42 && checksumAddress(text.toLowerCase()) === text, "an address in another spelling");
  return "accepted";
}
