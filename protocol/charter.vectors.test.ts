/** Runs governance.json, charter.json and words.json against the code; vectors.test.ts counts them and compares them with their generator. */
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { ACT, applyAct, type Charter } from "./charter.ts";
import { openEnvelope } from "./envelope.ts";
import { applyMotion, referencesOf } from "./governance.ts";
import { type PublicJwk, sha256Hex, thumbprint } from "./primitive.ts";
import { isTransfer, motionOf, motionStatementOf, REQUEST, requestDigest } from "./request.ts";
import { CHARTERS } from "./vectors/charter.ts";
import { GOVERNANCE } from "./vectors/governance.ts";
import { WORDS } from "./vectors/words.ts";
import { FOUNDED } from "./vectors/world.ts";
import { isWord, normaliseWords, WordsSchema, wordsOfPairing } from "./words.ts";

describe("governance", () => {
  const { hsm, audience, now } = GOVERNANCE;
  test.each(GOVERNANCE.valid)("$what", ({ what, payload: text, digest, statement }) => {
    const payload = v.parse(REQUEST.schema, JSON.parse(text));
    if (isTransfer(payload)) throw new TypeError("not a motion");
    expect(JSON.stringify(payload)).toBe(text);
    expect(requestDigest(new TextEncoder().encode(text))).toBe(digest);
    expect(motionStatementOf(payload, digest)).toBe(statement);
    const motion = motionOf(payload);
    const before = motion.verb === "FOUND" ? null : FOUNDED;
    expect({ policy: payload.policy, people: payload.people }).toEqual(
      referencesOf(before ?? applyMotion(motion, null)),
    );
    expect(() => applyMotion(motion, before), what).not.toThrow();
  });
  test.each(GOVERNANCE.refused)("refused: $what", async ({ jws, code }) => {
    const keyOf = (kid: string) => (kid === thumbprint(hsm) ? hsm : undefined);
    const read = async () => {
      const { payload, bytes } = await openEnvelope(jws, { type: REQUEST, keyOf, audience, now });
      if (isTransfer(payload)) throw new TypeError("not a motion");
      return motionStatementOf(payload, requestDigest(bytes));
    };
    await expect(read()).rejects.toMatchObject({ name: "Fault", code });
  });
  test.each(GOVERNANCE.impossible)("impossible: $what", ({ first, motion, code }) => {
    const before = first === null ? FOUNDED : applyMotion(first, FOUNDED);
    expect(() => applyMotion(motion, before)).toThrow(expect.objectContaining({ name: "Fault", code }));
  });
});

async function replay(acts: readonly { jws: string }[], pinned: PublicJwk): Promise<Charter | null> {
  let charter: Charter | null = null;
  for (const { jws } of acts) ({ charter } = await applyAct(charter, jws, pinned));
  return charter;
}

describe("the charter", () => {
  const { hsm } = CHARTERS;
  const chains = [CHARTERS.rotatedByTheOld, CHARTERS.rotatedByTheNew];
  test.each(chains)("a chain of acts, one by one", async (...acts) => {
    let charter: Charter | null = null;
    for (const { payload, jws, after } of acts) {
      const applied = await applyAct(charter, jws, hsm);
      expect(JSON.stringify(v.parse(ACT.schema, JSON.parse(payload)))).toBe(payload);
      expect(after.head).toBe(sha256Hex(new TextEncoder().encode(payload)));
      const { n, head, spent } = applied.charter;
      expect({ n, head, hsm: thumbprint(applied.charter.hsm), spent, ...referencesOf(applied.charter) }).toEqual(after);
      ({ charter } = applied);
    }
  });
  test("both end at the next identity", async () => {
    for (const acts of chains) expect((await replay(acts, hsm))?.hsm).toEqual(CHARTERS.next);
  });
  test.each(CHARTERS.refused)("refused after $after: $what", async ({ after, jws, code }) => {
    const charter = await replay(CHARTERS.rotatedByTheOld.slice(0, after), hsm);
    await expect(applyAct(charter, jws, hsm)).rejects.toMatchObject({ name: "Fault", code });
  });
});

describe("words", () => {
  test.each(WORDS.pairings)("$what", ({ facts, words }) => {
    expect(wordsOfPairing(facts)).toBe(words);
    expect(words.split(" ").filter(isWord)).toHaveLength(6);
    expect(v.is(WordsSchema, words)).toBe(true);
  });
  test.each(WORDS.typed)("typed: $text", ({ text, words }) => {
    expect(normaliseWords(text)).toBe(words);
  });
  test("what is not six words in the one spelling is refused", () => {
    expect(WORDS.refused.filter((text) => v.is(WordsSchema, text))).toEqual([]);
  });
});
