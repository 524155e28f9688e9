import { expect, test } from "vitest";
import type { Motion } from "./governance.ts";
import { motionParts } from "./motion-statement.ts";

const change: Extract<Motion, { verb: "RESTORE" }>["change"] = {
  log: { size: 40, root: "4".repeat(64) },
  seen: { size: 60, root: "6".repeat(64) },
  nonces: [{ vault: "Treasury-1", network: "eip155:1", nonce: 9 }],
};
const said = (other: Partial<typeof change> = {}) =>
  motionParts({ verb: "RESTORE", change: { ...change, ...other } }, 17)
    .map(([, text]) => text)
    .join("");

test("what a device shows of a RESTORE says the gap, and binds all of it: the log, what was seen, each nonce", () => {
  expect(said()).toMatch(/^RESTORE [0-9a-f]{32} LOG OF 40; seen up to 60$/);
  expect(said({ seen: null })).toMatch(/^RESTORE [0-9a-f]{32} LOG OF 40; no gap known$/);
  const digestOf = (text: string) => text.split(" ")[1];
  const others: Partial<typeof change>[] = [
    { log: { ...change.log, root: "5".repeat(64) } },
    { seen: { size: 60, root: "7".repeat(64) } },
    { nonces: change.nonces.map((row) => ({ ...row, nonce: 10 })) },
    { nonces: [] },
  ];
  expect(new Set([said(), ...others.map((other) => said(other))].map(digestOf)).size).toBe(5);
});
