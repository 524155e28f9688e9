/**
 * The statement: the one line of printable ASCII that a hardware wallet shows and signs (EIP-191 personal_sign).
 * It is rendered, compared and signed; it is never parsed back. README.md, "Statement".
 */
import { Fault } from "./error.ts";

/** Hard limit of a Trezor One; more fails there with nothing shown. */
export const STATEMENT_MAX_BYTES = 1024;
/** What the first page of a Trezor One shows, and what a Flex shows before its fold. */
export const STATEMENT_FIRST_PAGE = 72;

/** Stands in a request's payload for the digest, which is the digest of that very payload. */
const DIGEST_PLACEHOLDER = "{digest}";

/** What every statement ends with. */
interface Tail {
  readonly threshold: number;
  readonly eligible: number;
  readonly policy: number;
  readonly request: string;
  /** Seconds since 1970, a whole minute. */
  readonly expires: number;
  /** First eight hex digits of the HSM identity's fingerprint. */
  readonly hsm: string;
}

/** The words of a SEND statement; every string is already in its final form. */
export interface SendWords extends Tail {
  readonly verb: "SEND";
  /** Exact decimal, e.g. `250000.00`. */
  readonly amount: string;
  readonly asset: string;
  /** Whole destination in the chain's own spelling (EIP-55 on Ethereum). */
  readonly to: string;
  readonly network: string;
  readonly vault: string;
  /** Exact decimal and symbol, e.g. `0.012 ETH`. */
  readonly maxFee: string;
}

/** The words of a governance statement: its own pieces (governance.ts), and from when on it takes effect, a whole minute or null. */
export interface MotionWords extends Tail {
  readonly verb: "FOUND" | "ENROLL" | "REMOVE" | "POLICY" | "ROTATE" | "UNFREEZE" | "RESTORE" | "DRILL";
  readonly parts: readonly StatementPart[];
  readonly notBefore: number | null;
}

export type Words = SendWords | MotionWords;

export type StatementPart = readonly [name: string, text: string];

/** The statement as named pieces in order; joined they are the statement. */
function partsOf(words: Words, digest: string): StatementPart[] {
  return [
    ...(words.verb === "SEND" ? sendParts(words) : motionParts(words)),
    ["quorum", `; needs ${words.threshold} of ${words.eligible}`],
    ["policy", `; policy ${words.policy}`],
    ["request id", `; request ${words.request}`],
    ["expiry", `; expires ${formatMinute(words.expires)}`],
    ["digest", `; digest ${digest}`],
    ["HSM identity", `; OpenCustody v1 ${words.hsm}`],
  ];
}

function sendParts(words: SendWords): StatementPart[] {
  return [
    ["operation", words.verb],
    ["amount", ` ${words.amount}`],
    ["asset", ` ${words.asset}`],
    ["destination", ` TO ${words.to}`],
    ["network", ` ON ${words.network}`],
    ["vault", ` FROM ${words.vault}`],
    ["maximum fee", `; max fee ${words.maxFee}`],
  ];
}

function motionParts({ parts, notBefore }: MotionWords): StatementPart[] {
  const delay = notBefore === null ? "" : `; recovery not before ${formatMinute(notBefore)}`;
  return [...parts.filter(([, text]) => text !== ""), ...(delay === "" ? [] : [["delay", delay] as const])];
}

/**
 * The exact statement. `digest` is the SHA-256 of the request's payload bytes, 64 hex digits.
 * @throws Fault ERR_STATEMENT_TEXT, ERR_STATEMENT_TOO_LONG
 */
export function renderStatement(words: Words, digest: string): string {
  return checkText(
    partsOf(words, digest)
      .map(([, text]) => text)
      .join(""),
  );
}

/** The statement with `{digest}` in the digest's place: the form that stands inside the payload. */
export function renderTemplate(words: Words): string {
  // Rendered once with a full-size digest, so that what will not fit is refused here and not on a device.
  renderStatement(words, "0".repeat(64));
  return partsOf(words, DIGEST_PLACEHOLDER)
    .map(([, text]) => text)
    .join("");
}

/** The name of the first part in which `template` departs from what `words` say, or undefined where they agree. */
export function findDifference(words: Words, template: string): string | undefined {
  let at = 0;
  let before: string | undefined;
  for (const [name, text] of partsOf(words, DIGEST_PLACEHOLDER)) {
    if (!template.startsWith(text, at)) {
      // Where this part does not even begin, the one before it is longer in the template: 2500 against 25000.
      const begins = at === template.length || template[at] === text[0];
      return begins ? name : (before ?? name);
    }
    at += text.length;
    before = name;
  }
  return at === template.length ? undefined : "end of the statement";
}

/**
 * Refuses what a device would show as hex, fold or cut: anything but one line of printable ASCII without double
 * spaces, or more than 1,024 bytes.
 */
export function checkText(text: string): string {
  if (!/^[\x20-\x7e]+$/.test(text) || text.includes("  ") || text.startsWith(" ") || text.endsWith(" ")) {
    throw new Fault(
      "ERR_STATEMENT_TEXT",
      "The statement has characters that a device cannot show in clear; check the names in the policy.",
    );
  }
  if (text.length > STATEMENT_MAX_BYTES) {
    throw new Fault(
      "ERR_STATEMENT_TOO_LONG",
      `The statement has ${text.length} characters and a device shows at most ${STATEMENT_MAX_BYTES}; propose a smaller operation.`,
    );
  }
  return text;
}

/** `2026-11-22T09:00Z`: a whole minute in UTC. */
export function formatMinute(seconds: number): string {
  if (seconds % 60 !== 0) throw new RangeError("an expiry is a whole minute");
  return `${new Date(seconds * 1000).toISOString().slice(0, 16)}Z`;
}
