/**
 * What other people's browsers have seen of the agent's log, as a view brings it: opened under the keys that the charter gives them, and
 * compared with the view. README.md, "Verifying a view". A witness that does not verify raises no alarm: nobody can raise a false one.
 */
import { base64url, decodeJwt } from "jose";
import { openCheckpoint, readCheckpoint } from "../protocol/checkpoint.ts";
import { openEnvelope } from "../protocol/envelope.ts";
import { Fault, isFault } from "../protocol/error.ts";
import { isConsistent } from "../protocol/merkle.ts";
import { WITNESS } from "../protocol/message.ts";
import type { People } from "../protocol/people.ts";
import { type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import type { OpenedView } from "../protocol/view.ts";

/** The newest that another person's browser has said of the log, and that a view was proven to go on from. */
export interface StoredWitness {
  /** Thumbprint of that browser's key. */
  readonly kid: string;
  readonly person: string;
  /** Entries of the log. */
  readonly size: number;
  /** When it was said, in seconds. */
  readonly at: number;
}

export interface Witnesses {
  readonly good: readonly StoredWitness[];
  /** The log of the view does not go on from what these people have seen; `note` is the checkpoint that they have. */
  readonly contrary: readonly { readonly person: string; readonly note: string }[];
  /** Those that are no witness of a member's. */
  readonly refused: readonly Fault[];
}

export interface Expected {
  readonly origin: string;
  /** The pinned HSM identity. */
  readonly hsm: PublicJwk;
  /** Those that were pinned before. */
  readonly former: readonly PublicJwk[];
  /** Thumbprint of our own key. */
  readonly kid: string;
  /** In force; null while nothing is. */
  readonly people: People | null;
  /** Seconds. */
  readonly now: number;
}

/** Judges the witnesses of a view that was opened. Before there are people there is nobody to believe. */
export async function judgeWitnesses({ view, head }: OpenedView, expected: Expected): Promise<Witnesses> {
  const good: StoredWitness[] = [];
  const contrary: { person: string; note: string }[] = [];
  const refused: Fault[] = [];
  for (const { jws, consistency } of expected.people === null ? [] : view.witnesses) {
    try {
      const seen = await open(jws, expected);
      if (seen === null) continue;
      const { note, root, ...witness } = seen;
      if (isConsistent(witness.size, root, head.size, head.root, consistency)) good.push(witness);
      else contrary.push({ person: witness.person, note });
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      refused.push(error);
    }
  }
  return { good, contrary, refused };
}

/** What a witness says; null where that is of no use any more. @throws Fault ERR_ENVELOPE_*, ERR_LOG */
async function open(
  jws: string,
  { origin, hsm, former, kid: ours, people, now }: Expected,
): Promise<(StoredWitness & { root: string; note: string }) | null> {
  // Said to an identity that was replaced since: that browser says it anew to the one in force.
  if (former.some((key) => audienceOf(jws).includes(thumbprint(key)))) return null;
  const keys = (people?.members ?? []).flatMap(({ name, extensions }) =>
    extensions.map((jwk) => ({ jwk, kid: thumbprint(jwk), person: name })),
  );
  const find = (kid: string) => keys.find((key) => key.kid === kid && kid !== ours);
  const expected = { type: WITNESS, keyOf: (kid: string) => find(kid)?.jwk, audience: thumbprint(hsm), now };
  try {
    const { iss, iat: at, checkpoint: note } = (await openEnvelope(jws, expected)).payload;
    const person = find(iss)?.person ?? "";
    // Signed by an identity that was replaced before this browser was paired: that person has been away since.
    if (!(await isNamed(note, origin, [hsm, ...former]))) return null;
    const { head, by } = await openCheckpoint(note, { origin, keys: [hsm, ...former] });
    return by === thumbprint(hsm) ? { kid: iss, person, at, note, ...head } : null;
  } catch (error) {
    // That person has been away for long.
    if (isFault(error, "ERR_ENVELOPE_EXPIRED")) return null;
    throw error;
  }
}

/** Whether one of the keys may have signed a checkpoint, by the names in its signature lines. @throws Fault ERR_LOG where it is none of this log */
async function isNamed(note: string, origin: string, keys: readonly PublicJwk[]): Promise<boolean> {
  const lines = note.slice(readCheckpoint(note, origin).text.length + 1).split("\n");
  const starts = await Promise.all(keys.map(async (key) => `\u2014 ${origin} ${await beginningOf(key)}`));
  return lines.some((line) => starts.some((start) => line.startsWith(start)));
}

/** How a key's signatures begin: 5 characters of base 64 of what C2SP signed-note calls its id, which opening compares whole. */
async function beginningOf(key: PublicJwk): Promise<string> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const imported = await crypto.subtle.importKey("jwk", { ...key }, algorithm, true, ["verify"]);
  const digest = await crypto.subtle.digest("SHA-256", await crypto.subtle.exportKey("spki", imported));
  const id = base64url.encode(new Uint8Array(digest, 0, 4));
  return id.slice(0, 5).replaceAll("-", "+").replaceAll("_", "/");
}

/** Unverified: only to choose what is left alone. */
function audienceOf(jws: string): readonly string[] {
  try {
    const { aud = [] } = decodeJwt(jws);
    return typeof aud === "string" ? [aud] : aud;
  } catch {
    return [];
  }
}
