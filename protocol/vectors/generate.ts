/**
 * Writes the vectors: `node protocol/vectors/generate.ts`. Nothing in them is random, so the same files come out everywhere;
 * vectors.test.ts compares. Each vector has at most one fault, and says which code must come of it.
 */
import { writeFileSync } from "node:fs";
import { DEVICE_SIGNATURES, NAMES, REQUEST_IDS, STATEMENTS } from "./word.ts";
import { CHARTERS } from "./charter.ts";
import { ENVELOPE } from "./envelope.ts";
import { ETHEREUM } from "./ethereum.ts";
import { SEALS } from "./generate-seal.ts";
import { GOVERNANCE } from "./governance.ts";
import { FRAMES, INVITES, LOGINS } from "./link.ts";
import { LOGS } from "./log.ts";
import { PROOFS } from "./proof.ts";
import { REQUESTS } from "./request.ts";
import { WORDS } from "./words.ts";

/** What each file holds. */
export const VECTORS: Readonly<Record<string, object>> = {
  "charter.json": CHARTERS,
  "device-signature.json": DEVICE_SIGNATURES,
  "envelope.json": ENVELOPE,
  "ethereum.json": ETHEREUM,
  "frame.json": FRAMES,
  "governance.json": GOVERNANCE,
  "invite.json": INVITES,
  "log.json": LOGS,
  "login.json": LOGINS,
  "name.json": NAMES,
  "proof.json": PROOFS,
  "request-id.json": REQUEST_IDS,
  "request.json": REQUESTS,
  "statement.json": STATEMENTS,
  "words.json": WORDS,
};

/** A file's text: JSON with one vector a line, so that a change shows as one. */
export function fileText(value: unknown, indent = ""): string {
  const deeper = `${indent} `;
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    return `[\n${value.map((item) => deeper + JSON.stringify(item)).join(",\n")}\n${indent}]`;
  }
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const isVector = !Object.values(value).some((member) => typeof member === "object" && member !== null);
  if (isVector) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([name, member]) => `${deeper}${JSON.stringify(name)}: ${fileText(member, deeper)}`,
  );
  return `{\n${members.join(",\n")}\n${indent}}`;
}

if (import.meta.main) {
  for (const [name, value] of Object.entries({ ...VECTORS, "seal.json": SEALS })) {
    writeFileSync(new URL(name, import.meta.url), `${fileText(value)}\n`);
  }
}
