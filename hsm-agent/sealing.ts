/**
 * The agent's receiving keys: a new one with every card, the old ones as long as a mailbox may still hold what was sealed to them.
 * README.md of protocol/, "Sealing". Their private halves are in the record, which is the agent host's to keep.
 */
import { exportJWK, importJWK } from "jose";
import { type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import { makeSealKey, publicSealJwk, seal } from "../protocol/seal.ts";
import type { Desk } from "./desk.ts";
import type { Journal } from "./journal.ts";
import type { OutboxRow } from "./rows.ts";

/** A card may be sealed to for so long, and lies in a mailbox for at most so much longer. Seconds. */
export const CARD_LIFE = 3 * 86_400;
const MAILBOX_LIFE = 7 * 86_400;
const SLACK = 3_600;

/** Private receiving keys, imported once each. */
export class SealKeys {
  readonly #keys = new Map<string, CryptoKey>();
  /** Made since this start: what is sealed to one of them was said since then, and is no repetition. */
  readonly #fresh = new Set<string>();

  /** The keys of the record. */
  static async load(journal: Journal): Promise<SealKeys> {
    const keys = new SealKeys();
    for (const { kid, key } of journal.seals()) {
      const imported = await importJWK(key as Record<string, string>, "ECDH-ES");
      if (!(imported instanceof Uint8Array)) keys.#keys.set(kid, imported);
    }
    return keys;
  }

  get(kid: string): CryptoKey | undefined {
    return this.#keys.get(kid);
  }

  isFresh(kid: string): boolean {
    return this.#fresh.has(kid);
  }

  /** Keeps a key, in the record when this returns, and forgets those that nothing can be sealed to any more. `also` is in the same transaction. */
  keep(desk: Pick<Desk, "journal" | "now">, kid: string, key: CryptoKey, secret: object, also: () => void): void {
    const { journal } = desk;
    journal.transaction(() => {
      journal.removeSealsUntil(desk.now());
      journal.addSeal(kid, secret, desk.now() + CARD_LIFE + MAILBOX_LIFE + SLACK);
      also();
    });
    const kept = new Set(journal.seals().map((row) => row.kid));
    for (const old of this.#keys.keys()) if (!kept.has(old)) this.#keys.delete(old);
    this.#keys.set(kid, key);
    this.#fresh.add(kid);
  }
}

/** A next receiving key: its public half, and how it is kept once a card certifies it. */
export async function makeAgentSealKey() {
  const pair = await makeSealKey(true);
  const jwk = await publicSealJwk(pair);
  const secret = await exportJWK(pair.privateKey);
  const keep = (keys: SealKeys, desk: Pick<Desk, "journal" | "now">, also: () => void): void =>
    keys.keep(desk, thumbprint(jwk), pair.privateKey, secret, also);
  return { jwk, keep };
}

/** The body of a message that waits to be sent; undefined where it cannot be sealed, and is dropped. */
export async function sealRow(
  { journal, log }: Pick<Desk, "journal" | "log">,
  row: OutboxRow,
  key: PublicJwk,
): Promise<string | undefined> {
  try {
    return await seal(row.jws, key);
  } catch (error) {
    // Whoever told a key that is no point of the curve is told nothing; nobody else waits for that.
    log.warn({ receiver: row.receiver, err: error }, "a message that cannot be sealed was dropped");
    journal.removeFromOutbox(row.n);
    return undefined;
  }
}
