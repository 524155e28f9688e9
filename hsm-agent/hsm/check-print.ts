/** The report of `opencustody hsm check` for people: what was found, step by step, and then the verdicts. Pure. */

import * as v from "valibot";
import {
  type Answer,
  type Outcome,
  REPORT,
  type Report,
  STEPS,
  type Step,
  type TokenFacts,
  type Tried,
  type Verdict,
} from "./check-wire.ts";

const CAPABILITY: Readonly<Record<Verdict["capability"], string>> = {
  identity: "HSM identity (P-256)",
  ethereum: "Ethereum vaults (secp256k1)",
  anchor: "anchor in the token",
  backup: "backup by wrapping",
  solana: "Solana vaults (Ed25519)",
};

const TITLE: Readonly<Record<Step, string>> = {
  library: "library",
  slots: "slots",
  token: "token",
  mechanisms: "mechanisms",
  login: "second login",
  leftovers: "left by earlier checks",
  random: "random bytes",
  sessions: "sessions at a time",
  p256: "P-256, session key",
  secp256k1: "secp256k1, session key",
  ed25519: "Ed25519, session key",
  attributes: "attributes of a key",
  "backup-attributes": "attributes, with backup",
  "token-p256": "P-256, token key",
  "token-secp256k1": "secp256k1, token key",
  anchor: "data object",
  speed: "CKM_ECDSA",
  "wrap-aes-kw": "CKM_AES_KEY_WRAP",
  "wrap-aes-kw-pad": "CKM_AES_KEY_WRAP_PAD",
  "wrap-aes-kwp": "CKM_AES_KEY_WRAP_KWP",
  "wrap-aes-gcm": "CKM_AES_GCM",
  "wrap-aes-cbc-pad": "CKM_AES_CBC_PAD",
  "wrap-rsa-oaep": "CKM_RSA_PKCS_OAEP",
  trusted: "CKA_WRAP_WITH_TRUSTED",
};

const WIDTH = 28;

/** Lines of text. `value` is a report. */
export function printReport(value: unknown): string[] {
  const report: Report = v.parse(REPORT, value);
  return [
    `module ${printable(report.module)}`,
    "",
    ...STEPS.flatMap((step) => rows(TITLE[step], linesOf(report.steps, step))),
    ...rows("removed again", cleanupLines(report.cleanup)),
    "",
    ...report.verdicts.flatMap(({ capability, verdict, reasons }) => [
      row(CAPABILITY[capability], verdict),
      ...reasons.map((reason) => row("", reason)),
    ]),
    "",
    report.works
      ? "This HSM can hold the identity, Ethereum vaults and the anchor."
      : "This HSM cannot hold all of the identity, Ethereum vaults and the anchor.",
  ];
}

function row(title: string, line: string): string {
  return `${title.padEnd(WIDTH)}${printable(line)}`.trimEnd();
}

/** What a module says of itself may hold anything; a terminal gets no control characters from it. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, "?");
}

function rows(title: string, lines: readonly string[]): string[] {
  return lines.map((line, at) => row(at === 0 ? title : "", line));
}

function linesOf(steps: Report["steps"], step: Step): string[] {
  const outcome: Outcome<unknown> = steps[step];
  // A step's lines are those of its answer's shape: LINES is keyed by the same names.
  return outcome.ok ? (LINES[step] as (answer: unknown) => string[])(outcome.answer) : [outcome.reason];
}

const say = (tried: Tried) => (tried.works ? "works" : tried.reason);
const memory = (free: number | null, total: number | null) =>
  free === null ? "not said" : `${free} of ${total ?? "?"} bytes free`;

/** Those that may matter here; --json has all of them. */
function mechanismLines(all: Answer<"mechanisms">): string[] {
  const named = all.filter(({ name }) => name !== null);
  return [
    ...named.map(({ type, name, min, max, flags }) => `${type} ${name} ${min} to ${max}: ${flags.join(", ")}`),
    `and ${all.length - named.length} others`,
  ];
}

function curveLines(a: Answer<"p256">): string[] {
  if (!a.generate.works) return [`key: ${a.generate.reason}`];
  const low =
    a.high === 0 ? "s is always low" : `${a.high} with a high s (a vault's is made low before it is released)`;
  return [
    `key: works; CKA_EC_POINT: ${a.point}`,
    `CKM_ECDSA: ${say(a.ecdsa)}; ${a.signatures} signatures verified, ${low}`,
    `CKM_ECDSA_SHA256: ${say(a.ecdsaSha256)} (the agent does not need it)`,
  ];
}

