import { readFileSync } from "node:fs";
import fc from "fast-check";
import { base64url, CompactEncrypt, compactDecrypt, importJWK } from "jose";
import { describe, expect, test } from "vitest";
import { type PublicJwk, thumbprint } from "./primitive.ts";
import { makeSealKey, peekSeal, publicSealJwk, SEAL_SIZES, seal, unseal } from "./seal.ts";
import { SEALS } from "./vectors/generate-seal.ts";

const pair = await makeSealKey(false);
const jwk = await publicSealJwk(pair);
const kid = thumbprint(jwk);
const keyOf = (wanted: string) => (wanted === kid ? pair.privateKey : undefined);

/** A text in the form of a JWS, of so many characters. */
const jwsOf = (length: number) => `${"e30.".repeat(2)}${"A".repeat(length - 8)}`;
const good = await seal(jwsOf(300), jwk);
const [header = "", , iv = "", ciphertext = "", tag = ""] = good.split(".");

/** `opened`, or the code of the refusal; anything else that is thrown is the test's failure. */
async function outcomeOf(body: string, keys = keyOf): Promise<string> {
  try {
    await unseal(body, keys);
    return "opened";
  } catch (error) {
    if (error instanceof Error && "code" in error && String(error.code).startsWith("ERR_SEAL_"))
      return String(error.code);
    throw error;
  }
}

const [largest = 0] = SEAL_SIZES.slice(-1);
const EDGES = SEAL_SIZES.flatMap((size) => [size - 1, size, size + 1]).filter((length) => length <= largest);

test.each([11, ...EDGES])("a message of %i characters comes back as it was", async (length) => {
  const jws = jwsOf(length);
  const body = await seal(jws, jwk);
  expect(await unseal(body, keyOf)).toBe(jws);
  expect(peekSeal(body)).toEqual({ kid });
});

test("what is longer than the largest size, or no JWS, is never sealed", async () => {
  await expect(seal(jwsOf(largest + 1), jwk)).rejects.toThrow(RangeError);
  for (const text of ["", "SEND", "e30.e30", "e30.e30.AA=", "e30.e30.AA.AA", "e30.e30.é"]) {
    await expect(seal(text, jwk)).rejects.toThrow(TypeError);
  }
});

test("the largest fits into a frame's body", async () => {
  expect((await seal(jwsOf(largest), jwk)).length).toBeLessThanOrEqual(130_048);
});

test("the length of a sealed message tells its size class and nothing else", async () => {
  const lengthsOf = async (...lengths: number[]) =>
    new Set(await Promise.all(lengths.map(async (length) => (await seal(jwsOf(length), jwk)).length)));
  expect((await lengthsOf(11, 12, 300, 1500, 2047, 2048)).size).toBe(1);
  expect((await lengthsOf(32_769, 40_001, 65_536)).size).toBe(1);
  expect((await lengthsOf(...SEAL_SIZES)).size).toBe(SEAL_SIZES.length);
});

test("the same message sealed twice shares no key, no iv and no ciphertext", async () => {
  const [otherHeader, , otherIv, otherCiphertext] = (await seal(jwsOf(300), jwk)).split(".");
  expect([otherHeader === header, otherIv === iv, otherCiphertext === ciphertext]).toEqual([false, false, false]);
});

test("a header is exactly alg, enc, kid and epk in the order of the specification", () => {
  const text = new TextDecoder().decode(base64url.decode(header));
  const b32 = "[A-Za-z0-9_-]{43}";
  expect(text).toMatch(
    new RegExp(
      `^{"alg":"ECDH-ES","enc":"A256GCM","kid":"${kid}","epk":{"x":"${b32}","crv":"P-256","kty":"EC","y":"${b32}"}}$`,
    ),
  );
});

