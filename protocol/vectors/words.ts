/** Makes words.json: the six words of pairings, what people type, and what is no six words. */
import { type PairingFacts, normaliseWords, wordsOfPairing } from "../words.ts";
import { AGENT_SEAL, BOB, BOBS_DEVICE, STRANGER } from "./keys.ts";
import { ADAS_PAIRING } from "./sample.ts";

const pairing = (what: string, change: Partial<PairingFacts> = {}) => {
  const facts = { ...ADAS_PAIRING, ...change };
  return { what, facts, words: wordsOfPairing(facts) };
};
const words = wordsOfPairing(ADAS_PAIRING);
const [first = "", ...others] = words.split(" ");

export const WORDS = {
  pairings: [
    pairing("Ada's"),
    pairing("another HSM", { hsm: STRANGER.signer.kid }),
    pairing("another signing key", { key: BOB.jwk }),
    pairing("another receiving key", { seal: AGENT_SEAL.jwk }),
    pairing("another name", { name: "Bob" }),
    pairing("a role less", { roles: ["approver"] }),
    pairing("no role", { roles: [] }),
    pairing("another device", { address: BOBS_DEVICE.address }),
  ],
  /** As somebody types them, and the one spelling. */
  typed: [
    words,
    ` ${words}\n`,
    words.toUpperCase(),
    words.replaceAll(" ", ", "),
    words.replaceAll(" ", "\n"),
    `${first.slice(0, 1).toUpperCase()}${first.slice(1)}\t${others.join("  ")}`,
  ].map((text) => ({ text, words: normaliseWords(text) })),
  refused: [
    "",
    others.join(" "),
    `${words} ${first}`,
    words.toUpperCase(),
    words.replace(" ", "  "),
    words.replace(" ", ","),
    ` ${words}`,
    `${words} `,
    `${words}\n`,
    `${others.join(" ")} 7up`,
    `${others.join(" ")} ${"a".repeat(100)}`,
  ],
};
