/** What the agent and its HSM process say to each other: structured clones, and through the child's own schema both ways. */
import * as v from "valibot";
// oxlint-disable-next-line no-restricted-imports -- what is fuzzed is the code itself
import { ANSWER, ENVELOPE, REPLY } from "../../../hsm-agent/hsm/wire.ts";
import type { Random } from "../random.ts";
import { given, require, type Target } from "../target.ts";
import { mutated } from "./frame.ts";

const KEY = { id: "0".repeat(32), curve: "P-256", publicKey: { bytes: 65 }, label: "identity", backup: "none" };
const COMMANDS = [
  { call: "open", module: "/usr/lib/m.so", token: { label: "treasury" }, pin: "1234", sessions: 4 },
  { call: "generate", curve: "secp256k1", label: "Treasury-1", backup: "wrap" },
  { call: "find", key: "0".repeat(32) },
  { call: "keys" },
  { call: "sign", key: "0".repeat(32), digest: { bytes: 32 } },
  { call: "random", bytes: 16 },
  { call: "read-anchor" },
  { call: "write-anchor", text: "policy 17" },
  { call: "close" },
].map((command) => ({ id: 1, command }));
const VALUES = [
  { label: "t", serial: "1", manufacturer: "m", model: "m" },
  KEY,
  [KEY],
  { bytes: 64 },
  { bytes: 16 },
  null,
  "policy 17",
];
const REPLIES = [
  ...VALUES.map((value) => ({ id: 1, ok: true, value })),
  { id: 1, ok: false, code: "ERR_HSM_PIN", message: "no" },
];
const SAID = [...COMMANDS, ...REPLIES].map((message) => JSON.stringify(message));
const CALLS = Object.values(ANSWER);

export function wires(): Target {
  return {
    attempt: (random) => {
      const message = given(clone(random, mutated(random, random.pick(SAID), SAID)));
      for (const schema of [ENVELOPE, REPLY]) {
        const parsed = v.safeParse(schema, message);
        if (!parsed.success) continue;
        requireEqual(parsed.output, message);
        if ("value" in parsed.output) answer(random, parsed.output.value);
        return "accepted";
      }
      return "refused";
    },
  };
}

function answer(random: Random, value: unknown): void {
  const parsed = v.safeParse(random.pick(CALLS), value);
  if (parsed.success) requireEqual(parsed.output, value);
}

/** Nothing was left out, filled in or turned into something else. */
function requireEqual(one: unknown, other: unknown): void {
  require(print(one) === print(other), "another message than the one that came");
}

function print(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => {
    if (member instanceof Uint8Array) return { hex: Buffer.from(member).toString("hex") };
    if (["number", "undefined", "bigint"].includes(typeof member)) return `${typeof member} ${String(member)}`;
    if (typeof member !== "object" || member === null || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** What a structured clone has and JSON has not: bytes, numbers that are none, members that are undefined. */
function clone(random: Random, text: string): unknown {
  const odd = [
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -0,
    1.5,
    undefined,
    1n,
    new Date(0),
    new Map(),
    new ArrayBuffer(64),
    new Uint16Array(32),
  ];
  try {
    return JSON.parse(text, (_, member: unknown) => {
      if (typeof member === "object" && member !== null && "bytes" in member && Object.keys(member).length === 1)
        return new Uint8Array(
          typeof member.bytes === "number" && member.bytes >= 0 && member.bytes < 99 ? Math.floor(member.bytes) : 0,
        );
      return random.once(60) ? random.pick(odd) : member;
    });
  } catch {
    return random.pick(odd);
  }
}
