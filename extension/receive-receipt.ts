/**
 * A receipt: the `state` entry of a request in a view of the log that was verified. README.md, "Receiving". Who signed the checkpoint
 * stands beside it: of a rotation only the identity that asked can tell, of all else the pinned one.
 */
import type { Receipt } from "../protocol/log-entry.ts";
import { count, strange } from "./arrival.ts";
import type { Records } from "./database.ts";

/** A receipt, and the identity that signed the checkpoint that it is in. */
export interface SignedReceipt {
  readonly receipt: Receipt;
  /** Thumbprint. */
  readonly by: string;
  /** It is in the log that is known here. */
  readonly inLog?: true;
}

interface Signed {
  readonly by: string;
  /** Thumbprint of the pinned identity. */
  readonly hsm: string;
  /** The checkpoint is one of the log that is known here. */
  readonly isKnown: boolean;
  /** Seconds. */
  readonly now: number;
}

/** Keeps a receipt with its request, or until that comes. No higher number changes nothing; after a RESTORE the numbers begin anew. One of another identity's requests is counted, and not used. */
export async function takeReceipt(
  records: Records,
  receipt: Receipt,
  { by, hsm, isKnown, now }: Signed,
): Promise<void> {
  const request = await records.get("requests", receipt.request);
  if (request === undefined) {
    if (by !== hsm) return await refuse(records, now);
    const early = await records.get("early", receipt.request);
    const held = isKnown || early?.inLog === true ? { inLog: true as const } : {};
    const newest = early === undefined || early.receipt.n < receipt.n ? { receipt, by } : early;
    records.put("early", receipt.request, { ...newest, ...held });
    return;
  }
  // Of a rotation only the identity that signed it can tell; of all else the pinned one.
  if (by !== (request.byNextIdentity ? request.payload.iss : hsm)) return await refuse(records, now);
  if (receipt.digest !== request.digest) {
    const message = "A receipt for another request under the same id was ignored; tell your operator.";
    records.put("requests", request.id, { ...request, notice: { code: "ERR_REQUEST_DIFFERS", message } });
    return;
  }
  const held = isKnown ? { inLog: true as const } : {};
  if (receipt.n <= (request.receipt?.n ?? 0)) {
    if (isKnown && request.inLog !== true) records.put("requests", request.id, { ...request, ...held });
    return;
  }
  const named = new Set(receipt.records.map((record) => record.of));
  const mine = request.mine.map((one) => (named.has(one.jti) ? { ...one, received: true, refusal: null } : one));
  for (const { jti } of mine.filter((one) => one.received)) records.remove("outbox", jti);
  records.put("requests", request.id, { ...request, ...held, receipt, mine });
}

async function refuse(records: Records, now: number): Promise<void> {
  const { code, message } = strange();
  await count(records, { code, message: `A receipt was not used. ${message}` }, now);
}
