/**
 * The PKCS#11 module: the one file that imports pkcs11js, and only the calls that are used. Runs in the child process
 * (child.ts), because a native call that hangs can be ended only together with its process.
 *
 * Does not decide anything: what a key must be is in keys.ts, which session is used in pool.ts; the further calls of `hsm check` are
 * in check-module.ts. Implements PKCS#11 2.40 as far as protocol/README.md, "Keys", needs it. Every fault leaves here as a Fault; no
 * PIN is ever part of one.
 */

import type { PKCS11, Template as RawTemplate } from "pkcs11js";
import pkcs11js from "pkcs11js";
import { Fault } from "../../protocol/error.ts";
import { fromRv, ModuleFault, toFault, unlessInitialized } from "./rv.ts";
import { chooseToken } from "./token.ts";

/** An open session. One operation at a time: a second C_SignInit is CKR_OPERATION_ACTIVE. */
export type Session = Buffer & { readonly session: never };
/** An object's handle: valid until the login ends, never stored. */
export type ObjectHandle = Buffer & { readonly object: never };

const ATTRIBUTES = {
  ALWAYS_SENSITIVE: pkcs11js.CKA_ALWAYS_SENSITIVE,
  APPLICATION: pkcs11js.CKA_APPLICATION,
  CLASS: pkcs11js.CKA_CLASS,
  COPYABLE: pkcs11js.CKA_COPYABLE,
  DECRYPT: pkcs11js.CKA_DECRYPT,
  DERIVE: pkcs11js.CKA_DERIVE,
  EC_PARAMS: pkcs11js.CKA_EC_PARAMS,
  EC_POINT: pkcs11js.CKA_EC_POINT,
  EXTRACTABLE: pkcs11js.CKA_EXTRACTABLE,
  ID: pkcs11js.CKA_ID,
  KEY_TYPE: pkcs11js.CKA_KEY_TYPE,
  LABEL: pkcs11js.CKA_LABEL,
  LOCAL: pkcs11js.CKA_LOCAL,
  MODIFIABLE: pkcs11js.CKA_MODIFIABLE,
  MODULUS_BITS: pkcs11js.CKA_MODULUS_BITS,
  NEVER_EXTRACTABLE: pkcs11js.CKA_NEVER_EXTRACTABLE,
  PRIVATE: pkcs11js.CKA_PRIVATE,
  PUBLIC_EXPONENT: pkcs11js.CKA_PUBLIC_EXPONENT,
  SENSITIVE: pkcs11js.CKA_SENSITIVE,
  SIGN: pkcs11js.CKA_SIGN,
  TOKEN: pkcs11js.CKA_TOKEN,
  TRUSTED: pkcs11js.CKA_TRUSTED,
  UNWRAP: pkcs11js.CKA_UNWRAP,
  VALUE: pkcs11js.CKA_VALUE,
  VALUE_LEN: pkcs11js.CKA_VALUE_LEN,
  VERIFY: pkcs11js.CKA_VERIFY,
  WRAP: pkcs11js.CKA_WRAP,
  WRAP_WITH_TRUSTED: pkcs11js.CKA_WRAP_WITH_TRUSTED,
} as const;

/** An attribute without its CKA_ prefix. */
export type Attribute = keyof typeof ATTRIBUTES;
/** Attributes in the order in which the module is told them. */
export type Template = Readonly<Partial<Record<Attribute, boolean | number | string | Buffer>>>;

/** The binding itself, for check-module.ts. */
export type Binding = PKCS11;
/** How pkcs11js is told which structure a mechanism's parameter is. */
export const PARAMETERS = { gcm: pkcs11js.CK_PARAMS_AES_GCM_v240, oaep: pkcs11js.CK_PARAMS_RSA_OAEP } as const;

/** CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_DATA and CKK_EC, as template values. */
export const PRIVATE_KEY = pkcs11js.CKO_PRIVATE_KEY;
export const PUBLIC_KEY = pkcs11js.CKO_PUBLIC_KEY;
export const DATA = pkcs11js.CKO_DATA;
export const EC_KEY = pkcs11js.CKK_EC;

// Absent from pkcs11js 2.1: flags of C_Initialize and of CK_TOKEN_INFO, the user type, and the session states of a user's login.
const CKF_OS_LOCKING_OK = 0x2;
const CKF_USER_PIN_INITIALIZED = 0x8;
const CKF_USER_PIN_FINAL_TRY = 0x2_0000;
const CKF_USER_PIN_LOCKED = 0x4_0000;
const CKU_USER = 1;
const CKS_RO_USER_FUNCTIONS = 1;
const CKS_RW_USER_FUNCTIONS = 3;

