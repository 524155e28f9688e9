/**
 * What a key in the HSM must be: the templates it is made with, the attributes that are read back, and the signature it has to
 * make before its public half is told to anybody.
 *
 * Does not know sessions or processes (pool.ts, child.ts). Implements protocol/README.md, "Keys".
 */

import { createHash } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { Fault, isFault } from "../../protocol/error.ts";
import { verifies } from "./ecdsa.ts";
import {
  type Attribute,
  EC_KEY,
  type Module,
  type ObjectHandle,
  PRIVATE_KEY,
  PUBLIC_KEY,
  type Session,
  type Template,
} from "./pkcs11.ts";
import { isHandleDead, isTemplateRefused } from "./rv.ts";
import type { BackupMode, Curve, HsmKey, KeyRequest } from "./wire.ts";

/** A checked key and the handle of its private half. */
export interface LoadedKey {
  readonly key: HsmKey;
  readonly handle: ObjectHandle;
}

/** CKA_EC_PARAMS: the curve's object identifier in DER. */
const CURVES: Readonly<Record<Curve, { readonly params: Buffer; readonly ecdsa: typeof p256 }>> = {
  "P-256": { params: Buffer.from("06082a8648ce3d030107", "hex"), ecdsa: p256 },
  secp256k1: { params: Buffer.from("06052b8104000a", "hex"), ecdsa: secp256k1 },
};

/** More keys than one token is meant to hold; a listing never asks for more. */
const MOST_KEYS = 10_000;

function privateTemplate(id: Buffer, request: KeyRequest): Template {
  return {
    // Kept by the token, not by the session.
    TOKEN: true,
    // Only after a login.
    PRIVATE: true,
    // Left out, SoftHSM makes it false: the value could be read.
    SENSITIVE: true,
    // The one thing that the key is for.
    SIGN: true,
    // A key that must be backed up can leave the HSM, but see the next attribute; any other never.
    EXTRACTABLE: request.backup === "wrap",
    // Leaves only wrapped by a key that the security officer marked as trusted: not by one that the agent could make.
    ...(request.backup === "wrap" ? { WRAP_WITH_TRUSTED: true } : {}),
    // ECDH with an ECDSA key gives away what its holder did not mean to give.
    DERIVE: false,
    // Not an encryption key.
    DECRYPT: false,
    // Must not bring other keys into the HSM.
    UNWRAP: false,
    // What stands here cannot be changed afterwards.
    MODIFIABLE: false,
    // A copy could be given weaker attributes.
    COPYABLE: false,
    ID: id,
    LABEL: request.label,
  };
}

function publicTemplate(id: Buffer, request: KeyRequest): Template {
  return {
    TOKEN: true,
    // A public key needs no login to be read.
    PRIVATE: false,
    VERIFY: true,
    MODIFIABLE: false,
    EC_PARAMS: CURVES[request.curve].params,
    ID: id,
    LABEL: request.label,
  };
}

/**
 * Makes a key pair on a read-write session. `id` is 16 bytes from the HSM's generator. A key that is not what was asked for, that does
 * not sign, or that `persist` could not make durable, is destroyed and never offered: ERR_HSM_KEY_ATTRIBUTES, ERR_HSM_SIGNATURE,
 * ERR_HSM_UNSUPPORTED, or what `persist` rejects with.
 */
export async function generateKey(
  module: Module,
  session: Session,
  id: Buffer,
  request: KeyRequest,
  persist: () => Promise<void> = async () => {},
): Promise<LoadedKey> {
  const wanted = privateTemplate(id, request);
  const publicHalf = publicTemplate(id, request);
  const pair = await module.generateEcKeyPair(session, publicHalf, wanted).catch((error: unknown) => {
    if (!isTemplateRefused(error)) throw error;
    // CKA_COPYABLE came with PKCS#11 2.40; nothing else may be left out.
    const { COPYABLE: _, ...older } = wanted;
    return module.generateEcKeyPair(session, publicHalf, older);
  });
  try {
    const loaded = await check(module, session, pair.privateKey, pair.publicKey);
    if (loaded.key.curve !== request.curve || loaded.key.backup !== request.backup) {
      throw new Fault("ERR_HSM_KEY_ATTRIBUTES", "The HSM made another key than it was asked for.");
    }
    await persist();
    return loaded;
  } catch (error) {
    for (const handle of [pair.privateKey, pair.publicKey]) {
      try {
        module.destroy(session, handle);
      } catch {
        // A half that stays behind is refused by the same checks whenever it is looked up.
      }
    }
    throw error;
  }
}

/**
 * Finds a key by its CKA_ID and checks it as if it were new. ERR_HSM_KEY_MISSING, ERR_HSM_KEY_AMBIGUOUS where two objects have the id,
 * ERR_HSM_KEY_ATTRIBUTES, ERR_HSM_SIGNATURE where the halves do not belong together, ERR_HSM_DOWN where the login is lost.
 */
