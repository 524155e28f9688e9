import { expect, test } from "vitest";
import { type Motion } from "../../protocol/governance.ts";
import { motionParts } from "../../protocol/motion-statement.ts";
import { comparedOf, comparedRanges } from "./motion-compare.ts";
import { sampleKey, samplePeople, samplePolicy, USDC } from "./sample-policy.ts";

const { n: _n, ...policy } = samplePolicy();
const device = { address: USDC, vendor: "Ledger" as const, model: "flex" };
const key = sampleKey("k");
const nonces = [{ vault: "Treasury-1", network: "eip155:1", nonce: 9 }];
const restore = (seen: { size: number; root: string } | null) => ({
  log: { size: 40, root: "a".repeat(64) },
  seen,
  nonces,
});
const RESTORED = ["RESTORE", "Document digest *", "40"];

const ROWS: [Motion, string[]][] = [
  [{ verb: "FOUND", change: { people: samplePeople(), policy } }, ["FOUND", "Document digest *", "alice bob"]],
  [
    { verb: "ENROLL", change: { name: "erin", roles: ["approver", "admin"], extension: key, file: null, device } },
    ["ENROLL", "erin", `${USDC} *`, "approver+admin", "Browser *", "Ledger flex"],
  ],
  [
    { verb: "ENROLL", change: { name: "olga", roles: ["initiator"], extension: null, file: key, device: null } },
    ["ENROLL", "olga", "initiator", "Key file *"],
  ],
  [{ verb: "REMOVE", change: { name: "bob", removal: { what: "person" } } }, ["REMOVE", "bob"]],
  [{ verb: "REMOVE", change: { name: "bob", removal: { what: "role", role: "admin" } } }, ["REMOVE", "bob", "admin"]],
  [
    { verb: "REMOVE", change: { name: "bob", removal: { what: "device", address: USDC } } },
    ["REMOVE", "bob", `${USDC} *`],
  ],
  [{ verb: "POLICY", change: { policy } }, ["POLICY", "18", "Document digest *"]],
  [{ verb: "ROTATE", change: { to: key } }, ["ROTATE", "New identity *"]],
  [{ verb: "UNFREEZE", change: { vault: null } }, ["UNFREEZE", "ALL"]],
  [{ verb: "RESTORE", change: restore({ size: 60, root: "b".repeat(64) }) }, [...RESTORED, "seen up to 60"]],
  [{ verb: "RESTORE", change: restore(null) }, [...RESTORED, "no gap known"]],
  [{ verb: "DRILL", change: { vault: "Treasury-1" } }, ["DRILL", "Treasury-1"]],
];

test.each(ROWS)("%j: what is compared is what the device shows, at its place", (motion, expected) => {
  const compared = comparedOf(motion, 17);
  const shown = compared.map(({ name, text, long }) => {
    if (!long) return text;
    return `${text.startsWith("0x") ? text : name} *`;
  });
  expect(shown).toEqual(expected);
  const statement = motionParts(motion, 17)
    .map(([, text]) => text)
    .join("");
  const marked = comparedRanges(motion, 17).map(({ from, to }) => statement.slice(from, to));
  expect(marked).toEqual(compared.map(({ text }) => text));
  // Each begins and ends where a word does.
  for (const { from, to } of comparedRanges(motion, 17)) {
    expect(from === 0 || statement[from - 1] === " ").toBe(true);
    expect([" ", ";", undefined]).toContain(statement[to]);
  }
});
