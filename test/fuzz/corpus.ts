/** The vectors as a place to start from, and their keys: whoever holds one of them can sign anything at all. */
import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { thumbprint } from "../../protocol/primitive.ts";
import * as keys from "../../protocol/vectors/keys.ts";
import { encode64 } from "./mutate-bytes.ts";
import type { Random } from "./random.ts";

/** What a file of vectors holds; whoever reads it says what they expect there. */
export function readVectors(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../protocol/vectors/${name}.json`, import.meta.url), "utf8"));
}

/** All texts in a value, however deep, that `isWanted`. */
export function textsIn(value: unknown, isWanted: (text: string) => boolean = () => true): string[] {
  if (typeof value === "string") return isWanted(value) ? [value] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap((member) => textsIn(member, isWanted));
}

export interface SigningKey {
  readonly kid: string;
  readonly jwk: keys.VectorKey["jwk"];
  readonly secret: KeyObject;
}

/** Every P-256 key of the vectors, by its thumbprint. */
export const KEYS: ReadonlyMap<string, SigningKey> = new Map(
  Object.values(keys)
    .filter((value): value is keys.VectorKey => typeof value === "object" && "signer" in value)
    .map(({ jwk, d }) => {
      const kid = thumbprint(jwk);
      return [kid, { kid, jwk, secret: createPrivateKey({ key: { ...jwk, d }, format: "jwk" }) }] as const;
    }),
);

/** The compact JWS of any header and payload at all. */
export function signAnything(header: string, payload: string | Uint8Array, { secret }: SigningKey): string {
  const input = `${encode64(header)}.${encode64(payload)}`;
  const signature = sign("sha256", Buffer.from(input), { key: secret, dsaEncoding: "ieee-p1363" });
  return `${input}.${encode64(signature)}`;
}

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** The other signature that verifies as well: s and the order without s. What it signs is the same, so it may be accepted. */
export function otherSignature(jws: string): string {
  const [header = "", payload = "", signature = ""] = jws.split(".");
  const bytes = Buffer.from(signature, "base64url");
  if (bytes.length !== 64) return jws;
  const s = ORDER - BigInt(`0x${bytes.subarray(32).toString("hex")}`);
  if (s <= 0n) return jws;
  return `${header}.${payload}.${encode64(Buffer.from(bytes.subarray(0, 32).toString("hex") + s.toString(16).padStart(64, "0"), "hex"))}`;
}

/** The same signature in ASN.1 DER, which JOSE does not use. */
export function derSignature(random: Random, jws: string): string {
  const [header = "", payload = "", signature = ""] = jws.split(".");
  const bytes = Buffer.from(signature, "base64url");
  const integer = (part: Buffer) => Buffer.concat([Buffer.from([2, part.length + 1, 0]), part]);
  const body = Buffer.concat([integer(bytes.subarray(0, 32)), integer(bytes.subarray(32))]);
  const der = Buffer.concat([Buffer.from([0x30, body.length]), body, random.bytes(random.int(2))]);
  return `${header}.${payload}.${encode64(der)}`;
}