export async function findKey(module: Module, session: Session, id: string): Promise<LoadedKey> {
  const [privateKey, publicKey] = [PRIVATE_KEY, PUBLIC_KEY].map((kind) => {
    // Two are asked for, so that the first of several is never taken.
    const found = module.find(session, { CLASS: kind, TOKEN: true, ID: Buffer.from(id, "hex") }, 2);
    if (found.length > 1) {
      throw new Fault(
        "ERR_HSM_KEY_AMBIGUOUS",
        `The HSM has several keys with the id ${id}. Remove all but the right one.`,
      );
    }
    return found[0];
  });
  if (privateKey === undefined || publicKey === undefined) {
    requireLogin(module, session);
    throw new Fault("ERR_HSM_KEY_MISSING", `The HSM has no whole key pair with the id ${id}. Check hsm.token.`);
  }
  return check(module, session, privateKey, publicKey);
}

/** The ids of all key pairs that could be ours: 16 bytes that are shown, each once. Not yet checked. ERR_HSM_DOWN where the login is lost. */
export function listKeyIds(module: Module, session: Session): string[] {
  const handles = module.find(session, { CLASS: PRIVATE_KEY, TOKEN: true, KEY_TYPE: EC_KEY }, MOST_KEYS);
  requireLogin(module, session);
  const ids = handles.map((handle) => idOf(module, session, handle)).filter((id) => id !== undefined);
  return [...new Set(ids)].filter((id) => id.length === 32);
}

/** Hex; undefined for an object that does not show it, or is gone by now: somebody else's. */
function idOf(module: Module, session: Session, handle: ObjectHandle): string | undefined {
  try {
    return module.read(session, handle, "ID").toString("hex");
  } catch (error) {
    if (isFault(error, "ERR_HSM_KEY_ATTRIBUTES") || isHandleDead(error)) return undefined;
    throw error;
  }
}

/** Without a login private keys are hidden, and none is not none. Asked after the search: a login that is there now was there then. */
export function requireLogin(module: Module, session: Session): void {
  if (module.isLoggedIn(session)) return;
  throw new Fault("ERR_HSM_DOWN", "The HSM's login was lost; the agent logs in anew. If it stays so, check the HSM.");
}

async function check(
  module: Module,
  session: Session,
  handle: ObjectHandle,
  publicHandle: ObjectHandle,
): Promise<LoadedKey> {
  const is = (attribute: Attribute) => module.read(session, handle, attribute).some((byte) => byte !== 0);
  const require = (attribute: Attribute, value: boolean) => {
    if (is(attribute) === value) return;
    throw new Fault("ERR_HSM_KEY_ATTRIBUTES", `A key in the HSM has CKA_${attribute} = ${!value}; it is not used.`);
  };
  const backup: BackupMode = is("EXTRACTABLE") ? "wrap" : "none";
  require(backup === "wrap" ? "WRAP_WITH_TRUSTED" : "NEVER_EXTRACTABLE", true);
  for (const attribute of ["LOCAL", "SENSITIVE", "ALWAYS_SENSITIVE", "PRIVATE", "SIGN"] as const) {
    require(attribute, true);
  }
  for (const attribute of ["DERIVE", "DECRYPT", "UNWRAP", "MODIFIABLE"] as const) require(attribute, false);

  const curve = curveOf(module.read(session, handle, "EC_PARAMS"));
  const publicKey = decodePoint(curve, module.read(session, publicHandle, "EC_POINT"));
  const id = module.read(session, handle, "ID");
  const label = module.read(session, handle, "LABEL").toString("utf8");
  await requireSignature(module, session, handle, curve, publicKey, id);
  return { key: { id: id.toString("hex"), curve, publicKey, label, backup }, handle };
}

function curveOf(params: Buffer): Curve {
  for (const curve of ["P-256", "secp256k1"] as const) if (CURVES[curve].params.equals(params)) return curve;
  throw new Fault(
    "ERR_HSM_KEY_ATTRIBUTES",
    "A key in the HSM is on another curve than P-256 or secp256k1; it is not used.",
  );
}

/**
 * CKA_EC_POINT to the uncompressed point, 65 bytes. Most modules wrap it in a DER OCTET STRING, some do not; the two are told apart
 * by their exact length. ERR_HSM_KEY_ATTRIBUTES for anything else, and for a point that is not on the curve.
 */
export function decodePoint(curve: Curve, value: Uint8Array): Uint8Array {
  const isDer = value.length === 67 && value[0] === 0x04 && value[1] === 0x41;
  const point = Uint8Array.from(isDer ? value.subarray(2) : value);
  if (point.length !== 65 || !CURVES[curve].ecdsa.utils.isValidPublicKey(point, false)) {
    throw new Fault("ERR_HSM_KEY_ATTRIBUTES", "A public key in the HSM is not an uncompressed point of its curve.");
  }
  return point;
}

/**
 * Shows that both halves exist and belong together: a process killed while it made a key can leave one that cannot sign. What is signed
 * starts with its purpose and is hashed here, so it can be neither a transaction nor an envelope; the signature goes no further.
 */
async function requireSignature(
  module: Module,
  session: Session,
  handle: ObjectHandle,
  curve: Curve,
  publicKey: Uint8Array,
  id: Buffer,
): Promise<void> {
  const message = Buffer.concat([SELF_TEST, id]);
  const signature = await module.sign(session, handle, createHash("sha256").update(message).digest());
  if (!verifies(curve, publicKey, message, signature)) {
    throw new Fault("ERR_HSM_SIGNATURE", "A key in the HSM does not sign for its public key; it is not used.");
  }
}

const SELF_TEST = Buffer.from("OpenCustody key self-test v1\n");
