/** What the parsers of untrusted input promise for any input: a Fault or a value, and a value only for its one spelling. */
import fc from "fast-check";
import { base64url } from "jose";
import { expect, test } from "vitest";
import { openEnvelope, payloadText, peekEnvelope } from "./envelope.ts";
import { Fault } from "./error.ts";
import { encodeFrame, parseBridgeFrame, parseClientFrame } from "./frame.ts";
import { encodeInvite, parseInvite } from "./invite.ts";
import { WITHDRAWAL } from "./message.ts";
import { thumbprint } from "./primitive.ts";
import { ENVELOPE } from "./vectors/envelope.ts";
import { FRAMES, INVITES } from "./vectors/link.ts";

const RUNS = { numRuns: 2_000 };

/** `text` with a few characters replaced, put in, taken out or doubled. */
function mutated(texts: readonly string[]): fc.Arbitrary<string> {
  const change = fc.record({
    at: fc.nat(),
    kind: fc.constantFrom("replace", "insert", "remove", "double"),
    by: fc.oneof(
      fc.constantFrom('"', ",", ":", "{", "}", " ", "0", "1", "A", "-", "_", ".", "=", "\n", "\\"),
      fc.string(),
    ),
  });
  return fc.tuple(fc.constantFrom(...texts), fc.array(change, { maxLength: 4 })).map(([text, changes]) =>
    changes.reduce((before, { at, kind, by }) => {
      const place = before.length === 0 ? 0 : at % before.length;
      const head = before.slice(0, place);
      const tail = before.slice(place);
      if (kind === "replace") return head + by + tail.slice(1);
      if (kind === "insert") return head + by + tail;
      return kind === "remove" ? head + tail.slice(1 + (at % 7)) : head + tail.slice(0, 9) + tail;
    }, text),
  );
}

/** Any text, any JSON, and what is nearly right. */
function inputs(texts: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 1, arbitrary: fc.string() },
    { weight: 1, arbitrary: fc.json() },
    { weight: 6, arbitrary: mutated(texts) },
  );
}

/** The value, or undefined where it was refused in the one way that is allowed. */
function accept<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    expect(error).toBeInstanceOf(Fault);
    return undefined;
  }
}

test.each([
  ["client", parseClientFrame, FRAMES.client.valid],
  ["bridge", parseBridgeFrame, FRAMES.bridge.valid],
] as const)("a frame of a %s", (_who, parse, valid) => {
  fc.assert(
    fc.property(inputs(valid), (text) => {
      const frame = accept(() => parse(text));
      if (frame !== undefined) expect(encodeFrame(frame)).toBe(text);
    }),
    RUNS,
  );
});

test("the body of a message may be sealed: five parts, of which the second is empty", () => {
  const [id, to, parts] = ["A".repeat(22), "A".repeat(43), `${"A".repeat(90)}..${"B".repeat(16)}.${"C".repeat(99)}.DD`];
  const send = { v: 1, t: "send", id, to, body: parts } as const;
  const deliver = { v: 1, t: "deliver", seq: 1, id, from: to, body: parts } as const;
  expect(parseClientFrame(encodeFrame(send))).toEqual(send);
  expect(parseBridgeFrame(encodeFrame(deliver))).toEqual(deliver);
});

test("a card is a JWS and nothing else, in each of its frames; to a client it may be missing at login only", () => {
  const [jws, sealed] = ["e30.e30.AA", "e30..AA.AA.AA"];
  for (const parse of [parseClientFrame, parseBridgeFrame]) {
    expect(parse(encodeFrame({ v: 1, t: "card", jws }))).toEqual({ v: 1, t: "card", jws });
    for (const card of [null, "", "e30.e30", sealed]) {
      expect(accept<unknown>(() => parse(JSON.stringify({ v: 1, t: "card", jws: card })))).toBeUndefined();
    }
  }
  for (const card of [jws, null]) {
    expect(parseBridgeFrame(encodeFrame({ v: 1, t: "ready", card }))).toEqual({ v: 1, t: "ready", card });
  }
  for (const text of [
    '{"v":1,"t":"ready"}',
    `{"v":1,"t":"ready","card":"${sealed}"}`,
    '{"v":1,"t":"certified","n":0}',
    '{"v":1,"t":"certified"}',
  ]) {
    expect(accept<unknown>(() => parseBridgeFrame(text))).toBeUndefined();
  }
  expect(accept<unknown>(() => parseClientFrame('{"v":1,"t":"certified","n":1}'))).toBeUndefined();
});

