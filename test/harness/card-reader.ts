/** The agent's card as a script reads it: verified once for each text and identity, as long as it is valid. protocol/README.md, "Card". */
import type { Card } from "../../protocol/message.ts";
import { now } from "./bridge-client.ts";
import { openCard } from "./message.ts";

export class CardReader {
  #last: { readonly jws: string; readonly hsm: string; readonly card: Card } | undefined;

  /** The card in `jws`, if the HSM identity with the thumbprint `hsm` signed it for the bridge. */
  async read(jws: string, hsm: string): Promise<Card> {
    const last = this.#last;
    if (last?.jws === jws && last.hsm === hsm && last.card.exp > now()) return last.card;
    const card = await openCard(jws, hsm);
    this.#last = { jws, hsm, card };
    return card;
  }
}
