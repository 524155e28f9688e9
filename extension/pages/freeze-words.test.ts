import { expect, test } from "vitest";
import { type Freeze, freezable, freezeLabel, freezeSteps, frozenSentence, inOrder } from "./freeze-words.ts";
import { NOW } from "./sample-request.ts";

const frozen = (vault: string | null, changes: Partial<Freeze> = {}): Freeze => ({
  vault,
  by: "bob",
  at: NOW - 60,
  of: null,
  ...changes,
});
const stop = (changes = {}) => ({
  jti: "MINE",
  vault: "Treasury-1",
  at: NOW - 3,
  received: false,
  refusal: null,
  ...changes,
});

test("what is frozen, by whom, since when", () => {
  expect(frozenSentence(frozen("Treasury-1"))).toMatch(/^Treasury-1 is frozen: by bob, since .*2026/);
  expect(frozenSentence(frozen(null, { by: null }))).toMatch(
    /^Everything is frozen: by the operator, on the agent's host, since /,
  );
  const all = [frozen("B", { at: 5 }), frozen("A", { at: 9 }), frozen(null, { at: 7 })];
  expect(inOrder(all).map(({ vault }) => vault)).toEqual([null, "B", "A"]);
});

test("what can still be frozen", () => {
  expect(freezable(["A", "B"], [])).toEqual(["A", "B", null]);
  expect(freezable(["A", "B"], [frozen("A")])).toEqual(["B", null]);
  expect(freezable(["A", "B"], [frozen(null)])).toEqual([]);
  expect([freezeLabel("A"), freezeLabel(null)]).toEqual(["Freeze A", "Freeze everything"]);
});

test("only the agent's list makes a tick; after ten seconds it says whom to call, and the second road", () => {
  const labels = (...[stops, freezes = [], now = NOW]: [ReturnType<typeof stop>[], Freeze[]?, number?]) =>
    freezeSteps(stops, freezes, "Olga, +41 44", now).map(({ state, label }) => `${state} ${label}`);
  expect(labels([stop()])).toEqual(["now Freezing Treasury-1…"]);
  expect(labels([stop()], [], NOW + 6)).toEqual(["now Freezing Treasury-1…"]);
  expect(labels([stop()], [], NOW + 7)).toEqual(["late Not received. Call: Olga, +41 44"]);
  const [late] = freezeSteps([stop({ at: NOW - 99 })], [], null, NOW);
  expect(late?.label).toBe("Not received. Call: your operator");
  expect(late?.detail).toContain('"opencustody freeze" works on the agent\'s host');
  // Another's freeze of the same vault is no receipt of mine.
  expect(labels([stop({ at: NOW - 99 })], [frozen("Treasury-1", { of: "THEIRS" })])[0]).toMatch(/^late/);
  expect(labels([stop()], [frozen("Treasury-1", { of: "MINE" })])).toEqual(["done Received by the agent"]);
  // Lifted since, or refused: nothing more to say here.
  expect(labels([stop({ received: true })])).toEqual([]);
  expect(labels([stop({ refusal: { code: "ERR_MEMBER_ROLE", message: "No." } })])).toEqual([]);
});
