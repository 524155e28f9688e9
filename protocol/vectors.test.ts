/** Runs every vector against the code, and the generator against the vectors. Counts are stated, so that none can get lost. */
import { readFileSync } from "node:fs";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { ACT } from "./charter.ts";
import { EthereumAddressSchema, personalMessageHash, recoverSigner } from "./device-signature.ts";
import { type Claims, type MessageType, openEnvelope, payloadText } from "./envelope.ts";
import { encodeFrame, FRAME_MAX, parseBridgeFrame, parseClientFrame } from "./frame.ts";
import { encodeInvite, parseInvite } from "./invite.ts";
import * as messages from "./message.ts";
import { findLookAlikes, NameSchema, SymbolSchema } from "./name.ts";
import { RequestIdSchema, requestIdOf, thumbprint } from "./primitive.ts";
import { isTransfer, REQUEST, type RequestPayload, requestDigest, statementOf } from "./request.ts";
import { checkText, findDifference, renderStatement, renderTemplate } from "./statement.ts";
import { ENVELOPE } from "./vectors/envelope.ts";
import { fileText, VECTORS } from "./vectors/generate.ts";
import { FRAMES, INVITES, LOGINS } from "./vectors/link.ts";
import { REQUESTS } from "./vectors/request.ts";
import { DEVICE_SIGNATURES, NAMES, REQUEST_IDS, STATEMENTS } from "./vectors/word.ts";

const TYPES: MessageType[] = [
  REQUEST,
  ACT,
  ...Object.values(messages).filter((one) => typeof one === "object" && "typ" in one),
];
const coded = (code: string): unknown => expect.objectContaining({ name: "Fault", code });

function typeOf(typ: string): MessageType {
  const found = TYPES.find((type) => type.typ === typ);
  if (found === undefined) throw new Error(`no type ${typ}`);
  return found;
}

/** How many vectors each list of each file has. */
const COUNTS = {
  "charter.json": { rotatedByTheOld: 7, rotatedByTheNew: 3, refused: 74 },
  "device-signature.json": { valid: 8, others: 4, refused: 17 },
  "envelope.json": { pinned: 6, valid: 26, refused: 74 },
  "ethereum.json": { decoded: 43, refused: 41 },
  "frame.json": { client: 2, bridge: 2 },
  "governance.json": { valid: 23, refused: 55, impossible: 16 },
  "invite.json": { valid: 4, refused: 25 },
  "log.json": {
    lines: 21,
    roots: 22,
    inclusion: 21,
    notIncluded: 11,
    consistency: 45,
    notConsistent: 9,
    notEntries: 12,
    checkpoints: 7,
    refused: 25,
  },
  "login.json": { agents: 1, logins: 21 },
  "name.json": { names: 2, symbols: 2, alike: 9, distinct: 5 },
  "proof.json": { valid: 28, refused: 196 },
  "request-id.json": { ids: 5, refused: 10 },
  "request.json": { valid: 5, refused: 49 },
  "statement.json": { statements: 10, texts: 23, differences: 25 },
  "words.json": { pairings: 8, typed: 6, refused: 11 },
};

test("every file has the vectors that it should have", () => {
  const counts = Object.entries(VECTORS).map(([name, value]) => {
    const lists = Object.entries(value).filter(([, list]: [string, unknown]) => Array.isArray(list));
    return [name, Object.fromEntries(lists.map(([list, items]: [string, unknown[]]) => [list, items.length]))];
  });
  const { "frame.json": _frames, "name.json": _names, ...lists } = COUNTS;
  expect(Object.fromEntries(counts)).toMatchObject(lists);
  expect(Object.keys(VECTORS)).toEqual(Object.keys(COUNTS));
  expect([FRAMES.client.valid, FRAMES.client.refused, FRAMES.bridge.valid, FRAMES.bridge.refused].map(count)).toEqual([
    8, 33, 11, 20,
  ]);
  expect([NAMES.names.valid, NAMES.names.refused, NAMES.symbols.valid, NAMES.symbols.refused].map(count)).toEqual([
    17, 43, 6, 18,
  ]);
  expect([NAMES.alike, NAMES.distinct].map(count)).toEqual([9, 5]);
});

