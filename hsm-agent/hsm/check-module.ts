/**
 * The calls of `opencustody hsm check` on a PKCS#11 module, besides those of the agent (pkcs11.ts). The agent itself never makes
 * them: it wraps nothing, makes no RSA or AES key, and signs with CKM_ECDSA only.
 *
 * Decides nothing; every fault leaves here as a Fault. Structures and numbers: PKCS#11 2.40, EdDSA from 3.0.
 */

import { Fault } from "../../protocol/error.ts";
import type { LibraryFacts, SlotFacts, TokenFacts } from "./check-wire.ts";
import {
  type Binding,
  callsOf,
  guard,
  guardAsync,
  loadBinding,
  type Module,
  type ObjectHandle,
  PARAMETERS,
  type Session,
  sign,
  type Template,
  type Token,
  toRaw,
  unpad,
} from "./pkcs11.ts";
import { ModuleFault } from "./rv.ts";

/** CKM_ numbers that the check uses. */
export const CKM = {
  RSA_PKCS_KEY_PAIR_GEN: 0x0,
  RSA_PKCS_OAEP: 0x9,
  SHA_1: 0x220,
  EC_KEY_PAIR_GEN: 0x1040,
  ECDSA: 0x1041,
  ECDSA_SHA256: 0x1044,
  EC_EDWARDS_KEY_PAIR_GEN: 0x1055,
  EDDSA: 0x1057,
  AES_KEY_GEN: 0x1080,
  AES_CBC_PAD: 0x1085,
  AES_GCM: 0x1087,
  AES_KEY_WRAP: 0x2109,
  AES_KEY_WRAP_PAD: 0x210a,
  AES_KEY_WRAP_KWP: 0x210b,
} as const;

/** A mechanism that wraps, with its parameter: none, an initial vector, GCM's, or OAEP's with SHA-1 (the only one that all have). */
export interface WrapMechanism {
  readonly type: number;
  readonly parameter?: { readonly iv: Buffer } | { readonly gcm: Buffer } | { readonly oaep: true };
}

/** A mechanism that a token has. `flags` is the CK_FLAGS of CK_MECHANISM_INFO. */
export interface MechanismInfo {
  readonly type: number;
  readonly min: number;
  readonly max: number;
  readonly flags: number;
}

export interface KeyPair {
  readonly publicKey: ObjectHandle;
  readonly privateKey: ObjectHandle;
}

/** All calls throw a Fault. */
export interface Probe extends Module {
  library(): LibraryFacts;
  slots(): SlotFacts[];
  facts(token: Token): TokenFacts;
  mechanisms(token: Token): MechanismInfo[];
  /** C_Login where somebody is logged in already. Returns what the module says. */
  loginAgain(session: Session, pin: string): string;
  generatePair(session: Session, mechanism: number, publicKey: Template, privateKey: Template): Promise<KeyPair>;
  generateSecret(session: Session, mechanism: number, template: Template): Promise<ObjectHandle>;
  signBy(session: Session, mechanism: number, key: ObjectHandle, data: Uint8Array): Promise<Buffer>;
  /** C_SetAttributeValue */
  change(session: Session, object: ObjectHandle, template: Template): void;
  wrap(session: Session, mechanism: WrapMechanism, wrapping: ObjectHandle, key: ObjectHandle): Promise<Buffer>;
  unwrap(
    session: Session,
    mechanism: WrapMechanism,
    unwrapping: ObjectHandle,
    wrapped: Buffer,
    template: Template,
  ): Promise<ObjectHandle>;
}

/** Loads and initialises the module at `path`. ERR_HSM_CONFIG where it cannot be loaded. */
export function openProbe(path: string): Probe {
  const raw = loadBinding(path);
  return {
    ...callsOf(raw),
    library: () => {
      const info = guard("C_GetInfo", () => raw.C_GetInfo());
      return {
        cryptoki: version(info.cryptokiVersion),
        manufacturer: unpad(info.manufacturerID),
        description: unpad(info.libraryDescription),
        version: version(info.libraryVersion),
      };
    },
    slots: () => guard("C_GetSlotList", () => raw.C_GetSlotList(false)).map((slot) => slotFacts(raw, slot)),
    facts: (token) => tokenFacts(raw, token.slot),
    mechanisms: (token) =>
      guard("C_GetMechanismList", () => raw.C_GetMechanismList(token.slot)).map((type) => {
        const info = guard("C_GetMechanismInfo", () => raw.C_GetMechanismInfo(token.slot, type));
        return { type, min: info.minKeySize, max: info.maxKeySize, flags: info.flags };
      }),
    loginAgain: (session, pin) => {
      try {
        guard("C_Login", () => raw.C_Login(session, CKU_USER, pin));
        return "C_Login: CKR_OK 0x0";
      } catch (error) {
        if (error instanceof ModuleFault) return error.said;
        throw error;
      }
    },
    generatePair: async (session, mechanism, publicKey, privateKey) =>
      (await guardAsync("C_GenerateKeyPair", () =>
        raw.C_GenerateKeyPairAsync(session, { mechanism }, toRaw(publicKey), toRaw(privateKey)),
      )) as unknown as KeyPair,
    generateSecret: async (session, mechanism, template) =>
      (await guardAsync("C_GenerateKey", () =>
        raw.C_GenerateKeyAsync(session, { mechanism }, toRaw(template)),
      )) as ObjectHandle,
    signBy: (session, mechanism, key, data) => sign(raw, session, key, data, mechanism),
    change: (session, object, template) =>
      guard("C_SetAttributeValue", () => raw.C_SetAttributeValue(session, object, toRaw(template))),
    wrap: (session, mechanism, wrapping, key) =>
      guardAsync("C_WrapKey", () =>
        raw.C_WrapKeyAsync(session, toMechanism(mechanism), wrapping, key, Buffer.alloc(LONGEST_WRAPPED)),
      ),
    unwrap: async (session, mechanism, unwrapping, wrapped, template) =>
      (await guardAsync("C_UnwrapKey", () =>
        raw.C_UnwrapKeyAsync(session, toMechanism(mechanism), unwrapping, wrapped, toRaw(template)),
      )) as ObjectHandle,
  };
}