describe("every bit counts", () => {
  /** The part with one bit turned, for each bit of the bytes that `chosen` picks. */
  function flips(part: string, chosen: (at: number) => boolean): string[] {
    const bytes = base64url.decode(part);
    return Array.from(bytes.keys())
      .filter(chosen)
      .flatMap((at) =>
        [1, 2, 4, 8, 16, 32, 64, 128].map((bit) =>
          base64url.encode(bytes.map((byte, index) => (index === at ? byte ^ bit : byte))),
        ),
      );
  }
  const outcomes = async (bodies: string[]) =>
    [...new Set(await Promise.all(bodies.map(async (body) => await outcomeOf(body))))].sort();

  test("of the header", async () => {
    const bodies = flips(header, () => true).map((part) => [part, "", iv, ciphertext, tag].join("."));
    expect(bodies.length).toBe(base64url.decode(header).length * 8);
    // A bit of `kid` names another key, one of a coordinate another point, any other is no header any more.
    expect(await outcomes(bodies)).toEqual(["ERR_SEAL_KEY", "ERR_SEAL_MALFORMED", "ERR_SEAL_OPEN"]);
  });
  test("of the encrypted key, which has none", async () => {
    const bodies = ["A", "AA", "AAAA", "=", " ", base64url.encode(new Uint8Array(40))].map((part) =>
      [header, part, iv, ciphertext, tag].join("."),
    );
    expect(await outcomes(bodies)).toEqual(["ERR_SEAL_MALFORMED"]);
  });
  test("of the iv", async () => {
    const bodies = flips(iv, () => true).map((part) => [header, "", part, ciphertext, tag].join("."));
    expect(await outcomes(bodies)).toEqual(["ERR_SEAL_OPEN"]);
  });
  test("of the ciphertext, its padding included", async () => {
    const bodies = flips(ciphertext, (at) => at % 97 === 0 || at === 2047).map((part) =>
      [header, "", iv, part, tag].join("."),
    );
    expect(await outcomes(bodies)).toEqual(["ERR_SEAL_OPEN"]);
  });
  test("of the tag", async () => {
    const bodies = flips(tag, () => true).map((part) => [header, "", iv, ciphertext, part].join("."));
    expect(await outcomes(bodies)).toEqual(["ERR_SEAL_OPEN"]);
  });
  test("and no character may be left out", async () => {
    const bodies = Array.from({ length: 400 }, (_, at) => good.slice(0, at) + good.slice(at + 1));
    expect(await outcomes(bodies)).not.toContain("opened");
    expect(await outcomeOf(good)).toBe("opened");
  });
});

describe("what jose would open, and is refused", () => {
  const text = new TextEncoder().encode(jwsOf(300).padEnd(2048, "="));
  const HEADER = { alg: "ECDH-ES", enc: "A256GCM", kid };
  const forge = async (members: object, party: { apu?: Uint8Array; apv?: Uint8Array } = {}) =>
    await new CompactEncrypt(text)
      .setProtectedHeader({ ...HEADER, ...members })
      .setKeyManagementParameters(party)
      .encrypt(await importJWK({ ...jwk }, "ECDH-ES"), { crit: { "urn:x": true } });

  test.each([
    ["alg ECDH-ES+A256KW", { alg: "ECDH-ES+A256KW" }, {}],
    ["alg ECDH-ES+A128KW", { alg: "ECDH-ES+A128KW" }, {}],
    ["enc A128GCM", { enc: "A128GCM" }, {}],
    ["enc A256CBC-HS512", { enc: "A256CBC-HS512" }, {}],
    ["zip", { zip: "DEF" }, {}],
    ["crit", { crit: ["urn:x"], "urn:x": 1 }, {}],
    ["apu", {}, { apu: new Uint8Array(16) }],
    ["apv", {}, { apv: new Uint8Array(16) }],
    ["an unknown member", { x: 1 }, {}],
    ["a key in the header", { jwk }, {}],
    ["typ", { typ: "JOSE" }, {}],
    ["cty", { cty: "JWT" }, {}],
  ])("%s", async (_what, members, party) => {
    const body = await forge(members, party);
    const opened = await compactDecrypt(body, pair.privateKey, { crit: { "urn:x": true } });
    expect(opened.plaintext.length).toBe(2048);
    expect(await outcomeOf(body)).toBe("ERR_SEAL_MALFORMED");
    expect(() => peekSeal(body)).toThrow(expect.objectContaining({ code: "ERR_SEAL_MALFORMED" }));
  });

  test("alg dir, with a key that both have", async () => {
    const body = await new CompactEncrypt(text)
      .setProtectedHeader({ ...HEADER, alg: "dir" })
      .encrypt(new Uint8Array(32));
    expect(await outcomeOf(body)).toBe("ERR_SEAL_MALFORMED");
  });

  test("the canonical header alone is what `forge` differs in", async () => {
    expect(await outcomeOf(await forge({}))).toBe("opened");
  });
});

