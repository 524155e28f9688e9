/**
 * Opens messages that the record holds. A signature that verified once under a key verifies for ever, so it is asked for once for the same
 * text and key; whose key it is, for whom the message is and when it is good are asked each time. README.md of protocol/, "Verifying an envelope".
 */
import { CLOCK_SKEW, type Claims, type Expectation, openEnvelope, peekEnvelope } from "../protocol/envelope.ts";
import { thumbprint } from "../protocol/primitive.ts";
import { Memo } from "./memo.ts";

/** Messages that are kept. */
const KEPT = 4_096;
/**
 * A longer one is verified each time: approvals and proposals have about a thousand characters, and what a sender adds (a longer `aud`)
 * shall not fill the memory. With what is in them, some 20 MB at most.
 */
const KEPT_LENGTH = 2_048;

/** What was opened, and under which key. */
interface Known {
  readonly typ: string;
  readonly kid: string;
  readonly payload: Claims;
}
const OPENED = new Memo<Known>(KEPT);

/** As openEnvelope. @throws Fault ERR_ENVELOPE_* */
export async function openOnce<T extends Claims>(jws: string, expected: Expectation<T>): Promise<T> {
  const known = OPENED.get(jws);
  const key = known === undefined ? undefined : expected.keyOf(known.kid);
  if (known !== undefined && key !== undefined && known.typ === expected.type.typ && thumbprint(key) === known.kid) {
    const { aud, iat, exp } = known.payload;
    const isGood = aud.includes(expected.audience) && iat <= expected.now + CLOCK_SKEW && exp > expected.now;
    // The schema of the same type made it.
    if (isGood) return known.payload as T;
  }
  // Whatever is wrong is said by the one who always says it.
  const { payload } = await openEnvelope(jws, expected);
  const { typ, kid } = peekEnvelope(jws);
  if (jws.length <= KEPT_LENGTH) OPENED.set(jws, { typ, kid, payload });
  return payload;
}
