/**
 * The keys that this extension receives with (P-256 ECDH, WebCrypto, not extractable): one at a time is told to the agent, and replaced
 * every week, so that a key stolen today opens nothing of next month. README.md, "Keys of an extension". What is sealed to a replaced
 * key still opens for as long as a mailbox could hold it, twice over.
 */
import { thumbprint } from "../protocol/primitive.ts";
import { makeSealKey, publicSealJwk } from "../protocol/seal.ts";
import { look, type Records, transact } from "./database.ts";
import type { SealKey } from "./store.ts";

const DAY = 24 * 3600;
/** A receiving key is replaced at the first login after this. Seconds. */
const REPLACED_AFTER = 7 * DAY;
/** A replaced key is deleted after this: the bridge keeps a message for 7 days. Seconds. */
const KEPT_FOR = 15 * DAY;

/** A new receiving key with number `n`, not stored yet. */
export async function newSealKey(n: number, now: number): Promise<SealKey> {
  const pair = await makeSealKey(false);
  const jwk = await publicSealJwk(pair);
  return { n, kid: thumbprint(jwk), pair, jwk, madeAt: now, replacedAt: null };
}

/** The key to be told to the agent now, replaced if it is due; those that are past use are deleted. `now` in seconds. */
export async function currentSealKey(now: number): Promise<SealKey> {
  const newest = await look(newestOf);
  // A clock that was set back since must not keep a key for ever.
  const isDue = now >= newest.madeAt + REPLACED_AFTER || now < newest.madeAt - DAY;
  const made = isDue ? await newSealKey(newest.n + 1, now) : newest;
  return await transact(async (records) => {
    const current = await newestOf(records);
    for (const { kid, replacedAt } of await records.all("sealKeys")) {
      if (replacedAt !== null && now >= replacedAt + KEPT_FOR) records.remove("sealKeys", kid);
    }
    // Nothing to do, or replaced meanwhile by another login.
    if (current.n >= made.n) return current;
    records.put("sealKeys", current.kid, { ...current, replacedAt: now });
    records.put("sealKeys", made.kid, made);
    return made;
  });
}

/** The private halves that are kept, by thumbprint: what `unseal` asks. */
export async function openingKeys(): Promise<(kid: string) => CryptoKey | undefined> {
  const keys = await look(async (records) => await records.all("sealKeys"));
  return (kid) => keys.find((key) => key.kid === kid)?.pair.privateKey;
}

async function newestOf(records: Records): Promise<SealKey> {
  const [newest] = (await records.all("sealKeys")).sort((a, b) => b.n - a.n);
  if (newest === undefined) throw new Error("there is no receiving key: this browser was unpaired meanwhile");
  return newest;
}
