/** What is remembered of messages is short, whoever wrote them; what is judged each time is judged each time. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { APPROVAL, REJECTION } from "../protocol/message.ts";
import { openOnce } from "./opened.ts";
import { Office } from "./testing.ts";
import { fault, makePerson } from "./testing-people.ts";

const [ALICE, BOB, OLGA] = [makePerson("Alice"), makePerson("Bob"), makePerson("Olga")];
let office: Office;
beforeEach(async () => {
  office = await Office.open([ALICE, BOB], 2, OLGA);
});
afterEach(() => {
  vi.restoreAllMocks();
  office.dispose();
});

const expected = () => ({
  keyOf: (kid: string) => (kid === ALICE.key.kid ? ALICE.key.jwk : undefined),
  audience: office.desk.identity.signer.kid,
  now: office.now,
});

test("an approval's signature is verified once; its audience and time each time", async () => {
  const id = await office.propose(OLGA);
  await office.drive(id);
  const jws = await office.approval(ALICE, id);
  const verify = vi.spyOn(crypto.subtle, "verify");
  for (let n = 0; n < 3; n += 1) await openOnce(jws, { type: APPROVAL, ...expected() });
  expect(verify).toHaveBeenCalledTimes(1);
  await expect(openOnce(jws, { type: APPROVAL, ...expected(), audience: "x" })).rejects.toMatchObject(
    fault("ERR_ENVELOPE_AUDIENCE"),
  );
  await expect(openOnce(jws, { type: APPROVAL, ...expected(), now: office.now + 1e7 })).rejects.toMatchObject(
    fault("ERR_ENVELOPE_EXPIRED"),
  );
});

test("one that its sender made long is verified each time, and not kept", async () => {
  const aud = [office.desk.identity.signer.kid, ...Array.from({ length: 100 }, (_, n) => `${n}`.padEnd(40, "x"))];
  const body = { request: "0000000000000000", digest: "a".repeat(64), reason: "other" } as const;
  const jws = await office.message(REJECTION, ALICE.key, body, { aud });
  const verify = vi.spyOn(crypto.subtle, "verify");
  for (let n = 0; n < 3; n += 1) await openOnce(jws, { type: REJECTION, ...expected() });
  expect(verify).toHaveBeenCalledTimes(3);
});
