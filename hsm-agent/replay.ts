/**
 * Who may decide what, read back from the acts at every start. README.md of protocol/, "Charter". A record that is broken, edited or older
 * than what the token knows is refused: the agent does not run on it.
 */
import { type Applied, applyAct, type Charter } from "../protocol/charter.ts";
import { Fault } from "../protocol/error.ts";
import { type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import { requireNotOlder } from "./anchor.ts";
import type { Journal } from "./journal.ts";
import { OPEN_STATES } from "./requests.ts";
import { readBack } from "./verify.ts";

export interface Replayed {
  readonly charter: Charter | null;
  readonly identities: readonly PublicJwk[];
  /** All acts, in order. */
  readonly applied: readonly Applied[];
}

/**
 * Verifies all acts from the founding on. `identity`: thumbprint of the HSM identity of today, null where its token is lost; `founder`: the
 * one that the first act is signed by. `anchor`: what the token knows, null where it is a new one. @throws Fault ERR_STATE, ERR_CHARTER, ERR_ENVELOPE_*
 */
export async function replay(
  journal: Journal,
  identity: string | null,
  founder: PublicJwk,
  anchor: string | undefined | null,
): Promise<Replayed> {
  const applied: Applied[] = [];
  for (const jws of journal.acts()) applied.push(await applyAct(applied.at(-1)?.charter ?? null, jws, founder));
  const charter = applied.at(-1)?.charter ?? null;
  if (charter !== null && identity !== null && thumbprint(charter.hsm) !== identity)
    throw new Fault(
      "ERR_STATE",
      "The acts end with another identity than this token's. Nothing runs; restore the newest record.",
    );
  if (anchor !== null) requireNotOlder(anchor, applied, journal);
  // Open requests name the documents in force; one that does not was put there by somebody else.
  for (const row of journal.requests(OPEN_STATES)) readBack(row);
  return { charter, identities: applied.map((one) => one.charter.hsm), applied };
}
