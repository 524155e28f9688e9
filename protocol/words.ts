/**
 * Six words that two people compare by reading them aloud: a short commitment to a pairing. README.md, "Words". From the EFF long
 * wordlist and not BIP-39: nobody shall get used to reading out seed words. Six of 7,776 are 77 bits. Pure.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import * as v from "valibot";
import { EFF_LARGE_WORDLIST } from "./eff-large-wordlist.ts";
import type { Role } from "./people.ts";
import { type PublicJwk, thumbprint } from "./primitive.ts";

const LIST: readonly string[] = EFF_LARGE_WORDLIST.trim().split(/\s/);
const COUNT = 6;

/** Six words in their one spelling: lower case, single spaces. */
export const WordsSchema = v.pipe(
  v.string(),
  v.maxLength(100),
  v.regex(/^[a-z-]+( [a-z-]+){5}$/, "six words, one space between them"),
);

/** What somebody typed or heard, in the one spelling. */
export function normaliseWords(typed: string): string {
  return typed
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((word) => word !== "")
    .join(" ");
}

/** Whether a word is on the list: to tell a slip of the pen while it is typed. */
export function isWord(word: string): boolean {
  return LIST.includes(word);
}

/** What a pairing's words commit to: both ends must mean the same. */
export interface PairingFacts {
  /** Thumbprint of the HSM identity. */
  readonly hsm: string;
  /** The extension's keys: it signs with one, and receives with the other. */
  readonly key: PublicJwk;
  readonly seal: PublicJwk;
  readonly name: string;
  readonly roles: readonly Role[];
  /** The device's address. */
  readonly address: string;
}

/** The six words of a pairing. */
export function wordsOfPairing({ hsm, key, seal, name, roles, address }: PairingFacts): string {
  const said = JSON.stringify(["OpenCustody pairing v1", hsm, thumbprint(key), thumbprint(seal), name, roles, address]);
  let rest = BigInt(`0x${bytesToHex(sha256(utf8ToBytes(said)))}`);
  const words: string[] = [];
  const base = BigInt(LIST.length);
  for (let at = 0; at < COUNT; at += 1) {
    words.push(LIST[Number(rest % base)] ?? "");
    rest /= base;
  }
  return words.join(" ");
}
