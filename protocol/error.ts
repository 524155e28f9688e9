/**
 * Faults that cross a boundary between parts: a code from a closed union and a sentence that says what to do.
 * Outcomes that people decide (rejected, expired, …) are values, not errors. See README.md, "Errors".
 */

const CODES = [
  // frames and envelopes
  "ERR_FRAME_MALFORMED",
  "ERR_FRAME_TOO_LARGE",
  "ERR_FRAME_UNKNOWN_RECEIVER",
  "ERR_FRAME_MAILBOX_FULL",
  "ERR_FRAME_RATE",
  "ERR_ENVELOPE_MALFORMED",
  "ERR_ENVELOPE_ALG",
  "ERR_ENVELOPE_HEADER",
  "ERR_ENVELOPE_TYPE",
  "ERR_ENVELOPE_KEY",
  "ERR_ENVELOPE_SIGNATURE",
  "ERR_ENVELOPE_AUDIENCE",
  "ERR_ENVELOPE_EXPIRED",
  "ERR_ENVELOPE_TIME",
  "ERR_ENVELOPE_PAYLOAD",
  "ERR_ENVELOPE_REPLAYED",
  "ERR_SEAL_MALFORMED",
  "ERR_SEAL_KEY",
  "ERR_SEAL_OPEN",
  // login to the bridge
  "ERR_LOGIN_ORIGIN",
  "ERR_LOGIN_HOST",
  "ERR_LOGIN_UNKNOWN",
  "ERR_LOGIN_NONCE",
  "ERR_LOGIN_TIMEOUT",
  "ERR_LOGIN_TOO_MANY",
  "ERR_ROSTER_OLD",
  "ERR_CARD_OLD",
  // statement, amounts, transactions
  "ERR_STATEMENT_TEXT",
  "ERR_STATEMENT_TOO_LONG",
  "ERR_STATEMENT_DIFFERS",
  "ERR_AMOUNT",
  "ERR_ADDRESS",
  "ERR_NAME",
  "ERR_TX_MALFORMED",
  "ERR_TX_UNSUPPORTED",
  "ERR_TX_FEE_CAP",
  // requests and approvals
  "ERR_REQUEST_UNKNOWN",
  "ERR_REQUEST_STATE",
  "ERR_REQUEST_EXPIRED",
  "ERR_REQUEST_DIFFERS",
  "ERR_REQUEST_LIMIT",
  "ERR_APPROVAL_DIGEST",
  "ERR_APPROVAL_SIGNATURE",
  "ERR_APPROVAL_DEVICE",
  "ERR_APPROVAL_NOT_ELIGIBLE",
  "ERR_APPROVAL_INITIATOR",
  "ERR_APPROVAL_DUPLICATE",
  "ERR_APPROVAL_WITHDRAWN",
  "ERR_QUORUM",
  // policy, people, vaults
  "ERR_POLICY_DENIED",
  "ERR_POLICY_DOCUMENT",
  "ERR_POLICY_QUORUM",
  "ERR_MEMBER_UNKNOWN",
  "ERR_MEMBER_EXISTS",
  "ERR_MEMBER_ROLE",
  "ERR_DEVICE_TAKEN",
  "ERR_DEVICE_UNKNOWN",
  "ERR_DEVICE_LIMIT",
  "ERR_PAIRING",
  "ERR_WORDS",
  "ERR_FOUNDING",
  "ERR_CHARTER",
  "ERR_LOG",
  "ERR_PROOF",
  "ERR_FROZEN",
  "ERR_INVITE",
  "ERR_VAULT_UNKNOWN",
  "ERR_VAULT_EXISTS",
  // the HSM
  "ERR_HSM_CONFIG",
  "ERR_HSM_PIN",
  "ERR_HSM_TOKEN",
  "ERR_HSM_KEY_MISSING",
  "ERR_HSM_KEY_AMBIGUOUS",
  "ERR_HSM_KEY_ATTRIBUTES",
  "ERR_HSM_SIGNATURE",
  "ERR_HSM_DIGEST",
  "ERR_HSM_TIMEOUT",
  "ERR_HSM_DOWN",
  "ERR_HSM_UNSUPPORTED",
  // programs
  "ERR_CONFIG",
  "ERR_SECRET",
  "ERR_USAGE",
  "ERR_AGENT_UNREACHABLE",
  "ERR_AGENT_RUNNING",
  "ERR_BRIDGE_UNREACHABLE",
  "ERR_STATE",
  "ERR_RECORD",
  "ERR_INTERNAL",
] as const;

/** Every code that this project emits. A code is never reused for another meaning. */
export type ErrorCode = (typeof CODES)[number];

/** All codes, for schemas and for the table in README.md. */
export const ERROR_CODES: readonly ErrorCode[] = CODES;

/**
 * A fault with a stable code. `message` is a sentence for a person and says what to do; it never holds a secret.
 * The wire carries the code and the request id, the local log the rest.
 */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** True for a `Fault`, and where `code` is given only for that code. */
export function isFault(error: unknown, code?: ErrorCode): error is Fault {
  return error instanceof Fault && (code === undefined || error.code === code);
}
