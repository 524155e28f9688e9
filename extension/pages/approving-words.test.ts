import { expect, test } from "vitest";
import type { RequestState } from "../../protocol/message.ts";
import { doubtWords, onlyReading } from "./approving-words.ts";
import { samplePolicy } from "./sample-policy.ts";
import { NOW, sampleMine, sampleMotion, samplePayload, sampleRecord, sampleRequest } from "./sample-request.ts";
import { contradicts, isAlarming, standingOf } from "./standing.ts";
import { approvalSteps } from "./timeline.ts";

const DRILL = sampleMotion({ verb: "DRILL", change: { vault: "Treasury-1" } });
const UNFREEZE = sampleMotion({ verb: "UNFREEZE", change: { vault: null } });
const RECOVERY = { ...UNFREEZE, notBefore: NOW + 3600 };
const byBob = [sampleRecord("approval", "bob")];

test("the last approval is named by what it does", () => {
  const said = (motion: typeof DRILL) =>
    standingOf(sampleRequest({ motion, state: "pending", records: byBob }), "alice", NOW).sentence;
  expect(said(UNFREEZE)).toBe("Your approval puts it in force: one more is needed.");
  expect(said(DRILL)).toBe("Your approval completes the drill: one more is needed.");
});

test.each<[RequestState, typeof DRILL, RegExp]>([
  ["approved", UNFREEZE, /takes effect next/],
  ["enacted", UNFREEZE, /^The freeze is lifted\.$/],
  ["enacted", DRILL, /a quorum can be reached today\. Nothing was moved\.$/],
  ["rejected", UNFREEZE, /Nothing changed\.$/],
  ["cancelled", UNFREEZE, /^Cancelled by carol.*Nothing changed\.$/],
  ["expired", { ...UNFREEZE, initiator: null }, /Nothing changed; the operator can propose it again\.$/],
  ["void", UNFREEZE, /Nothing changed; carol/],
  ["failed", UNFREEZE, /^It could not be put in force/],
])("a change that is %s ends in one sentence", (state, motion, sentence) => {
  const standing = standingOf(sampleRequest({ motion, state }), "alice", NOW);
  expect(standing.sentence).toMatch(sentence);
  expect(standing).toMatchObject({ open: false, mayApprove: false });
});

test("what ended when the agent went back to an older record says so, and that a transfer may have been sent", () => {
  const TRANSFER = samplePayload();
  const said = (request: ReturnType<typeof sampleRequest>, was: RequestState) =>
    standingOf({ ...request, restored: { was } }, "alice", NOW);
  const untold = (state: RequestState) => {
    const request = sampleRequest({ state });
    return { ...request, receipt: request.receipt === null ? null : { ...request.receipt, n: 0 } };
  };
  expect(TRANSFER.initiator).toBe("carol");
  for (const request of [sampleRequest(), untold("approved"), sampleRequest({ state: "void" })]) {
    const { state, open, mayApprove, mayReject, sentence } = said(request, "pending");
    expect([state, open, mayApprove, mayReject]).toEqual(["void", false, false, false]);
    expect(sentence).toMatch(/older record.*may have been signed in between: ask your operator before carol proposes/);
  }
  for (const request of [untold("signed"), sampleRequest({ state: "void" })])
    expect(said(request, "signed").sentence).toMatch(/^The HSM had signed it.*may have been sent.*ask your operator/);
  expect(said(sampleRequest({ motion: UNFREEZE, state: "void" }), "pending").sentence).toMatch(
    /carol can propose it again/,
  );
  // The older record knows that it was handed out.
  expect(said(sampleRequest({ state: "signed" }), "signed")).toMatchObject({ state: "signed" });
});

test("a transfer is not said to be unsigned where what made it void is not known here", () => {
  const request = sampleRequest({ state: "void" });
  const said = (policy: number, people: number) =>
    standingOf(request, "alice", NOW, [], inForceAt(policy, people)).sentence;
  for (const sentence of [standingOf(request, "alice", NOW).sentence, said(17, 3)]) {
    expect(sentence).toMatch(/may have been signed before\. Ask your operator before carol proposes it again\.$/);
    expect(sentence).not.toContain("Nothing was signed");
  }
  for (const sentence of [said(18, 3), said(17, 4)])
    expect(sentence).toMatch(
      /^The policy or the people changed after.*Nothing was signed; carol can propose it again\.$/,
    );
});

