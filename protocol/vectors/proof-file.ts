/** proof.json as its readers take it: the file of each vector, good or refused. */
import { readFileSync } from "node:fs";
import type { ProofStep } from "../proof.ts";

interface Vectors {
  readonly fingerprint: string;
  readonly valid: readonly { readonly what: string; readonly state: string; readonly file: string }[];
  readonly refused: readonly {
    readonly what: string;
    readonly step: ProofStep;
    readonly of: string;
    readonly with?: object;
    readonly from?: string;
    readonly to?: string;
    readonly fingerprint?: string;
  }[];
}

const VECTORS = JSON.parse(readFileSync(new URL("proof.json", import.meta.url), "utf8")) as Vectors;
const encoder = new TextEncoder();

export const GOOD_PROOFS = VECTORS.valid.map(({ what, state, file }) => ({
  what,
  state,
  file: encoder.encode(file),
  fingerprint: VECTORS.fingerprint,
}));

export const REFUSED_PROOFS = VECTORS.refused.map(({ what, step, of, with: members, from, to = "", fingerprint }) => {
  const good = VECTORS.valid.find((proof) => proof.what === of)?.file ?? "";
  const changed = members === undefined ? good : `${JSON.stringify({ ...(JSON.parse(good) as object), ...members })}\n`;
  const file = from === undefined ? changed : changed.replace(from, to);
  if (file === good && fingerprint === undefined) throw new RangeError(`${what} differs from no good proof`);
  return { what, step, file: encoder.encode(file), fingerprint: fingerprint ?? VECTORS.fingerprint };
});