/** How the operator names a token; at least one of the two. Slot numbers change, so they are not offered. */
export interface TokenChoice {
  readonly label?: string | undefined;
  readonly serial?: string | undefined;
}

/** What a token says about itself. */
export interface TokenInfo {
  readonly label: string;
  readonly serial: string;
  readonly manufacturer: string;
  readonly model: string;
}

/** A token that was found, and the slot it is in now. */
export interface Token extends TokenInfo {
  readonly slot: Buffer;
}

/** The calls that the agent makes, synchronous where PKCS#11 and pkcs11js leave no choice. All throw a Fault. */
export interface Module {
  findToken(choice: TokenChoice): Token;
  openSession(token: Token, mode: "read-only" | "read-write"): Session;
  closeSession(session: Session): void;
  /** Logs the whole token in. One attempt; refused without asking the token where a mistake would lock it. */
  login(session: Session, token: Token, pin: string): void;
  /** False where private objects are hidden from this session. */
  isLoggedIn(session: Session): boolean;
  /** At most `limit` objects: ask for 2 where one is expected. */
  find(session: Session, template: Template, limit: number): ObjectHandle[];
  generateEcKeyPair(
    session: Session,
    publicKey: Template,
    privateKey: Template,
  ): Promise<{ publicKey: ObjectHandle; privateKey: ObjectHandle }>;
  read(session: Session, object: ObjectHandle, attribute: Attribute): Buffer;
  /** C_CreateObject; on a read-write session where the object is the token's. */
  create(session: Session, template: Template): ObjectHandle;
  destroy(session: Session, object: ObjectHandle): void;
  /** CKM_ECDSA over a digest; r || s as the HSM gave it. The caller checks the digest's length: the module may not. */
  sign(session: Session, key: ObjectHandle, digest: Uint8Array): Promise<Buffer>;
  random(session: Session, bytes: number): Buffer;
  close(): void;
}

/** Loads and initialises the module at `path`. ERR_HSM_CONFIG where it cannot be loaded. */
export function openModule(path: string): Module {
  return callsOf(loadBinding(path));
}