test("an invite, but for white space around it", () => {
  const valid = INVITES.valid.map(({ code }) => code);
  const repacked = mutated(INVITES.valid.map(({ invite }) => JSON.stringify(invite))).map(
    (text) => `opencustody-invite-${base64url.encode(new TextEncoder().encode(text))}`,
  );
  fc.assert(
    fc.property(fc.oneof(inputs(valid), repacked), (text) => {
      const invite = accept(() => parseInvite(text));
      if (invite !== undefined) expect(encodeInvite(invite)).toBe(text.trim());
    }),
    RUNS,
  );
});

test("an envelope that was changed in any way", async () => {
  const valid = ENVELOPE.valid.filter(({ typ }) => typ === WITHDRAWAL.typ).map(({ jws }) => jws);
  const keyOf = (kid: string) => ENVELOPE.pinned.find((jwk) => thumbprint(jwk) === kid);
  await fc.assert(
    fc.asyncProperty(inputs(valid), async (jws) => {
      accept(() => peekEnvelope(jws));
      const expected = { type: WITHDRAWAL, keyOf, audience: ENVELOPE.hsm, now: ENVELOPE.now };
      const opened = await openEnvelope(jws, expected).catch((error: unknown) => {
        expect(error).toBeInstanceOf(Fault);
        return undefined;
      });
      if (opened === undefined) return;
      expect(valid).toContain(jws);
      expect(payloadText(WITHDRAWAL, opened.payload)).toBe(new TextDecoder().decode(opened.bytes));
    }),
    RUNS,
  );
});

test("a payload that its own key signed is opened in its one spelling only", async () => {
  const texts = ENVELOPE.valid.filter(({ typ }) => typ === WITHDRAWAL.typ).map(({ payload }) => payload);
  // What a malicious member can sign: here a fresh key stands for it.
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const { x = "", y = "" } = await crypto.subtle.exportKey("jwk", pair.publicKey);
  const jwk = { kty: "EC", crv: "P-256", x, y } as const;
  const own = texts.map((text) => text.replaceAll(ENVELOPE.member, thumbprint(jwk)));
  const header = JSON.stringify({ alg: "ES256", typ: WITHDRAWAL.typ, kid: thumbprint(jwk) });
  let opens = 0;
  await fc.assert(
    fc.asyncProperty(mutated(own), async (text) => {
      const bytes = new TextEncoder().encode(text);
      const input = `${base64url.encode(header)}.${base64url.encode(bytes)}`;
      const made = await crypto.subtle.sign(
        { name: "ECDSA", hash: "SHA-256" },
        pair.privateKey,
        new TextEncoder().encode(input),
      );
      const jws = `${input}.${base64url.encode(new Uint8Array(made))}`;
      const expected = { type: WITHDRAWAL, keyOf: () => jwk, audience: ENVELOPE.hsm, now: ENVELOPE.now };
      const opened = await openEnvelope(jws, expected).catch((error: unknown) => {
        expect(error).toBeInstanceOf(Fault);
        return undefined;
      });
      if (opened === undefined) return;
      opens += 1;
      expect(payloadText(WITHDRAWAL, opened.payload)).toBe(new TextDecoder().decode(bytes));
    }),
    RUNS,
  );
  expect(opens).toBeGreaterThan(0);
});
