/**
 * The agent's card: the key that it receives with, signed by its HSM identity for one bridge, and handed over by that bridge, which
 * could hand over an older one. README.md, "Card". Verifies and keeps the newest; what is sealed to it is up to station.ts.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { base64url } from "jose";
import { openEnvelope } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { CARD } from "../protocol/message.ts";
import { type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import type { Records } from "./database.ts";
import { signingKeyOf } from "./hsm-key.ts";
import type { StoredCard } from "./store.ts";

/**
 * Verifies a card of the HSM identity with thumbprint `hsm`, made for `bridge`, that has not expired. `now` in seconds.
 * @throws Fault ERR_ENVELOPE_*
 */
export async function openCard(jws: string, hsm: string, bridge: string, now: number): Promise<StoredCard> {
  const jwk = signingKeyOf(jws, hsm);
  const keyOf = (kid: string): PublicJwk | undefined => (kid === hsm ? jwk : undefined);
  const { payload } = await openEnvelope(jws, { type: CARD, keyOf, audience: bridge, now });
  if (thumbprint(payload.hsm) !== hsm) {
    throw new Fault("ERR_ENVELOPE_KEY", "A card names another HSM identity than the one that signed it.");
  }
  const { n, seal, exp } = payload;
  return { hsm, bridge, n, seal, exp };
}

/**
 * Keeps a verified card, unless a newer one was seen. Two cards of one number with different keys are two agents, or a restored one: the
 * first is kept. True where it is newer than the one before. @throws Fault ERR_CARD_OLD
 */
export async function keepCard(records: Records, card: StoredCard): Promise<boolean> {
  const known = await records.get("card", card.hsm);
  const isOther = known?.n === card.n && thumbprint(known.seal) !== thumbprint(card.seal);
  if (known !== undefined && (card.n < known.n || isOther)) {
    throw new Fault(
      "ERR_CARD_OLD",
      `The bridge showed card ${card.n} of your agent after card ${known.n}. Tell your operator.`,
    );
  }
  records.put("card", card.hsm, card);
  return known === undefined || known.n < card.n;
}

/** The receiving key to seal to: that of the newest card seen, while it is valid. `now` in seconds. */
export function sealOf(card: StoredCard | undefined, bridge: string, now: number): PublicJwk | null {
  return card !== undefined && card.bridge === bridge && card.exp > now ? card.seal : null;
}

/**
 * Id of the frame that carries message `jti` sealed to the key `kid`: the same on every sending, so that the bridge takes it once, and
 * another under another key.
 */
export function frameIdOf(jti: string, kid: string): string {
  return base64url.encode(sha256(new TextEncoder().encode(`${jti} ${kid}`)).subarray(0, 16));
}