test("any text, and any change to a sealed message, is refused with a code of its own", async () => {
  const changed = fc
    .tuple(fc.nat(good.length - 1), fc.nat(9), fc.oneof(fc.string(), fc.constantFrom(".", "=", "A", "\n")))
    .map(([at, gone, by]) => good.slice(0, at) + by + good.slice(at + gone));
  const property = fc.asyncProperty(fc.oneof(fc.string(), changed), async (body) => {
    expect((await outcomeOf(body)) === "opened").toBe(body === good);
  });
  await fc.assert(property, { numRuns: 1_000 });
});

test("a key that is not kept is told from one that does not open it", async () => {
  const other = await makeSealKey(false);
  const body = await seal(jwsOf(300), await publicSealJwk(other));
  expect(await outcomeOf(body)).toBe("ERR_SEAL_KEY");
  expect(await outcomeOf(good, () => other.privateKey)).toBe("ERR_SEAL_OPEN");
});

test("a malformed message is refused before any key is asked for", async () => {
  const never = (): undefined => expect.unreachable();
  expect(await outcomeOf(`${good}=`, never)).toBe("ERR_SEAL_MALFORMED");
});

// Whoever opened a message can seal the JWS to somebody else. It is the same JWS then: `aud` still names who it was meant for.
test("sealing it again to somebody else changes nothing in the message", async () => {
  const somebody = await makeSealKey(false);
  const again = await seal(await unseal(good, keyOf), await publicSealJwk(somebody));
  expect(await unseal(again, () => somebody.privateKey)).toBe(jwsOf(300));
});

test("a private half leaves WebCrypto only if that was asked for", async () => {
  expect([pair.privateKey.extractable, pair.privateKey.usages]).toEqual([false, ["deriveBits"]]);
  for (const format of ["jwk", "pkcs8"] as const) {
    await expect(crypto.subtle.exportKey(format, pair.privateKey)).rejects.toThrow();
  }
  await expect(publicSealJwk(pair.privateKey)).rejects.toThrow();
  const kept = await makeSealKey(true);
  const stored = await crypto.subtle.exportKey("jwk", kept.privateKey);
  const again = await crypto.subtle.importKey("jwk", stored, { name: "ECDH", namedCurve: "P-256" }, false, [
    "deriveBits",
  ]);
  expect(await unseal(await seal(jwsOf(300), await publicSealJwk(kept)), () => again)).toBe(jwsOf(300));
});

test("a public half has four members, wherever it is taken from", async () => {
  const kept = await makeSealKey(true);
  const halves = await Promise.all(
    [kept, kept.publicKey, kept.privateKey].map(async (key) => await publicSealJwk(key)),
  );
  expect(new Set(halves.map((half) => JSON.stringify(half))).size).toBe(1);
  expect(halves.map((half) => Object.keys(half))[0]).toEqual(["kty", "crv", "x", "y"]);
});

test("nothing is sealed to what is no point of the curve", async () => {
  const off: PublicJwk = { ...jwk, y: jwk.x };
  await expect(seal(jwsOf(300), off)).rejects.toThrow();
});

describe("vectors", async () => {
  const { d: _d, ...receiver } = SEALS.receiver;
  const algorithm = { name: "ECDH", namedCurve: "P-256" };
  const key = await crypto.subtle.importKey("jwk", SEALS.receiver, algorithm, false, ["deriveBits"]);
  const keys = (wanted: string) => (wanted === thumbprint(receiver) ? key : undefined);

  test("the file is what the generator makes, and has as many as it should", () => {
    expect(JSON.parse(readFileSync(new URL("vectors/seal.json", import.meta.url), "utf8"))).toEqual(SEALS);
    expect([SEALS.valid.length, SEALS.refused.length]).toEqual([4, 90]);
    expect(new Set(SEALS.refused.map(({ body }) => body)).size).toBe(90);
  });
  test("what its form alone refuses is refused before any key is asked for", () => {
    const byForm = SEALS.refused.slice(
      0,
      SEALS.refused.findIndex(({ code }) => code === "ERR_SEAL_KEY"),
    );
    expect(byForm.length).toBe(62);
    for (const { body, code } of byForm) expect(() => peekSeal(body)).toThrow(expect.objectContaining({ code }));
  });
  test.each(SEALS.valid)("opens: $what", async ({ body, jws }) => {
    expect(await unseal(body, keys)).toBe(jws);
  });
  test.each(SEALS.refused)("refused: $what", async ({ body, code }) => {
    expect(await outcomeOf(body, keys)).toBe(code);
  });
});
