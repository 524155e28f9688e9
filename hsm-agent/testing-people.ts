/** For the tests of this folder only: people with their keys in the clear, and the policy that most tests found. */
import { randomBytes } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { base64url, importJWK } from "jose";
import { addressOfPublicKey, personalMessageHash } from "../protocol/device-signature.ts";
import type { Signer } from "../protocol/envelope.ts";
import { parseInvite } from "../protocol/invite.ts";
import type { PolicyText } from "../protocol/policy.ts";
import { jwkOfPoint, type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import { unseal } from "../protocol/seal.ts";
import type { Vendor } from "../protocol/vendor.ts";

export const NETWORK = "eip155:1";
export const VAULT = "Treasury-1";
export const TO = "0x52908400098527886E0F7030069857D2E4169EE7";
export const USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48";
export const BRIDGE = "wss://bridge.example.com/";
/** When every test begins. Seconds. */
export const START = 1_800_000_000;

export const newJti = (): string => randomBytes(16).toString("base64url");

/** A P-256 key of an extension, an invite or a key file. */
export interface Key {
  readonly jwk: PublicJwk;
  readonly kid: string;
  readonly signer: Signer;
}

function keyOf(secret: Uint8Array): Key {
  const jwk = jwkOfPoint(p256.getPublicKey(secret, false));
  const kid = thumbprint(jwk);
  return { jwk, kid, signer: { kid, sign: async (input) => p256.sign(input, secret) } };
}

export function makeKey(): Key {
  return keyOf(p256.keygen().secretKey);
}

/** The key that an invite's code holds. */
export function keyOfInvite(code: string): Key {
  return keyOf(base64url.decode(parseInvite(code).d));
}

/** A key that an extension receives with. */
export interface Receiving {
  readonly jwk: PublicJwk;
  readonly kid: string;
  /** The JWS in a message that is sealed to it. */
  readonly open: (body: string) => Promise<string>;
}

export function makeReceiving(): Receiving {
  const { secretKey } = p256.keygen();
  const jwk = jwkOfPoint(p256.getPublicKey(secretKey, false));
  const kid = thumbprint(jwk);
  const open = async (body: string) => {
    const key = await importJWK({ ...jwk, d: base64url.encode(secretKey) }, "ECDH-ES");
    return await unseal(body, (asked) => (asked === kid && !(key instanceof Uint8Array) ? key : undefined));
  };
  return { jwk, kid, open };
}

/** A person with a browser, a key file and a device, which signs whatever it is told. */
export interface Person {
  readonly name: string;
  /** The browser's signing key. */
  readonly key: Key;
  readonly seal: Receiving;
  readonly file: Key;
  readonly vendor: Vendor;
  readonly address: string;
  readonly sign: (statement: string) => string;
}

export function makePerson(name: string, vendor: Vendor = "Ledger"): Person {
  return { name, key: makeKey(), seal: makeReceiving(), file: makeKey(), vendor, ...makeDevice() };
}

/** Another device for somebody. */
export function makeDevice(): Pick<Person, "address" | "sign"> {
  const { secretKey } = secp256k1.keygen();
  const address = addressOfPublicKey(secp256k1.getPublicKey(secretKey, false));
  const sign = (statement: string) => {
    const made = secp256k1.sign(personalMessageHash(statement), secretKey, { prehash: false, format: "recovered" });
    return `0x${bytesToHex(made.subarray(1))}${made[0] === 1 ? "1c" : "1b"}`;
  };
  return { address, sign };
}

/** Another browser of the same person, with the same device. */
export function secondBrowser(person: Person): Person {
  return { ...person, key: makeKey(), seal: makeReceiving() };
}

/** A person's device as documents name it. */
export function deviceOf({ address, vendor }: Pick<Person, "address" | "vendor">) {
  return { address, vendor, model: vendor === "Ledger" ? "nano-x" : "trezor-one" };
}

/** The policy for the one vault, without `vaults`, as a founding file has it. */
export function policyOf(members: readonly string[], threshold: number): Omit<PolicyText, "vaults"> {
  const rule = { vault: VAULT, network: NETWORK, approvers: "Treasury", threshold, maxFee: "0.012", expiresAfter: 60 };
  return {
    v: 1,
    bridge: BRIDGE,
    contact: "Treasury desk, +44 20 7946 0000",
    networks: [{ id: NETWORK, name: "Ethereum", symbol: "ETH", decimals: 18 }],
    tokens: [{ network: NETWORK, contract: USDC, symbol: "USDC", decimals: 6 }],
    addressBook: [],
    groups: [{ name: "Treasury", members: [...members] }],
    rules: [{ ...rule, vendors: [], destinations: "any" }],
    governance: { threshold, vendors: [], expiresAfter: 1440, recovery: null },
  };
}

/** What a matcher of vitest compares a Fault with. */
export function fault(code: string): object {
  return { name: "Fault", code };
}
