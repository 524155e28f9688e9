/**
 * The keys of the vectors: fixed, public, and good for nothing else. Signatures are deterministic (RFC 6979), so that the
 * vectors come out byte for byte the same wherever they are made.
 */
import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { base64url } from "jose";
import { addressOfPublicKey, personalMessageHash } from "../device-signature.ts";
import type { Signer } from "../envelope.ts";
import { jwkOfPoint, type PublicJwk, thumbprint } from "../primitive.ts";

export interface VectorKey {
  readonly jwk: PublicJwk;
  /** base64url of the private scalar. */
  readonly d: string;
  readonly signer: Signer;
}

/** Bytes that follow from a name: private keys, nonces, ids. */
export function bytesOf(name: string, length: number): Uint8Array {
  return sha256(utf8ToBytes(`OpenCustody protocol vectors: ${name}`)).subarray(0, length);
}

/** base64url of bytes that follow from a name. */
export function wordOf(name: string, length: number): string {
  return base64url.encode(bytesOf(name, length));
}

function p256Key(name: string): VectorKey {
  const secret = bytesOf(`P-256 key of ${name}`, 32);
  const jwk = jwkOfPoint(p256.getPublicKey(secret, false));
  const sign = async (input: Uint8Array) => p256.sign(input, secret, { lowS: false });
  return { jwk, d: base64url.encode(secret), signer: { kid: thumbprint(jwk), sign } };
}

export const HSM = p256Key("the HSM identity");
/** The identity after a rotation. */
export const NEXT_HSM = p256Key("the next HSM identity");
/** The one after that. */
export const THIRD_HSM = p256Key("the third HSM identity");
export const LINK = p256Key("the agent's link");
/** Receiving keys: here only their public halves are used. */
export const AGENT_SEAL = p256Key("the agent's receiving");
export const ADA_SEAL = p256Key("Ada's receiving");
export const ADA = p256Key("Ada's extension");
export const BOB = p256Key("Bob's extension");
export const DAN = p256Key("Dan's extension");
export const EVE = p256Key("Eve's extension");
export const CAROL = p256Key("Carol's extension");
export const CAROLS_FILE = p256Key("Carol's key file");
export const ADAS_FILE = p256Key("Ada's key file");
export const OLGA = p256Key("Olga's key file");
export const OLGAS_SPARE = p256Key("Olga's other key file");
export const INVITE = p256Key("an invite");
export const STRANGER = p256Key("somebody whom nobody knows");

export interface VectorDevice {
  readonly address: string;
  /** Uncompressed point, hex. */
  readonly publicKey: string;
  /** personal_sign: `0x`, r, s, v. */
  sign(statement: string): string;
  /** Of 32 bytes, as a vault signs: recovery bit, r, s. */
  signHash(hash: Uint8Array): Uint8Array;
}

function device(name: string): VectorDevice {
  const secret = bytesOf(`secp256k1 key of ${name}`, 32);
  const publicKey = secp256k1.getPublicKey(secret, false);
  const signHash = (hash: Uint8Array) => secp256k1.sign(hash, secret, { prehash: false, format: "recovered" });
  return {
    address: addressOfPublicKey(publicKey),
    publicKey: bytesToHex(publicKey),
    signHash,
    sign: (statement) => {
      const [recovery = 0, ...rs] = signHash(personalMessageHash(statement));
      return `0x${bytesToHex(Uint8Array.from(rs))}${(recovery + 27).toString(16)}`;
    },
  };
}

export const ADAS_DEVICE = device("Ada's device");
export const BOBS_DEVICE = device("Bob's device");
export const DANS_DEVICE = device("Dan's device");
export const EVES_DEVICE = device("Eve's device");
export const CAROLS_DEVICE = device("Carol's device");
export const OTHER_DEVICE = device("another device");
export const VAULT = device("a vault");
