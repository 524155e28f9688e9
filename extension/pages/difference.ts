/**
 * A policy as lines that a person can read, and the difference of two line by line. Every value of the document stands in a line,
 * also of a member that has no words here, so that nothing is hidden; the order of the lines is the document's. Pure.
 */
import type { PolicyText } from "../../protocol/policy.ts";

export interface DifferenceLine {
  readonly kind: "same" | "removed" | "added";
  readonly text: string;
}

/** What the document's sections and members are called. One that is missing keeps its own name. */
const NAMES: Readonly<Record<string, string>> = {
  v: "version of the format",
  networks: "network",
  tokens: "token",
  vaults: "vault",
  addressBook: "address book",
  groups: "group",
  rules: "rule",
  publicKey: "public key",
  id: "key in the HSM",
  expiresAfter: "open for (minutes)",
  maxFee: "highest fee",
  vendors: "devices asked for",
  atLeast: "at least",
  delay: "delay (hours)",
};

/** What tells one row of a list from another; the others are told apart by their name or vendor. */
const IDENTITY: Readonly<Record<string, readonly string[]>> = {
  networks: ["id"],
  tokens: ["contract", "network"],
  rules: ["vault", "network"],
  vendors: ["vendor"],
};

/** The lines of a policy, without its number, which is no text of its own. Different policies have different lines. */
export function linesOf(policy: PolicyText): string[] {
  return membersOf("", policy, ["n"]);
}

function membersOf(path: string, members: object, shown: readonly string[] = []): string[] {
  return Object.entries(members).flatMap(([key, value]) => {
    if (shown.includes(key)) return [];
    const name = NAMES[key] ?? key;
    return valueLines(path === "" ? name : `${path}, ${name}`, key, value);
  });
}

function valueLines(path: string, key: string, value: unknown): string[] {
  if (Array.isArray(value)) {
    const items: unknown[] = value;
    if (items.length === 0) return [`${path}: none`];
    if (!items.some(isObject)) return [`${path}: ${items.map(textOf).join(", ")}`];
    const identity = IDENTITY[key] ?? ["name"];
    return items.flatMap((item) => {
      if (!isObject(item)) return [`${path}: ${textOf(item)}`];
      const label = identity.map((member) => textOf(Reflect.get(item, member))).join(" on ");
      const lines = membersOf(`${path} ${label}`, item, identity);
      return lines.length === 0 ? [`${path} ${label}`] : lines;
    });
  }
  if (isObject(value)) return membersOf(path, value);
  return [`${path}: ${textOf(value)}`];
}

function textOf(value: unknown): string {
  if (value === null) return "none";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** The shortest way from `before` to `after`: what is removed stands before what takes its place. */
export function differenceOf(before: readonly string[], after: readonly string[]): DifferenceLine[] {
  // lengths[i][j]: how many lines before.slice(i) and after.slice(j) have in common, in order.
  const lengths = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1));
  const common = (i: number, j: number): number => lengths[i]?.[j] ?? 0;
  for (let i = before.length - 1; i >= 0; i -= 1) {
    const row = lengths[i] ?? new Uint16Array(0);
    for (let j = after.length - 1; j >= 0; j -= 1)
      row[j] = before[i] === after[j] ? common(i + 1, j + 1) + 1 : Math.max(common(i + 1, j), common(i, j + 1));
  }
  const lines: DifferenceLine[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    const [old, next] = [before[i], after[j]];
    if (old !== undefined && old === next) {
      lines.push({ kind: "same", text: old });
      i += 1;
      j += 1;
    } else if (old !== undefined && (next === undefined || common(i + 1, j) >= common(i, j + 1))) {
      lines.push({ kind: "removed", text: old });
      i += 1;
    } else {
      lines.push({ kind: "added", text: next ?? "" });
      j += 1;
    }
  }
  return lines;
}
