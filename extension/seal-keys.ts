/**
 * The keys that this extension receives with (P-256 ECDH, WebCrypto, not extractable): one at a time is told to the agent, and replaced
 * every week, so that a key stolen today opens nothing of next month. README.md, "Keys of an extension". What is sealed to a replaced
 * key still opens for as long as a mailbox could hold it, twice over; what is sealed to one that was given up does not.
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

/**
 * Gives up every key for `made`, whatever number that was made with: nothing that was sealed before opens any more. In the transaction of
 * the RESTORE from which the log goes on, so that no view of the log that was given up can come after it. `now` in seconds.
 */
export async function giveUpSealKeys(records: Records, made: SealKey, now: number): Promise<void> {
  const { n } = await newestOf(records);
  for (const key of await records.all("sealKeys")) {
    records.put("sealKeys", key.kid, { ...key, pair: null, replacedAt: key.replacedAt ?? now });
  }
  records.put("sealKeys", made.kid, { ...made, n: n + 1 });
}

/** The private halves that are kept, by thumbprint: what `unseal` asks. */
export async function openingKeys(): Promise<(kid: string) => CryptoKey | undefined> {
  const keys = await look(async (records) => await records.all("sealKeys"));
  return (kid) => keys.find((key) => key.kid === kid)?.pair?.privateKey;
}

/** Whether what is sealed to the key `kid` may still be used. */
export async function isKept(records: Records, kid: string): Promise<boolean> {
  const key = await records.get("sealKeys", kid);
  return key !== undefined && key.pair !== null;
}

/** Whether `kid` was a key of ours until a RESTORE. */
export async function isGivenUp(kid: string): Promise<boolean> {
  return (await look(async (records) => await records.get("sealKeys", kid)))?.pair === null;
}

async function newestOf(records: Records): Promise<SealKey> {
  const [newest] = (await records.all("sealKeys")).sort((a, b) => b.n - a.n);
  if (newest === undefined) throw new Error("there is no receiving key: this browser was unpaired meanwhile");
  return newest;
}