test("a list says what expired and void leave open, of a transfer", () => {
  const words = (state: RequestState, changes: Parameters<typeof sampleRequest>[0] = {}) =>
    doubtWords(state, sampleRequest(changes));
  expect([words("expired"), words("expired", { state: "pending" })]).toEqual(["no receipt yet", "no receipt yet"]);
  expect([words("expired", { state: "expired" }), words("void", { state: "void" }), words("signed")]).toEqual(
    Array(3).fill(""),
  );
  expect(doubtWords("void", { ...sampleRequest(), restored: { was: "signed" } })).toBe("may have been signed");
  expect(words("expired", { motion: UNFREEZE })).toBe("");
});

/** Documents of these numbers. */
function inForceAt(policy: number, people: number) {
  return { policy: { ...samplePolicy(), n: policy }, people: { v: 1 as const, n: people, members: [], former: [] } };
}

test("an approved drill asks on, and an approved recovery can be stopped, by any admin as well", () => {
  const records = ["bob", "dave"].map((one) => sampleRecord("approval", one));
  const drill = sampleRequest({ motion: DRILL, state: "approved", records });
  expect(standingOf(drill, "alice", NOW)).toMatchObject({ open: true, mayApprove: true });
  expect(standingOf(drill, "alice", NOW).sentence).toContain("your device is to be tried, too");
  expect(standingOf(drill, "bob", NOW).sentence).toContain("until all have");
  const recovery = sampleRequest({ motion: RECOVERY, state: "approved", records });
  expect(standingOf(recovery, "alice", NOW)).toMatchObject({ open: true, mayApprove: false, mayReject: true });
  expect(standingOf(recovery, "erin", NOW, ["admin"])).toMatchObject({ mayApprove: false, mayReject: true });
  expect(standingOf(recovery, "erin", NOW, ["auditor"]).mayReject).toBe(false);
  expect(standingOf(recovery, "carol", NOW, ["admin"]).mayReject).toBe(false);
});

test("enough approvals of a recovery still wait for its moment", () => {
  const records = ["bob", "dave"].map((one) => sampleRecord("approval", one));
  const request = sampleRequest({ motion: RECOVERY, state: "pending", records });
  expect(standingOf(request, "alice", NOW).sentence).toContain("As a recovery it takes effect at");
  expect(standingOf(request, "alice", NOW + 3601).sentence).toContain("it takes effect next");
});

test("the steps of a change end with it being in force", () => {
  const last = (motion: typeof DRILL, state: RequestState) => {
    const mine = [sampleMine("approval", { received: true })];
    const request = sampleRequest({ motion, state, mine, records: [...byBob, sampleRecord("approval", "alice")] });
    return approvalSteps(
      request,
      standingOf(request, "alice", NOW),
      { online: true, outbox: [], alarmed: false },
      NOW,
    ).at(-1);
  };
  expect(last(UNFREEZE, "enacted")).toMatchObject({ state: "done", label: "In force" });
  expect(last(UNFREEZE, "approved")).toMatchObject({ state: "now", label: "In force" });
  expect(last(DRILL, "enacted")).toMatchObject({ state: "done", label: "Drill done" });
  expect(last(RECOVERY, "approved")?.detail).toMatch(/^Not before /);
});

test("who only reads is told why, without a code", () => {
  expect(onlyReading("ERR_APPROVAL_INITIATOR", UNFREEZE, [])).toContain("You proposed this yourself");
  expect(onlyReading("ERR_APPROVAL_NOT_ELIGIBLE", samplePayload(), ["auditor"])).toMatch(/^You see this as an auditor/);
  expect(onlyReading("ERR_APPROVAL_NOT_ELIGIBLE", UNFREEZE, ["admin"])).toContain("alice, bob, dave");
  expect(onlyReading("ERR_APPROVAL_NOT_ELIGIBLE", RECOVERY, ["admin"])).toContain("as an admin you can stop it");
  expect(onlyReading("ERR_FROZEN", UNFREEZE, [])).toBe("");
});

test("a browser that is behind is no alarm; the same numbers with other documents are", () => {
  const problem = { code: "ERR_CHARTER", message: "Another policy." };
  const inForce = (policy: number, people: number) => ({ policy: { n: policy }, people: { n: people } }) as never;
  expect(isAlarming(problem)).toBe(false);
  expect(contradicts(problem, UNFREEZE, null)).toBe(false);
  expect(contradicts(problem, UNFREEZE, inForce(16, 3))).toBe(false);
  expect(contradicts(problem, UNFREEZE, inForce(17, 4))).toBe(false);
  expect(contradicts(problem, UNFREEZE, inForce(17, 3))).toBe(true);
  expect(contradicts(null, UNFREEZE, inForce(17, 3))).toBe(false);
});
