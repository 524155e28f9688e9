/**
 * What a log may say of an unforeseen error: its kind and where it was thrown; what it says may hold what was received. And of a
 * connection: the beginnings of two fingerprints. protocol/README.md, "Bridge".
 */
import { fingerprint } from "../protocol/primitive.ts";
import type { Party } from "./admit.ts";

/** Kind and place, without the message, though that has lines like those of a stack. */
export function placeOf(error: unknown): string {
  if (!(error instanceof Error)) return "?";
  const lines = (error.stack ?? "").replace(error.message, "").split("\n");
  return `${error.name} ${lines.find((line) => line.startsWith("    at "))?.trim() ?? ""}`;
}

/** The agent and the key of somebody who has logged in, by 16 hex digits each. */
export function nameOf(party: Party | undefined): { agent?: string; key?: string } {
  if (party === undefined) return {};
  return { agent: fingerprint(party.agent).slice(0, 16), key: fingerprint(party.key).slice(0, 16) };
}