function attributeLines({ generate, attributes }: Answer<"attributes">): string[] {
  return [
    ...(generate.works ? [] : [`key: ${generate.reason}`]),
    ...attributes.map(({ attribute, told, wanted, result, read, reason }) =>
      [
        `CKA_${attribute}`.padEnd(24),
        told ? `told ${wanted}`.padEnd(12) : `wanted ${wanted}`.padEnd(12),
        result.padEnd(9),
        read === null ? (reason ?? "") : `reads ${read}`,
      ]
        .join(" ")
        .trimEnd(),
    ),
  ];
}

function tokenKeyLines({ made, found, destroyed }: Answer<"token-p256">): string[] {
  if (!made.works) return [`made: ${made.reason}`];
  return [`made: works; found in another session: ${say(found)}; destroyed: ${say(destroyed)}`];
}

function wrapLines({ wrap, bytes, unwrap }: Answer<"wrap-aes-kw">): string[] {
  return [wrap.works ? `wraps an EC private key (${bytes} bytes); back: ${say(unwrap)}` : wrap.reason];
}

function tokenLines(t: TokenFacts): string[] {
  return [
    `"${t.label}", serial ${t.serial}; ${t.manufacturer}, ${t.model}`,
    `hardware ${t.hardware}, firmware ${t.firmware}; sessions at most: ${t.mostSessions ?? "not said"}; PIN: ${t.pin}`,
    `public memory: ${memory(t.freePublicMemory, t.totalPublicMemory)}; private memory: ${memory(t.freePrivateMemory, t.totalPrivateMemory)}`,
  ];
}

const LINES: { readonly [S in Step]: (answer: Answer<S>) => string[] } = {
  library: (a) => [`${a.manufacturer}, ${a.description}, ${a.version}; PKCS#11 ${a.cryptoki}`],
  slots: (a) => a.map(({ description, token }) => `${description}: ${token === null ? "empty" : `"${token.label}"`}`),
  token: tokenLines,
  mechanisms: mechanismLines,
  login: (a) => [a.second],
  leftovers: (a) => (a.length === 0 ? ["nothing"] : a.map(({ label, id }) => `"${label}" CKA_ID ${id || "none"}`)),
  random: (a) => [say(a.random)],
  sessions: (a) => [a.end === null ? `${a.open} and more` : `${a.open}: ${a.end}`],
  p256: curveLines,
  secp256k1: curveLines,
  ed25519: (a) =>
    a.generate.works
      ? [`key: works; CKA_EC_PARAMS: ${a.params ?? "-"}; CKA_EC_POINT: ${a.point}`, `CKM_EDDSA: ${say(a.eddsa)}`]
      : [`key: ${a.generate.reason}`],
  attributes: attributeLines,
  "backup-attributes": attributeLines,
  "token-p256": tokenKeyLines,
  "token-secp256k1": tokenKeyLines,
  anchor: (a) => [
    `made: ${say(a.made)}; read: ${say(a.read)}; destroyed: ${say(a.destroyed)}`,
    `value changed: ${say(a.changed)} (the agent does not need it)`,
  ],
  speed: (a) => a.map(({ inFlight, perSecond }) => `${inFlight} in flight: ${perSecond} a second`),
  "wrap-aes-kw": wrapLines,
  "wrap-aes-kw-pad": wrapLines,
  "wrap-aes-kwp": wrapLines,
  "wrap-aes-gcm": wrapLines,
  "wrap-aes-cbc-pad": wrapLines,
  "wrap-rsa-oaep": wrapLines,
  trusted: (a) => [
    `keeps a key from other wrapping keys: ${say(a.guards)}`,
    a.user.works ? "the user can make a key trusted" : `the user cannot make a key trusted: ${a.user.reason}`,
  ],
};

function cleanupLines(cleanup: Report["cleanup"]): string[] {
  if (!cleanup.ok) return [cleanup.reason];
  const { removed, left, doubtful } = cleanup.answer;
  return [
    left.length === 0 ? "nothing is left in the token" : `NOT REMOVED: ${left.join(", ")}`,
    ...(removed === 0 ? [] : [`${removed} objects that a step had left`]),
    ...(doubtful.length === 0
      ? []
      : [`may still appear, as its making did not answer: ${doubtful.join(", ")}; look again later`]),
  ];
}
