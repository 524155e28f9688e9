import { expect, test } from "vitest";
import type { Charter } from "../../protocol/charter.ts";
import { applyMotion, type Documents, type Motion, referencesOf } from "../../protocol/governance.ts";
import { CARRIED_OUT, isCarriedOut } from "./carried-out.ts";
import { sampleKey, samplePeople, samplePolicy } from "./sample-policy.ts";
import { sampleMotion, samplePayload } from "./sample-request.ts";
import { contradicts, isAlarming } from "./standing.ts";

const before: Documents = { people: samplePeople(), policy: samplePolicy() };
const charterOf = (documents: Documents, spent: string[] = []): Charter => ({
  ...documents,
  n: 5,
  head: "ee".repeat(32),
  hsm: sampleKey("h"),
  spent,
});
const { n: _n, ...text } = before.policy;
const policy: Motion = { verb: "POLICY", change: { policy: { ...text, contact: "Olga" } } };
const unfreeze: Motion = { verb: "UNFREEZE", change: { vault: null } };

test("a change of documents took effect when what it makes is in force", () => {
  const payload = sampleMotion(policy, referencesOf(before));
  const after = applyMotion(policy, before);
  expect(isCarriedOut(payload, charterOf(before), after)).toBe(false);
  expect(isCarriedOut(payload, charterOf(after), after)).toBe(true);
  // Where it was not seen while it was open, nothing is claimed.
  expect(isCarriedOut(payload, charterOf(after), null)).toBe(false);
  expect(isCarriedOut(payload, null, after)).toBe(false);
});

test("what changes no document is named by the charter", () => {
  const payload = sampleMotion(unfreeze, referencesOf(before));
  expect(isCarriedOut(payload, charterOf(before), before)).toBe(false);
  expect(isCarriedOut(payload, charterOf(before, [payload.request]), before)).toBe(true);
  expect(isCarriedOut(samplePayload(), charterOf(before, [payload.request]), before)).toBe(false);
});

test("a founding took effect when its own documents are in force", () => {
  const documents = { people: samplePeople({ n: 1 }), policy: samplePolicy({ n: 1 }) };
  const founding: Motion = { verb: "FOUND", change: { people: documents.people, policy: text } };
  const payload = sampleMotion(founding, { ...referencesOf(documents), initiator: null });
  expect(isCarriedOut(payload, charterOf(documents), null)).toBe(true);
  expect(isCarriedOut(payload, charterOf({ ...documents, people: samplePeople() }), null)).toBe(false);
});

test("that it took effect is no alarm", () => {
  expect(isAlarming(CARRIED_OUT)).toBe(false);
  expect(contradicts(CARRIED_OUT, sampleMotion(unfreeze), before)).toBe(false);
});
