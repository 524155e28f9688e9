/**
 * Steps of `opencustody hsm check`: key pairs that live as long as their session, what they sign with, and how fast. Every
 * signature is verified here, in software.
 */

import { createHash, randomBytes } from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { Fault } from "../../protocol/error.ts";
import { CKM, type KeyPair } from "./check-module.ts";
import {
  attempt,
  inSession,
  makeAnyPair,
  makePair,
  no,
  refusal,
  SIGNING_KEY,
  type Subject,
  WORKS,
} from "./check-subject.ts";
import type { Answer, Tried } from "./check-wire.ts";
import { decodePoint } from "./keys.ts";
import type { ObjectHandle, Session, Template } from "./pkcs11.ts";
import type { Curve } from "./wire.ts";

const ECDSA = { "P-256": p256, secp256k1 } as const;
/** So many signatures tell high s from low: if half are high, all low is chance once in 65,536. */
const SIGNATURES = 16;
const ASIDE = no("not tried: there is no key");

export async function checkCurve(subject: Subject, curve: Curve): Promise<Answer<"p256">> {
  const nothing = { point: "none", ecdsa: ASIDE, ecdsaSha256: ASIDE, signatures: 0, high: 0 } as const;
  return await inSession(subject, "read-only", async (session) => {
    let pair: KeyPair;
    try {
      pair = await makePair(subject, session, curve, SIGNING_KEY);
    } catch (error) {
      return { generate: refusal(error), ...nothing };
    }
    const value = readPoint(subject, session, pair.publicKey);
    const point = formOf(value, 65);
    const publicKey = point === "DER" || point === "raw" ? decodePoint(curve, value) : undefined;
    if (publicKey === undefined) return { generate: WORKS, ...nothing, point };
    const [signatures, high, ecdsa] = await signMany(subject, session, pair.privateKey, curve, publicKey);
    const message = randomBytes(100);
    const digest = createHash("sha256").update(message).digest();
    const ecdsaSha256 = await attempt(async () => {
      const signature = await subject.probe.signBy(session, CKM.ECDSA_SHA256, pair.privateKey, message);
      requireSignature(signature, digest, curve, publicKey);
    });
    return { generate: WORKS, point, ecdsa, ecdsaSha256, signatures, high };
  });
}

/** How many signatures were had, how many of them have a high s, and whether all verify. */
async function signMany(
  { probe }: Subject,
  session: Session,
  key: ObjectHandle,
  curve: Curve,
  publicKey: Uint8Array,
): Promise<[number, number, Tried]> {
  let signatures = 0;
  let high = 0;
  const ecdsa = await attempt(async () => {
    while (signatures < SIGNATURES) {
      const digest = randomBytes(32);
      const signature = await probe.sign(session, key, digest);
      requireSignature(signature, digest, curve, publicKey);
      signatures += 1;
      if (ECDSA[curve].Signature.fromBytes(signature, "compact").hasHighS()) high += 1;
    }
  });
  return [signatures, high, ecdsa];
}

function requireSignature(signature: Uint8Array, digest: Uint8Array, curve: Curve, publicKey: Uint8Array): void {
  const options = { prehash: false, lowS: false };
  if (signature.length === 64 && ECDSA[curve].verify(signature, digest, publicKey, options)) return;
  throw new Fault("ERR_HSM_SIGNATURE", "a signature does not verify under the key's public key");
}

/** Whether `key` signs for the public key that stands in the public half of another pair. */
export async function signsFor(
  subject: Subject,
  session: Session,
  key: ObjectHandle,
  curve: Curve,
  publicKey: ObjectHandle,
): Promise<void> {
  const point = decodePoint(curve, readPoint(subject, session, publicKey));
  const digest = randomBytes(32);
  requireSignature(await subject.probe.sign(session, key, digest), digest, curve, point);
}

function readPoint({ probe }: Subject, session: Session, key: ObjectHandle): Buffer {
  try {
    return probe.read(session, key, "EC_POINT");
  } catch (error) {
    refusal(error);
    return Buffer.alloc(0);
  }
}

function formOf(value: Buffer, length: number): Answer<"p256">["point"] {
  if (value.length === 0) return "none";
  if (value.length === length) return "raw";
  return value.length === length + 2 && value[0] === 0x04 && value[1] === length ? "DER" : "other";
}

/** CKA_EC_PARAMS of Ed25519: its object identifier, and the name that PKCS#11 3.0 had first. */
const ED25519_PARAMS = {
  identifier: Buffer.from("06032b6570", "hex"),
  name: Buffer.from("130c656477617264733235353139", "hex"),
} as const;

export async function checkEd25519(subject: Subject): Promise<Answer<"ed25519">> {
  const { probe } = subject;
  return await inSession(subject, "read-only", async (session) => {
    let generate: Tried = ASIDE;
    for (const params of ["identifier", "name"] as const) {
      const half: Template = { TOKEN: false, PRIVATE: false, VERIFY: true, EC_PARAMS: ED25519_PARAMS[params] };
      const wanted = { TOKEN: false, ...SIGNING_KEY };
      let pair: KeyPair;
      try {
        pair = await probe.generatePair(session, CKM.EC_EDWARDS_KEY_PAIR_GEN, half, wanted);
      } catch (error) {
        generate = refusal(error);
        continue;
      }
      const value = readPoint(subject, session, pair.publicKey);
      const message = randomBytes(100);
      const eddsa = await attempt(async () => {
        const signature = await probe.signBy(session, CKM.EDDSA, pair.privateKey, message);
        // Whatever stands before it, the key itself is the last 32 bytes.
        if (!verifiesEd25519(signature, message, value.subarray(-32))) {
          throw new Fault("ERR_HSM_SIGNATURE", "a signature does not verify under the key's public key");
        }
      });
      return { generate: WORKS, params, point: formOf(value, 32), eddsa };
    }
    return { generate, params: null, point: "none", eddsa: ASIDE };
  });
}

function verifiesEd25519(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  try {
    return ed25519.verify(signature, message, publicKey);
  } catch {
    return false;
  }
}

/** Milliseconds that each measurement lasts. */
const MEASURE = 700;

/** Signatures a second by one key with 1, 4 and 8 in flight, each on a session of its own; fewer where sessions run out. */
export async function checkSpeed(subject: Subject): Promise<Answer<"speed">> {
  const { probe, token } = subject;
  return await inSession(subject, "read-only", async (home) => {
    const { privateKey } = await makeAnyPair(subject, home, SIGNING_KEY);
    const sessions = [home];
    const measured: Answer<"speed"> = [];
    try {
      for (const inFlight of [1, 4, 8]) {
        while (sessions.length < inFlight) {
          const more = await attempt(() => sessions.push(probe.openSession(token, "read-only")));
          if (!more.works) return measured;
        }
        measured.push({ inFlight, ...(await measure(subject, sessions.slice(0, inFlight), privateKey)) });
      }
      return measured;
    } finally {
      for (const session of sessions.slice(1)) probe.closeSession(session);
    }
  });
}

async function measure({ probe }: Subject, sessions: readonly Session[], key: ObjectHandle) {
  const digest = randomBytes(32);
  const from = performance.now();
  let signatures = 0;
  await Promise.all(
    sessions.map(async (session) => {
      while (performance.now() - from < MEASURE) {
        await probe.sign(session, key, digest);
        signatures += 1;
      }
    }),
  );
  return { signatures, perSecond: Math.round((signatures / (performance.now() - from)) * 1000) };
}
