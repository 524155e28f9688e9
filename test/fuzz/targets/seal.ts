/** Sealed messages: changed by whoever carries them, and sealed by anybody, with anything in them. */
import { CompactEncrypt, type CompactJWEHeaderParameters, importJWK } from "jose";
import { peekSeal, SEAL_SIZES, unseal } from "../../../protocol/seal.ts";
import { readVectors } from "../corpus.ts";
import { encode64, respell64 } from "../mutate-bytes.ts";
import { mutateJson } from "../mutate-json.ts";
import { mutateText } from "../mutate-text.ts";
import type { Random } from "../random.ts";
import { accept, acceptLater, given, require, type Target } from "../target.ts";

const VECTORS = readVectors("seal") as {
  receiver: { kty: string; crv: string; x: string; y: string; d: string };
  valid: { jws: string; body: string }[];
  refused: { body: string }[];
};
/** The largest is kept out of most inputs: it would take the time of twenty others. */
const VALID = VECTORS.valid.map(({ body }) => body).sort((a, b) => a.length - b.length);
const CORPUS = [...VALID.slice(0, 2), ...VECTORS.refused.map(({ body }) => body).filter((body) => body.length < 9_000)];

export async function seals(): Promise<Target> {
  const { kid, key } = await receiver();
  const whole = new Set(VALID);
  return {
    attempt: async (random) => {
      const body = given(mutateSeal(random, random.once(30) ? random.pick(VALID) : random.pick(CORPUS)));
      peek(body);
      const jws = await acceptLater(() => unseal(body, (one) => (one === kid ? key : undefined)));
      if (jws === undefined) return "refused";
      require(whole.has(body), "a seal that nobody made");
      return "accepted";
    },
  };
}

/** Sealed by somebody who has the public key, as everybody has: padding, lengths and what is inside are theirs to choose. */
export async function sealedAnything(): Promise<Target> {
  const { kid, key } = await receiver();
  const { d: _, ...jwk } = VECTORS.receiver;
  const to = await importJWK(jwk, "ECDH-ES");
  const inside = VECTORS.valid.map(({ jws }) => jws).sort((a, b) => a.length - b.length)[0] ?? "";
  return {
    attempt: async (random) => {
      const text = given(plaintext(random, random.once(3) ? inside : mutateText(random, inside, [inside])));
      const header: CompactJWEHeaderParameters = { alg: "ECDH-ES", enc: "A256GCM", kid };
      if (random.once(8))
        Object.assign(
          header,
          random.pick([{ enc: "A128GCM" }, { cty: "JWT" }, { apu: "AA" }, { kid: kid.toLowerCase() }]),
        );
      const body = await new CompactEncrypt(text).setProtectedHeader(header).encrypt(to);
      const jws = await acceptLater(() => unseal(body, (one) => (one === kid ? key : undefined)));
      if (jws === undefined) return "refused";
      const size = SEAL_SIZES.find((one) => jws.length <= one) ?? 0;
      require(/^[\w-]+\.[\w-]+\.[\w-]+$/.test(jws), "what is no JWS");
      require(Buffer.compare(text, Buffer.from(jws.padEnd(size, "="))) === 0, "padding in another spelling");
      return "accepted";
    },
  };
}

async function receiver(): Promise<{ kid: string; key: CryptoKey }> {
  const { kid } = peekSeal(VALID[0] ?? "");
  const key = await importJWK(VECTORS.receiver, "ECDH-ES");
  if (key instanceof Uint8Array) throw new TypeError("no private key");
  return { kid, key };
}

function peek(body: string): void {
  const peeked = accept(() => peekSeal(body));
  if (peeked === undefined) return;
  const [header = "", second, iv = "", , tag = "", ...more] = body.split(".");
  const { alg, enc, kid, epk } = JSON.parse(Buffer.from(header, "base64url").toString()) as Record<string, unknown>;
  require(encode64(JSON.stringify({ alg, enc, kid, epk })) === header &&
    kid === peeked.kid, "a header in another spelling");
  require(second === "" && iv.length === 16 && tag.length === 22 && more.length === 0, "a seal of another form");
}

function plaintext(random: Random, jws: string): Uint8Array {
  const size = random.once(8) ? random.pick(SEAL_SIZES) : (SEAL_SIZES.find((one) => jws.length <= one) ?? 0);
  const padded = jws.padEnd(size, random.once(6) ? random.pick([" ", "\0", "A", "=\n"]) : "=");
  const bytes = Buffer.from(random.once(6) ? mutateText(random, padded, [jws]) : padded);
  if (random.once(10)) bytes[random.int(bytes.length)] = random.int(256);
  return new Uint8Array(bytes);
}

function mutateSeal(random: Random, body: string): string {
  const parts = body.split(".");
  const at = random.int(parts.length);
  const part = parts[at] ?? "";
  const other = random.pick(CORPUS).split(".");
  const changed = (made: string) => parts.map((old, place) => (place === at ? made : old)).join(".");
  switch (random.int(6)) {
    case 0:
      return changed(other[at] ?? "");
    case 1:
      return changed(respell64(random, part));
    case 2:
      return [
        encode64(mutateJson(random, Buffer.from(parts[0] ?? "", "base64url").toString(), CORPUS)),
        ...parts.slice(1),
      ].join(".");
    case 3:
      return changed(mutateText(random, part, other));
    case 4:
      return random.once(4) ? body : mutateText(random, body, CORPUS);
    default: {
      const bytes = Buffer.from(part, "base64url");
      bytes[random.int(bytes.length)] = random.int(256);
      return changed(encode64(bytes));
    }
  }
}
