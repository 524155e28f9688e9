/**
 * Steps of `opencustody hsm check`: the ways in which an EC private key can leave the token wrapped and come back, by keys that live as
 * long as their session; and whether CKA_WRAP_WITH_TRUSTED keeps a key from all wrapping keys that the security officer did not mark.
 */

import { randomBytes } from "node:crypto";
import { Fault } from "../../protocol/error.ts";
import { signsFor } from "./check-keys.ts";
import { CKM, type KeyPair, type WrapMechanism } from "./check-module.ts";
import { attempt, inSession, makeAnyPair, no, refusal, type Subject, WORKS } from "./check-subject.ts";
import type { Answer, Step, Tried } from "./check-wire.ts";
import { EC_KEY, type ObjectHandle, PRIVATE_KEY, type Session, type Template } from "./pkcs11.ts";

export type WrapStep = Extract<Step, `wrap-${string}`>;

/** Without the RSA one: the wrapping key is AES, 256 bits. */
const AES_WRAPS: Readonly<Record<Exclude<WrapStep, "wrap-rsa-oaep">, () => WrapMechanism>> = {
  "wrap-aes-kw": () => ({ type: CKM.AES_KEY_WRAP }),
  "wrap-aes-kw-pad": () => ({ type: CKM.AES_KEY_WRAP_PAD }),
  "wrap-aes-kwp": () => ({ type: CKM.AES_KEY_WRAP_KWP }),
  "wrap-aes-gcm": () => ({ type: CKM.AES_GCM, parameter: { gcm: randomBytes(12) } }),
  "wrap-aes-cbc-pad": () => ({ type: CKM.AES_CBC_PAD, parameter: { iv: randomBytes(16) } }),
};

/** As TOLD.wrap of check-attributes.ts, without CKA_WRAP_WITH_TRUSTED. */
const EXTRACTABLE: Template = { PRIVATE: true, SENSITIVE: true, SIGN: true, EXTRACTABLE: true };
const UNWRAPPED: Template = {
  CLASS: PRIVATE_KEY,
  KEY_TYPE: EC_KEY,
  TOKEN: false,
  PRIVATE: true,
  SENSITIVE: true,
  EXTRACTABLE: false,
  SIGN: true,
};
const WRAPPING: Template = {
  TOKEN: false,
  PRIVATE: true,
  SENSITIVE: true,
  EXTRACTABLE: false,
  WRAP: true,
  UNWRAP: true,
};

export async function checkWrap(subject: Subject, step: WrapStep): Promise<Answer<WrapStep>> {
  const { probe } = subject;
  return await inSession(subject, "read-only", async (session) => {
    const mechanism = step === "wrap-rsa-oaep" ? OAEP : AES_WRAPS[step]();
    let wrapped: Buffer = Buffer.alloc(0);
    let made: { key: KeyPair & { curve: "P-256" | "secp256k1" }; unwrapping: ObjectHandle } | undefined;
    const wrap = await attempt(async () => {
      const key = await makeAnyPair(subject, session, EXTRACTABLE);
      const keys = step === "wrap-rsa-oaep" ? await makeRsa(subject, session) : await makeAes(subject, session);
      wrapped = await probe.wrap(session, mechanism, keys.wrapping, key.privateKey);
      made = { key, unwrapping: keys.unwrapping };
    });
    if (made === undefined) return { wrap, bytes: 0, unwrap: no("not tried: nothing was wrapped") };
    const { key, unwrapping } = made;
    const unwrap = await attempt(async () => {
      const back = await probe.unwrap(session, mechanism, unwrapping, wrapped, UNWRAPPED);
      await signsFor(subject, session, back, key.curve, key.publicKey);
    });
    return { wrap, bytes: wrapped.length, unwrap };
  });
}

const OAEP: WrapMechanism = { type: CKM.RSA_PKCS_OAEP, parameter: { oaep: true } };

async function makeAes({ probe }: Subject, session: Session) {
  const key = await probe.generateSecret(session, CKM.AES_KEY_GEN, { ...WRAPPING, VALUE_LEN: 32 });
  return { wrapping: key, unwrapping: key };
}

async function makeRsa({ probe }: Subject, session: Session) {
  const exponent = Buffer.from([1, 0, 1]);
  const wrapper: Template = { TOKEN: false, WRAP: true, MODULUS_BITS: 2048, PUBLIC_EXPONENT: exponent };
  const { WRAP: _, ...unwrapper } = WRAPPING;
  const pair = await probe.generatePair(session, CKM.RSA_PKCS_KEY_PAIR_GEN, wrapper, unwrapper);
  return { wrapping: pair.publicKey, unwrapping: pair.privateKey };
}

export async function checkTrusted(subject: Subject): Promise<Answer<"trusted">> {
  return await inSession(subject, "read-only", async (session) => ({
    guards: await checkGuard(subject, session),
    user: await checkUser(subject, session),
  }));
}

/** By every AES form that wraps an ordinary key: a key that asks for a trusted wrapping key must stay. */
async function checkGuard(subject: Subject, session: Session): Promise<Tried> {
  const { probe } = subject;
  let ordinary: KeyPair;
  let guarded: KeyPair;
  let wrapping: ObjectHandle;
  try {
    ordinary = await makeAnyPair(subject, session, EXTRACTABLE);
    guarded = await makeAnyPair(subject, session, { ...EXTRACTABLE, WRAP_WITH_TRUSTED: true });
    ({ wrapping } = await makeAes(subject, session));
  } catch (error) {
    return refusal(error);
  }
  let forms = 0;
  for (const mechanism of Object.values(AES_WRAPS)) {
    const open = await attempt(() => probe.wrap(session, mechanism(), wrapping, ordinary.privateKey));
    if (!open.works) continue;
    forms += 1;
    const leaked = await attempt(() => probe.wrap(session, mechanism(), wrapping, guarded.privateKey));
    if (leaked.works) return no("a key with CKA_WRAP_WITH_TRUSTED was wrapped by a key that is not trusted");
  }
  return forms > 0 ? WORKS : no("not tried: no AES form wraps an EC private key here");
}

/** Whether somebody with the user's PIN can make a trusted wrapping key: then CKA_WRAP_WITH_TRUSTED guards nothing against them. */
async function checkUser({ probe }: Subject, session: Session): Promise<Tried> {
  const trusted = (key: ObjectHandle) => {
    if (probe.read(session, key, "TRUSTED").some((byte) => byte !== 0)) return;
    throw new Fault("ERR_HSM_KEY_ATTRIBUTES", "CKA_TRUSTED was taken and reads false");
  };
  const made = await attempt(async () =>
    trusted(await probe.generateSecret(session, CKM.AES_KEY_GEN, { ...WRAPPING, VALUE_LEN: 32, TRUSTED: true })),
  );
  if (made.works) return made;
  return await attempt(async () => {
    const key = await probe.generateSecret(session, CKM.AES_KEY_GEN, { ...WRAPPING, VALUE_LEN: 32 });
    probe.change(session, key, { TRUSTED: true });
    trusted(key);
  });
}
