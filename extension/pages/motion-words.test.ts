import { expect, test } from "vitest";
import type { Motion } from "../../protocol/governance.ts";
import { documentsOf, headingOf, recoverySentence, removalWords, titleOf } from "./motion-words.ts";
import { DAI, sampleKey, samplePeople, samplePolicy, USDC } from "./sample-policy.ts";
import { DESTINATION, NOW, sampleMotion, samplePayload } from "./sample-request.ts";

const inForce = { people: samplePeople(), policy: samplePolicy() };
const { n: _n, ...text } = samplePolicy();
const device = { address: DAI, vendor: "Ledger" as const, model: "flex" };
const nothing = { roles: [], extension: null, file: null, device: null };
const key = sampleKey("k");
const remove = (removal: Extract<Motion, { verb: "REMOVE" }>["change"]["removal"]): Motion => ({
  verb: "REMOVE",
  change: { name: "bob", removal },
});

const TITLES: [Motion, string][] = [
  [{ verb: "FOUND", change: { people: samplePeople(), policy: text } }, "Founding"],
  [
    { verb: "ENROLL", change: { ...nothing, name: "erin", roles: ["approver", "admin"], extension: key, device } },
    "Add erin as approver and admin",
  ],
  [{ verb: "ENROLL", change: { ...nothing, name: "bob", device } }, "Add a device for bob"],
  [
    { verb: "ENROLL", change: { ...nothing, name: "bob", extension: key, device } },
    "Add a browser and a device for bob",
  ],
  [
    { verb: "ENROLL", change: { ...nothing, name: "bob", file: key, roles: ["initiator"] } },
    "Add a key file and the role initiator for bob",
  ],
  [remove({ what: "person" }), "Remove bob"],
  [remove({ what: "role", role: "admin" }), "Take the role admin from bob"],
  [remove({ what: "browser", key: "A".repeat(43) }), "Remove a browser of bob"],
  [remove({ what: "file", key: "A".repeat(43) }), "Remove a key file of bob"],
  [remove({ what: "device", address: USDC }), "Remove a device of bob"],
  [{ verb: "POLICY", change: { policy: text } }, "Policy 18: no changes"],
  [
    { verb: "POLICY", change: { policy: { ...text, contact: "x", bridge: "wss://x.example.com/" } } },
    "Policy 18: two changes",
  ],
  [{ verb: "POLICY", change: { policy: { ...text, contact: "x" } } }, "Policy 18: one change"],
  [{ verb: "ROTATE", change: { to: key } }, "New HSM identity"],
  [{ verb: "UNFREEZE", change: { vault: null } }, "Lift the freeze of everything"],
  [{ verb: "UNFREEZE", change: { vault: "Treasury-1" } }, "Lift the freeze of Treasury-1"],
  [
    { verb: "RESTORE", change: { log: { size: 40, root: "a".repeat(64) }, seen: null, nonces: [] } },
    "Go on from an older record",
  ],
  [{ verb: "DRILL", change: { vault: "Treasury-1" } }, "Drill for Treasury-1"],
];

test.each(TITLES)("%j has a title", (motion, title) => {
  expect(titleOf(sampleMotion(motion), inForce)).toBe(title);
  expect(headingOf(sampleMotion(motion), inForce)).not.toBe("");
});

test("a transfer's title is its sentence", () => {
  expect(titleOf(samplePayload(), inForce)).toMatch(/^Send 1\.50 ETH to 0x/);
});

test("what came after does not change the words: other documents are unknown documents", () => {
  const later = { people: samplePeople({ n: 4 }), policy: samplePolicy({ n: 18 }) };
  const [, , , , , , , , , , policy] = TITLES.map(([motion]) => sampleMotion(motion));
  if (policy === undefined) throw new Error("no policy among the titles");
  expect(documentsOf(policy, inForce)).toBe(inForce);
  expect(documentsOf(policy, later)).toBeNull();
  expect(titleOf(policy, later)).toBe("Policy 18");
  const erin = sampleMotion({ verb: "ENROLL", change: { ...nothing, name: "erin", roles: ["admin"], extension: key } });
  expect(titleOf(erin, later)).toBe("Add erin as admin");
});

test("a removal says what goes and what stays; a recovery says from when", () => {
  for (const removal of [
    { what: "person" as const },
    { what: "role" as const, role: "admin" as const },
    { what: "browser" as const, key: "A" },
    { what: "file" as const, key: "A" },
    { what: "device" as const, address: USDC },
  ])
    expect(removalWords({ name: "bob", removal })).toMatch(/^[A-Zb].*\.$/);
  expect(recoverySentence({ notBefore: null })).toBe("");
  expect(recoverySentence({ notBefore: NOW + 3600 })).toContain("at the earliest");
  expect(DESTINATION).not.toBe(USDC);
});
