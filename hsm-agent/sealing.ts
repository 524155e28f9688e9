/**
 * The agent's receiving keys: a new one with every card, the old ones as long as a mailbox may still hold what was sealed to them.
 * README.md of protocol/, "Sealing". Their private halves are in the record, which is the agent host's to keep.
 */
import { exportJWK, importJWK } from "jose";
import { thumbprint } from "../protocol/primitive.ts";
import { makeSealKey, publicSealJwk } from "../protocol/seal.ts";
import type { Desk } from "./desk.ts";
import type { Journal } from "./journal.ts";

/** A card may be sealed to for so long, and lies in a mailbox for at most so much longer. Seconds. */
export const CARD_LIFE = 3 * 86_400;
const MAILBOX_LIFE = 7 * 86_400;
const SLACK = 3_600;

/** Private receiving keys, imported once each. */
export class SealKeys {
  readonly #keys = new Map<string, CryptoKey>();

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

  /** Keeps a key, durable when this returns, and forgets those that nothing can be sealed to any more. `also` is in the same transaction. */
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