const CKU_USER = 1;
const CKF_TOKEN_PRESENT = 0x1;
const CKF_USER_PIN_INITIALIZED = 0x8;
const CKF_USER_PIN_COUNT_LOW = 0x1_0000;
const CKF_USER_PIN_FINAL_TRY = 0x2_0000;
const CKF_USER_PIN_LOCKED = 0x4_0000;
/** CKG_MGF1_SHA1 and CKZ_DATA_SPECIFIED. */
const MGF1_SHA1 = 1;
const DATA_SPECIFIED = 1;
const LONGEST_WRAPPED = 4096;

function toMechanism({ type, parameter }: WrapMechanism) {
  if (parameter === undefined) return { mechanism: type };
  if ("iv" in parameter) return { mechanism: type, parameter: parameter.iv };
  if ("gcm" in parameter) {
    const { gcm } = parameter;
    const of = { type: PARAMETERS.gcm, iv: gcm, ivBits: gcm.length * 8, aad: Buffer.alloc(0), tagBits: 128 };
    return { mechanism: type, parameter: of };
  }
  const of = { type: PARAMETERS.oaep, hashAlg: CKM.SHA_1, mgf: MGF1_SHA1, source: DATA_SPECIFIED };
  return { mechanism: type, parameter: of };
}

function slotFacts(raw: Binding, slot: Buffer): SlotFacts {
  const info = guard("C_GetSlotInfo", () => raw.C_GetSlotInfo(slot));
  const present = (info.flags & CKF_TOKEN_PRESENT) !== 0;
  return {
    description: unpad(info.slotDescription),
    manufacturer: unpad(info.manufacturerID),
    token: present ? tokenFacts(raw, slot) : null,
  };
}

function tokenFacts(raw: Binding, slot: Buffer): TokenFacts {
  const info = guard("C_GetTokenInfo", () => raw.C_GetTokenInfo(slot));
  return {
    label: unpad(info.label),
    serial: unpad(info.serialNumber),
    manufacturer: unpad(info.manufacturerID),
    model: unpad(info.model),
    hardware: version(info.hardwareVersion),
    firmware: version(info.firmwareVersion),
    freePublicMemory: known(info.freePublicMemory),
    totalPublicMemory: known(info.totalPublicMemory),
    freePrivateMemory: known(info.freePrivateMemory),
    totalPrivateMemory: known(info.totalPrivateMemory),
    // 0 is CK_EFFECTIVELY_INFINITE.
    mostSessions: info.maxSessionCount === 0 ? null : known(info.maxSessionCount),
    pin: pinState(info.flags),
  };
}

function pinState(flags: number): TokenFacts["pin"] {
  if ((flags & CKF_USER_PIN_INITIALIZED) === 0) return "not set";
  if ((flags & CKF_USER_PIN_LOCKED) !== 0) return "locked";
  if ((flags & CKF_USER_PIN_FINAL_TRY) !== 0) return "final try";
  return (flags & CKF_USER_PIN_COUNT_LOW) === 0 ? "ok" : "tried wrongly";
}

/** CK_UNAVAILABLE_INFORMATION is all ones, in 32 or in 64 bits. */
function known(count: number): number | null {
  return Number.isSafeInteger(count) && count >= 0 && count !== 0xffff_ffff ? count : null;
}

function version({ major, minor }: { major: number; minor: number }): string {
  return `${major}.${minor}`;
}

/** The part of a fault that says what the module answered; the sentence where the module answered nothing. */
export function reasonOf(error: unknown): string {
  if (error instanceof ModuleFault) return error.said;
  return error instanceof Fault ? error.message : "the check itself failed; please report it";
}