function count(list: readonly unknown[]): number {
  return list.length;
}

test.each(Object.entries(VECTORS))("the generator reproduces %s byte for byte", (name, value) => {
  expect(readFileSync(new URL(`vectors/${name}`, import.meta.url), "utf8")).toBe(`${fileText(value)}\n`);
});

describe("statements", () => {
  test.each(STATEMENTS.statements)("$what", ({ words, digest, statement, template }) => {
    expect(renderStatement(words, digest)).toBe(statement);
    expect(renderTemplate(words)).toBe(template);
    expect(findDifference(words, template)).toBeUndefined();
  });
  test.each(STATEMENTS.texts)("text %#", ({ text, code }) => {
    if (code === null) expect(checkText(text)).toBe(text);
    else expect(() => checkText(text)).toThrow(coded(code));
  });
  test.each(STATEMENTS.differences)("$part is named in $template", ({ template, part }) => {
    const [first] = STATEMENTS.statements;
    expect(first && findDifference(first.words, template)).toBe(part);
  });
});

describe("envelopes", () => {
  const keyOf = (kid: string) => ENVELOPE.pinned.find((jwk) => thumbprint(jwk) === kid);
  const audiences = [ENVELOPE.hsm, ENVELOPE.member, ENVELOPE.bridge];
  test.each(ENVELOPE.valid)("$what opens", async ({ typ, payload, jws }) => {
    const type = typeOf(typ);
    const { aud } = JSON.parse(payload) as Claims;
    const audience = audiences.find((one) => aud.includes(one)) ?? "";
    const opened = await openEnvelope(jws, { type, keyOf, audience, now: ENVELOPE.now });
    expect(new TextDecoder().decode(opened.bytes)).toBe(payload);
    expect(payloadText(type, opened.payload)).toBe(payload);
  });
  test.each(ENVELOPE.refused)("step $step: $what", async ({ jws, code }) => {
    const expected = { type: messages.WITHDRAWAL, keyOf, audience: ENVELOPE.hsm, now: ENVELOPE.now };
    await expect(openEnvelope(jws, expected)).rejects.toMatchObject({ name: "Fault", code });
  });
  test("every type has a valid vector", () => {
    expect(new Set(ENVELOPE.valid.map(({ typ }) => typ))).toEqual(new Set(TYPES.map(({ typ }) => typ)));
  });
});

describe("requests", () => {
  const { hsm, audience, now } = REQUESTS;
  const expected = {
    type: REQUEST,
    keyOf: (kid: string) => (kid === thumbprint(hsm) ? hsm : undefined),
    audience,
    now,
  };
  const statement = (payload: RequestPayload, digest: string) => {
    if (!isTransfer(payload)) throw new TypeError("not a transfer");
    return statementOf(payload, payload.effect, digest);
  };
  test.each(REQUESTS.valid)("$what", async ({ payload: text, jws, digest, statement: expectedStatement }) => {
    const { payload, bytes } = await openEnvelope(jws, expected);
    expect(new TextDecoder().decode(bytes)).toBe(text);
    expect(requestDigest(bytes)).toBe(digest);
    expect(statement(payload, digest)).toBe(expectedStatement);
  });
  test.each(REQUESTS.refused)("refused: $what", async ({ jws, code }) => {
    const read = async () => {
      const { payload, bytes } = await openEnvelope(jws, expected);
      return statement(payload, requestDigest(bytes));
    };
    await expect(read()).rejects.toMatchObject({ name: "Fault", code });
  });
});