/** As openModule, without the calls. "beside": another thread of this process may have initialised it before. */
export function loadBinding(path: string, where: "alone" | "beside" = "alone"): Binding {
  const raw = new pkcs11js.PKCS11();
  try {
    raw.load(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "unknown";
    throw new Fault("ERR_HSM_CONFIG", `The PKCS#11 module cannot be loaded: ${reason}. Check the path of hsm.module.`);
  }
  // Signatures run on several threads at once, so the module must lock.
  const initialize = () => guard("C_Initialize", () => raw.C_Initialize({ flags: CKF_OS_LOCKING_OK }));
  if (where === "alone") initialize();
  else unlessInitialized(initialize);
  return raw;
}

/** The calls on a module that is initialised. */
export function callsOf(raw: Binding): Module {
  return {
    findToken: (choice) => {
      const slots = guard("C_GetSlotList", () => raw.C_GetSlotList(true));
      return chooseToken(
        slots.map((slot) => tokenIn(raw, slot)),
        choice,
      );
    },
    openSession: (token, mode) => {
      const flags = pkcs11js.CKF_SERIAL_SESSION | (mode === "read-write" ? pkcs11js.CKF_RW_SESSION : 0);
      return guard("C_OpenSession", () => raw.C_OpenSession(token.slot, flags)) as Session;
    },
    closeSession: (session) => guard("C_CloseSession", () => raw.C_CloseSession(session)),
    login: (session, token, pin) => login(raw, session, token, pin),
    isLoggedIn: (session) => {
      const { state } = guard("C_GetSessionInfo", () => raw.C_GetSessionInfo(session));
      return state === CKS_RO_USER_FUNCTIONS || state === CKS_RW_USER_FUNCTIONS;
    },
    find: (session, template, limit) => find(raw, session, template, limit),
    generateEcKeyPair: async (session, publicKey, privateKey) => {
      const mechanism = { mechanism: pkcs11js.CKM_EC_KEY_PAIR_GEN };
      const pair = await guardAsync("C_GenerateKeyPair", () =>
        raw.C_GenerateKeyPairAsync(session, mechanism, toRaw(publicKey), toRaw(privateKey)),
      );
      return { publicKey: pair.publicKey as ObjectHandle, privateKey: pair.privateKey as ObjectHandle };
    },
    read: (session, object, attribute) => {
      const type = ATTRIBUTES[attribute];
      const found = guard("C_GetAttributeValue", () => raw.C_GetAttributeValue(session, object, [{ type }]));
      const value: Buffer | undefined = found[0]?.value;
      if (value === undefined) throw new Fault("ERR_HSM_KEY_ATTRIBUTES", `The HSM does not show CKA_${attribute}.`);
      return value;
    },
    create: (session, template) =>
      guard("C_CreateObject", () => raw.C_CreateObject(session, toRaw(template))) as ObjectHandle,
    destroy: (session, object) => guard("C_DestroyObject", () => raw.C_DestroyObject(session, object)),
    sign: (session, key, digest) => sign(raw, session, key, digest),
    random: (session, bytes) => {
      const out = Buffer.alloc(bytes);
      guard("C_GenerateRandom", () => raw.C_GenerateRandom(session, out));
      return out;
    },
    close: () => guard("C_Finalize", () => raw.C_Finalize()),
  };
}

/** A slot's token, or why it says nothing of itself: another's, or one without a token any more, is no reason not to find ours. */
function tokenIn(raw: Binding, slot: Buffer): Token | Fault {
  try {
    const info = guard("C_GetTokenInfo", () => raw.C_GetTokenInfo(slot));
    const [label, serial] = [unpad(info.label), unpad(info.serialNumber)];
    return { slot, label, serial, manufacturer: unpad(info.manufacturerID), model: unpad(info.model) };
  } catch (error) {
    if (error instanceof ModuleFault) return error;
    throw error;
  }
}

function login(raw: Binding, session: Session, token: Token, pin: string): void {
  const { flags } = guard("C_GetTokenInfo", () => raw.C_GetTokenInfo(token.slot));
  if ((flags & CKF_USER_PIN_INITIALIZED) === 0) throw fromRv("C_Login", pkcs11js.CKR_USER_PIN_NOT_INITIALIZED);
  if ((flags & CKF_USER_PIN_LOCKED) !== 0) throw fromRv("C_Login", pkcs11js.CKR_PIN_LOCKED);
  if ((flags & CKF_USER_PIN_FINAL_TRY) !== 0) {
    throw new Fault(
      "ERR_HSM_PIN",
      "One more wrong PIN would lock the token, so the agent does not try. Log in once with the HSM's own tool.",
    );
  }
  try {
    raw.C_Login(session, CKU_USER, pin);
  } catch (error) {
    const fault = toFault("C_Login", error);
    // The login is the token's, not the session's: another session of this process has done it.
    if (fault instanceof ModuleFault && fault.rv === pkcs11js.CKR_USER_ALREADY_LOGGED_IN) return;
    throw fault;
  }
}

function find(raw: Binding, session: Session, template: Template, limit: number): ObjectHandle[] {
  const found: ObjectHandle[] = [];
  guard("C_FindObjectsInit", () => raw.C_FindObjectsInit(session, toRaw(template)));
  try {
    // A module may hand out fewer at a time than it was asked for; only an empty answer is the end.
    while (found.length < limit) {
      const more = guard("C_FindObjects", () => raw.C_FindObjects(session, limit - found.length));
      if (more.length === 0) break;
      found.push(...more.map((handle) => handle as ObjectHandle));
    }
  } finally {
    guard("C_FindObjectsFinal", () => raw.C_FindObjectsFinal(session));
  }
  return found;
}

/** Inputs of running C_Sign calls. pkcs11js keeps a bare pointer to them, so they must not be collected before the end. */
const running = new Set<Buffer>();

/** One signature over `data`, by default with CKM_ECDSA. */
export async function sign(
  raw: Binding,
  session: Session,
  key: ObjectHandle,
  data: Uint8Array,
  mechanism: number = pkcs11js.CKM_ECDSA,
): Promise<Buffer> {
  const input = Buffer.from(data);
  guard("C_SignInit", () => raw.C_SignInit(session, { mechanism }, key));
  running.add(input);
  try {
    return await guardAsync("C_Sign", () => raw.C_SignAsync(session, input, Buffer.alloc(256)));
  } finally {
    running.delete(input);
  }
}

/** Runs a call of the binding; what it throws becomes a Fault. */
export function guard<T>(call: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw toFault(call, error);
  }
}

/** As guard, for a call that runs on another thread. */
export async function guardAsync<T>(call: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw toFault(call, error);
  }
}

/** A template as the binding takes it, in its order. */
export function toRaw(template: Template): RawTemplate {
  return (Object.keys(template) as Attribute[]).map((name) => {
    const value = template[name];
    return value === undefined ? { type: ATTRIBUTES[name] } : { type: ATTRIBUTES[name], value };
  });
}

/** PKCS#11 pads with spaces; some modules with NUL. */
export function unpad(text: string): string {
  return text.replaceAll("\0", " ").trim();
}
