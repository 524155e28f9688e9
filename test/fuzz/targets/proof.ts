/** Proof files: changed anywhere by whoever carries them. What is accepted is a file of the vectors, byte for byte, or one that says as much. */
// oxlint-disable-next-line no-restricted-imports -- what is fuzzed is the code itself
import { decodeTransfer } from "../../../extension/decode/ethereum.ts";
import { verifyProof } from "../../../protocol/proof.ts";
import { encodeProof, parseProof } from "../../../protocol/proof-form.ts";
import { GOOD_PROOFS, REFUSED_PROOFS } from "../../../protocol/vectors/proof-file.ts";
import { otherSignature } from "../corpus.ts";
import { mutateJson } from "../mutate-json.ts";
import { mutateText } from "../mutate-text.ts";
import type { Random } from "../random.ts";
import { accept, given, require, type Target } from "../target.ts";

const [FIRST] = GOOD_PROOFS;
const TEXTS = GOOD_PROOFS.map(({ file }) => new TextDecoder().decode(file));
/** Long ones with every act of a chain take too much of the time. */
const SHORT = TEXTS.filter((text) => text.length < 30_000);
const REFUSED = REFUSED_PROOFS.map(({ file }) => new TextDecoder().decode(file));
/** All but the signatures: ECDSA has two forms of each. All else of a proof has one. */
const wordsOf = (text: string) => text.replaceAll(/\.[\w-]{86}"/g, '."');
const WORDS = new Set(TEXTS.map(wordsOf));

export function proofs(): Target {
  const fingerprint = FIRST?.fingerprint ?? "";
  return {
    attempt: async (random) => {
      const text = given(mutateProof(random, random.pick(random.once(10) ? TEXTS : SHORT)));
      const file = new TextEncoder().encode(text);
      const proof = accept(() => parseProof(file));
      if (proof !== undefined)
        require(encodeProof(proof) === new TextDecoder().decode(file), "a proof in another spelling");
      // It throws for nothing that is in a file.
      const { ok, steps, proved } = await verifyProof(file, { fingerprint, decode: decodeTransfer });
      require(ok === steps.every((step) => step.ok) &&
        ok === (proved !== null), "a verdict that is not what its steps say");
      if (!ok) return "refused";
      require(WORDS.has(wordsOf(text)), "a proof that nobody made");
      return "accepted";
    },
  };
}

function mutateProof(random: Random, text: string): string {
  if (random.once(25)) return text;
  if (random.once(3)) return mutateText(random, text, REFUSED);
  if (random.once(6)) {
    const [jws] = /[\w-]+\.[\w-]+\.[\w-]{86}/.exec(text.slice(random.int(text.length))) ?? [];
    return jws === undefined ? text : text.replace(jws, otherSignature(jws));
  }
  return `${mutateJson(random, text.trimEnd(), SHORT)}\n`;
}
