/**
 * What a CK_RV of the PKCS#11 module means to the rest of the agent: one table from return values to fault codes and sentences.
 *
 * Knows both shapes in which pkcs11js throws them. Does not call the module and does not retry. Values: PKCS#11 2.40, appendix
 * B. See protocol/README.md, "Errors".
 */

import { type ErrorCode, Fault } from "../../protocol/error.ts";

/** A fault that the module itself reported; `rv` is its CK_RV. The session it happened on is not used again. */
export class ModuleFault extends Fault {
  readonly rv: number;
  /** The call and its CK_RV, as in `C_Sign: CKR_DEVICE_ERROR 0x30`. */
  readonly said: string;

  constructor(code: ErrorCode, sentence: string, said: string, rv: number) {
    super(code, `${sentence} [${said}]`);
    this.said = said;
    this.rv = rv;
  }
}

const GONE = "The key or object is no longer in the HSM.";
const CURVE = "The HSM does not know this curve.";
const TEMPLATE = "The HSM refused an attribute of the key or object.";

const MEANING: ReadonlyMap<number, readonly [ErrorCode, string]> = new Map<number, readonly [ErrorCode, string]>([
  [0xa0, ["ERR_HSM_PIN", "The token refused the PIN; it is not tried again. Correct it."]], // PIN_INCORRECT
  [0xa1, ["ERR_HSM_PIN", "The PIN has characters that the token does not take. Correct it."]], // PIN_INVALID
  [0xa2, ["ERR_HSM_PIN", "The PIN is shorter or longer than the token takes. Correct it."]], // PIN_LEN_RANGE
  [0xa3, ["ERR_HSM_PIN", "The token wants a new PIN: set one with the HSM's own tool."]], // PIN_EXPIRED
  [0xa4, ["ERR_HSM_PIN", "The token's PIN is locked: its security officer must reset it."]], // PIN_LOCKED
  [0x102, ["ERR_HSM_PIN", "The token has no user PIN yet: set one with the HSM's own tool."]], // USER_PIN_NOT_INITIALIZED
  [0x60, ["ERR_HSM_KEY_MISSING", GONE]], // KEY_HANDLE_INVALID
  [0x82, ["ERR_HSM_KEY_MISSING", GONE]], // OBJECT_HANDLE_INVALID
  [0x54, ["ERR_HSM_UNSUPPORTED", "The HSM lacks a function that the agent needs."]], // FUNCTION_NOT_SUPPORTED
  [0x70, ["ERR_HSM_UNSUPPORTED", "The HSM lacks a mechanism that the agent needs."]], // MECHANISM_INVALID
  [0x130, ["ERR_HSM_UNSUPPORTED", CURVE]], // DOMAIN_PARAMS_INVALID
  [0x140, ["ERR_HSM_UNSUPPORTED", CURVE]], // CURVE_NOT_SUPPORTED
  [0x10, ["ERR_HSM_KEY_ATTRIBUTES", TEMPLATE]], // ATTRIBUTE_READ_ONLY
  [0x11, ["ERR_HSM_KEY_ATTRIBUTES", "The HSM does not show an attribute of the key or object."]], // ATTRIBUTE_SENSITIVE
  [0x12, ["ERR_HSM_KEY_ATTRIBUTES", "The HSM does not know an attribute of the key or object."]], // ATTRIBUTE_TYPE_INVALID
  [0x13, ["ERR_HSM_KEY_ATTRIBUTES", TEMPLATE]], // ATTRIBUTE_VALUE_INVALID
  [0xd0, ["ERR_HSM_KEY_ATTRIBUTES", "The HSM wants more attributes of the key or object."]], // TEMPLATE_INCOMPLETE
  [0xd1, ["ERR_HSM_KEY_ATTRIBUTES", "The HSM refused these attributes together."]], // TEMPLATE_INCONSISTENT
]);

/**
 * What is not in the table: the owner then ends the child process, and a new one initialises the module and logs in afresh,
 * which is the one recovery that helps with dead sessions, lost logins and lost devices alike.
 */
const FAILED: readonly [ErrorCode, string] = [
  "ERR_HSM_DOWN",
  "The HSM failed; the agent connects to it anew with the next call. If it stays so, check the HSM and its network.",
];

/** The fault for a return value of `call`. */
export function fromRv(call: string, rv: number, name = "CK_RV"): ModuleFault {
  const [code, sentence] = MEANING.get(rv) ?? FAILED;
  return new ModuleFault(code, sentence, `${call}: ${name} 0x${rv.toString(16)}`, rv);
}

/**
 * Maps both shapes of pkcs11js's errors: one with a numeric `code`, and a plain Error whose message is "CKR_NAME:130".
 * Anything else is a mistake in how pkcs11js was called, and its text, which may quote arguments, goes nowhere.
 */
export function toFault(call: string, error: unknown): Fault {
  if (error instanceof Fault) return error;
  if (error instanceof Error) {
    const parts = /(CKR_\w+)(?::(\d+))?/.exec(error.message);
    const code = "code" in error && typeof error.code === "number" ? error.code : Number(parts?.[2] ?? Number.NaN);
    if (parts !== null && Number.isInteger(code)) return fromRv(call, code, parts[1]);
  }
  return new Fault(
    "ERR_INTERNAL",
    `The PKCS#11 binding refused ${call}; this is a mistake in the agent, please report it.`,
  );
}

/** True where the module refused the template itself, so that one with fewer attributes may pass. */
export function isTemplateRefused(error: unknown): boolean {
  return error instanceof ModuleFault && error.code === "ERR_HSM_KEY_ATTRIBUTES";
}

/** True where a handle no longer names an object. */
export function isHandleDead(error: unknown): boolean {
  return error instanceof ModuleFault && error.code === "ERR_HSM_KEY_MISSING";
}

/** True where the session, the login or the token is gone, so that nothing that is asked next says anything about the HSM's abilities. */
export function isLost(error: unknown): boolean {
  return error instanceof ModuleFault && LOST.has(error.rv);
}

/** DEVICE_ERROR, DEVICE_REMOVED, SESSION_CLOSED, SESSION_HANDLE_INVALID, TOKEN_NOT_PRESENT, USER_NOT_LOGGED_IN, CRYPTOKI_NOT_INITIALIZED. */
const LOST: ReadonlySet<number> = new Set([0x30, 0x32, 0xb0, 0xb3, 0xe0, 0x101, 0x190]);

/** Initialises a module that may be so already, which is success. */
export function unlessInitialized(initialize: () => void): void {
  try {
    initialize();
  } catch (error) {
    if (!(error instanceof ModuleFault) || error.rv !== 0x191) throw error; // CRYPTOKI_ALREADY_INITIALIZED
  }
}