describe("device signatures", () => {
  test.each(DEVICE_SIGNATURES.valid)("$what", ({ statement, hash, signature, address }) => {
    expect(bytesToHex(personalMessageHash(statement))).toBe(hash);
    expect(recoverSigner(statement, signature)).toBe(address);
    expect(v.is(EthereumAddressSchema, address)).toBe(true);
  });
  test.each(DEVICE_SIGNATURES.others)("not this address's: $what", ({ statement, signature, address }) => {
    expect(recoverOrNothing(statement, signature)).not.toBe(address);
  });
  test.each(DEVICE_SIGNATURES.refused)("refused: $what", ({ statement, signature, code }) => {
    expect(() => recoverSigner(statement, signature)).toThrow(coded(code));
  });
});

function recoverOrNothing(statement: string, signature: string): string | undefined {
  try {
    return recoverSigner(statement, signature);
  } catch {
    return undefined;
  }
}

describe("frames", () => {
  test.each(FRAMES.client.valid)("a client's: %s", (text) => {
    expect(encodeFrame(parseClientFrame(text))).toBe(text);
  });
  test.each(FRAMES.bridge.valid)("a bridge's: %s", (text) => {
    expect(encodeFrame(parseBridgeFrame(text))).toBe(text);
  });
  test.each(FRAMES.client.refused)("of a client refused: $what", ({ text, code }) => {
    expect(() => parseClientFrame(text)).toThrow(coded(code));
  });
  test.each(FRAMES.bridge.refused)("of a bridge refused: $what", ({ text, code }) => {
    expect(() => parseBridgeFrame(text)).toThrow(coded(code));
  });
  test("the longest body passes, one more does not, and a frame past its limit is not even read", () => {
    const send = (length: number) => {
      const id = "A".repeat(22);
      return encodeFrame({ v: 1, t: "send", id, to: "A".repeat(43), body: "A".repeat(length) });
    };
    expect(parseClientFrame(send(FRAME_MAX - 1024))).toMatchObject({ t: "send" });
    expect(() => parseClientFrame(send(FRAME_MAX - 1023))).toThrow(coded("ERR_FRAME_MALFORMED"));
    expect(() => parseClientFrame(send(FRAME_MAX))).toThrow(coded("ERR_FRAME_TOO_LARGE"));
  });
});

describe("invites", () => {
  test.each(INVITES.valid)("$what", ({ code, invite }) => {
    expect(parseInvite(code)).toEqual(invite);
    expect(encodeInvite(invite)).toBe(code.trim());
  });
  test.each(INVITES.refused)("refused: $what", ({ text, code }) => {
    expect(() => parseInvite(text)).toThrow(coded(code));
  });
});

test("the roster of the logins opens under the HSM identity", async () => {
  const { hsm, url, roster, now } = LOGINS;
  const opened = await openEnvelope(roster, { type: messages.ROSTER, keyOf: () => hsm, audience: url, now });
  expect(opened.payload.n).toBe(5);
});

describe("names, symbols and ids", () => {
  test.each([
    ["name", NameSchema, NAMES.names],
    ["symbol", SymbolSchema, NAMES.symbols],
    ["request id", RequestIdSchema, { valid: REQUEST_IDS.ids.map(({ id }) => id), refused: REQUEST_IDS.refused }],
  ] as const)("%s", (_what, schema, { valid, refused }) => {
    expect(valid.filter((text) => !v.is(schema, text))).toEqual([]);
    expect(refused.filter((text) => v.is(schema, text))).toEqual([]);
  });
  test("look-alikes are found, others are not", () => {
    expect(NAMES.alike.filter((pair) => findLookAlikes(pair) === undefined)).toEqual([]);
    expect(NAMES.distinct.filter((pair) => findLookAlikes(pair) !== undefined)).toEqual([]);
  });
  test.each(REQUEST_IDS.ids)("id of $bytes", ({ bytes, id }) => {
    expect(requestIdOf(hexToBytes(bytes))).toBe(id);
  });
});
