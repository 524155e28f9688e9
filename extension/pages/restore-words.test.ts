import { expect, test } from "vitest";
import type { Motion } from "../../protocol/governance.ts";
import { ENDS, lossSentence, mayEndAlarm, nonceLines, unnamedSentence } from "./restore-words.ts";
import { samplePolicy } from "./sample-policy.ts";
import { NOW, sampleMotion, sampleRequest } from "./sample-request.ts";

const head = (size: number) => ({ size, root: "a".repeat(64) });
const nonces = [
  { vault: "Treasury-1", network: "eip155:1", nonce: 42 },
  { vault: "Treasury-1", network: "eip155:999999", nonce: 0 },
];
const change = (seen: number | null) => ({ log: head(40), seen: seen === null ? null : head(seen), nonces });

test("what is missing is said in numbers, and that signed transactions may be among it", () => {
  const sentence = lossSentence(change(60));
  expect(sentence).toContain("goes back to 40 entries; browsers had seen 60. Up to 20 decisions are missing");
  expect(sentence).toContain("signed transactions among them may exist");
  expect(lossSentence(change(41))).toContain("Up to 1 decision is missing");
  // Another log of the same length, or a shorter one: there is no number, and something is missing.
  for (const size of [40, 30]) expect(lossSentence(change(size))).toContain("Up to 1 decision is missing");
  expect(lossSentence(change(null))).toContain("Nobody's browser is known to have seen more");
  expect(ENDS).toContain("Every open request ends");
});

test("a browser that has seen more than is named says so, and no other", () => {
  expect(unnamedSentence(change(60), { known: head(61), open: true, alarmed: true })).toMatch(
    /seen 61 entries, more than the 60 .* Do not approve it/,
  );
  expect(unnamedSentence(change(null), { known: head(41), open: true, alarmed: true })).toMatch(/more than the 40/);
  for (const known of [null, head(0), head(40), head(60)])
    expect(unnamedSentence(change(60), { known, open: true, alarmed: true })).toBe("");
  // Where no alarm stands the agent may have written down no more than this request since it came back.
  const soft = unnamedSentence(change(60), { known: head(61), open: true, alarmed: false });
  expect(soft).toMatch(/seen 61 entries, more than the 60 .* Ask your operator which before you approve\.$/);
  expect(soft).not.toContain("Do not approve");
  // It is in force, and the record has grown since.
  expect(unnamedSentence(change(60), { known: head(61), open: false, alarmed: true })).toBe("");
  // It is the log that goes on: it holds the request.
  expect(unnamedSentence(change(60), { known: head(61), open: true, inLog: true, alarmed: true })).toBe("");
});

test("the next nonces are named by account, a network that the policy does not know by its id", () => {
  const lines = ["Treasury-1 on Ethereum: next nonce 42", "Treasury-1 on eip155:999999: next nonce 0"];
  expect(nonceLines(change(null), samplePolicy())).toEqual(lines);
  expect(nonceLines(change(null), null)[0]).toBe("Treasury-1 on eip155:1: next nonce 42");
});

test("a page does not say that its request ends the alarm where it is not to be approved, or cannot be", () => {
  const payload = sampleMotion({ verb: "RESTORE", change: change(60) });
  const stored = sampleRequest({ motion: payload });
  const documents = { policy: samplePolicy(), people: { v: 1 as const, n: 3, members: [], former: [] } };
  const checked = (motion: Motion, of = payload) => ({
    kind: "motion" as const,
    payload: of,
    motion,
    byNextIdentity: false,
    digest: "",
    statement: "",
    before: documents,
    after: documents,
  });
  const here = { stored, known: head(60), now: NOW };
  const restore = checked({ verb: "RESTORE", change: change(60) });
  expect(mayEndAlarm(restore, null, here)).toBe(true);
  expect(mayEndAlarm(restore, null, { ...here, known: head(61) })).toBe(false);
  expect(mayEndAlarm(restore, null, { ...here, stored: { ...stored, inLog: true }, known: head(61) })).toBe(true);
  expect(mayEndAlarm(restore, null, { ...here, now: payload.exp })).toBe(false);
  expect(mayEndAlarm(restore, { code: "ERR_APPROVAL_NOT_ELIGIBLE", message: "" }, here)).toBe(false);
  expect(mayEndAlarm(null, null, here)).toBe(false);
  const over = sampleRequest({ motion: payload, state: "rejected" });
  expect(mayEndAlarm(restore, null, { ...here, stored: over })).toBe(false);
  const drill: Motion = { verb: "DRILL", change: { vault: "Treasury-1" } };
  expect(mayEndAlarm(checked(drill, sampleMotion(drill)), null, here)).toBe(false);
});
