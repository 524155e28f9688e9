/** Who signs here, and what is believed: what every action of this person starts from. */
import type { Signer } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { signerOf } from "./keys.ts";
import { loadKey } from "./store.ts";
import { loadTrust, type Trust } from "./trust.ts";

/** @throws Fault ERR_INVITE while this browser is not paired, or has lost its key */
export async function ourselves(): Promise<{ signer: Signer; trust: Trust }> {
  const trust = await loadTrust();
  const key = await loadKey();
  if (key === null) throw new Fault("ERR_INVITE", "This browser has lost its key; unpair it and ask for a new invite.");
  return { trust, signer: await signerOf(key) };
}
