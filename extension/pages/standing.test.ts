import { expect, test } from "vitest";
import type { RequestState } from "../../protocol/message.ts";
import { NOW, sampleMine, sampleRecord, sampleRequest } from "./sample-request.ts";
import { isAlarming, standingOf } from "./standing.ts";

const approvedBy = (...people: string[]) => people.map((person) => sampleRecord("approval", person));

test("a fresh request waits for everybody and may be decided", () => {
  const standing = standingOf(sampleRequest(), "alice", NOW);
  expect(standing).toMatchObject({
    state: "pending",
    open: true,
    stillNeeded: 2,
    waitingFor: ["alice", "bob", "dave"],
    mayApprove: true,
    mayReject: true,
    sentence: "2 more approvals are needed, from you, bob or dave.",
  });
});

test("the last approval is named as the one that signs", () => {
  const request = sampleRequest({ state: "pending", records: approvedBy("bob") });
  expect(standingOf(request, "alice", NOW).sentence).toBe("Your approval signs it: one more is needed.");
  expect(standingOf(request, "bob", NOW).sentence).toBe("One more approval signs it: alice or dave.");
});

test("where everybody who is left is needed, they are named together", () => {
  const request = sampleRequest({ state: "pending", records: [sampleRecord("withdrawal", "alice")] });
  expect(standingOf(request, "alice", NOW).sentence).toBe("2 more approvals are needed, from bob and dave.");
});

test("people are counted once", () => {
  const request = sampleRequest({ state: "pending", records: approvedBy("bob", "bob") });
  expect(standingOf(request, "alice", NOW).stillNeeded).toBe(1);
});

test("an approval on its way is neither counted nor asked for again", () => {
  const standing = standingOf(sampleRequest({ mine: [sampleMine("approval")] }), "alice", NOW);
  expect(standing).toMatchObject({ did: "approved", mayApprove: false, mayReject: true, stillNeeded: 2 });
  expect(standing.sentence).toBe(
    "Your approval is on its way; after it, one more approval is needed, from bob or dave.",
  );
});

test("who withdrew cannot approve any more, and is not waited for", () => {
  const standing = standingOf(sampleRequest({ mine: [sampleMine("withdrawal")] }), "alice", NOW);
  expect(standing).toMatchObject({ did: "withdrew", mayApprove: false, waitingFor: ["bob", "dave"] });
  const two = sampleRequest({
    state: "pending",
    records: ["bob", "dave"].map((one) => sampleRecord("withdrawal", one)),
  });
  expect(standingOf(two, "alice", NOW).sentence).toBe(
    "Too few people are left who could approve it: it will expire. It can be proposed again.",
  );
});

test("who is not among the people decides nothing", () => {
  expect(standingOf(sampleRequest(), "carol", NOW)).toMatchObject({ mayApprove: false, mayReject: false });
});

test("a refused approval shows its sentence; it is final or may be tried again, by its code", () => {
  const refused = (code: string) =>
    standingOf(sampleRequest({ mine: [sampleMine("approval", { refusal: { code, message: "No." } })] }), "alice", NOW);
  expect(refused("ERR_APPROVAL_DUPLICATE")).toMatchObject({ mayApprove: false, refusal: { message: "No." } });
  expect(refused("ERR_APPROVAL_SIGNATURE")).toMatchObject({ mayApprove: true, did: "nothing" });
});

test("a problem takes the approve button and leaves reject", () => {
  const problem = { code: "ERR_REQUEST_DIFFERS", message: "It differs." };
  expect(standingOf(sampleRequest({ problem }), "alice", NOW)).toMatchObject({ mayApprove: false, mayReject: true });
  expect(isAlarming(problem)).toBe(true);
  expect(isAlarming({ code: "ERR_APPROVAL_INITIATOR", message: "" })).toBe(false);
  expect(isAlarming(null)).toBe(false);
});

test("time ends what waits, even before the agent says so", () => {
  const request = sampleRequest({ payload: { exp: NOW } });
  expect(standingOf(request, "alice", NOW)).toMatchObject({ state: "expired", open: false, mayApprove: false });
  // A bridge may keep back the receipt that says that it was signed.
  for (const waiting of [request, sampleRequest({ payload: { exp: NOW }, state: "pending" })]) {
    const { sentence } = standingOf(waiting, "alice", NOW);
    expect(sentence).toMatch(/^Its time was up on .*how it ended is not known here/);
    expect(sentence).toMatch(/Ask your operator before carol proposes it again\.$/);
    expect(sentence).not.toContain("Nothing was signed");
  }
  const signed = sampleRequest({ payload: { exp: NOW }, state: "signed" });
  expect(standingOf(signed, "alice", NOW).state).toBe("signed");
});

test("until the HSM has signed a stop still wins, and so it can be given: a frozen vault may wait for days", () => {
  const records = approvedBy("alice", "bob");
  const approved = sampleRequest({ state: "approved", records });
  for (const me of ["alice", "dave"])
    expect(standingOf(approved, me, NOW)).toMatchObject({
      state: "approved",
      open: false,
      mayApprove: false,
      mayReject: true,
      sentence: "Enough people have approved; the HSM signs it next.",
    });
  for (const me of ["carol", "erin"]) expect(standingOf(approved, me, NOW).mayReject).toBe(false);
  const rejected = sampleRequest({ state: "approved", records, mine: [sampleMine("rejection")] });
  expect(standingOf(rejected, "alice", NOW)).toMatchObject({
    mayReject: false,
    sentence: "Your rejection ends it, if the agent has it before the HSM signs.",
  });
});

test("what enough people approved is not said to be signed next once its time is up, nor to have lacked approvals", () => {
  const records = approvedBy("alice", "bob");
  const late = standingOf(sampleRequest({ payload: { exp: NOW }, state: "approved", records }), "alice", NOW);
  expect(late).toMatchObject({ state: "expired", open: false, mayApprove: false, mayReject: false });
  expect(late.sentence).toMatch(/^Its time was up on .*how it ended is not known here.*Ask your operator/);
  const told = standingOf(sampleRequest({ payload: { exp: NOW }, state: "expired", records }), "alice", NOW);
  expect(told.sentence).toMatch(/^It expired on .* before a signed transaction was handed out; carol can propose/);
  expect(told.sentence).not.toContain("before enough people approved");
});

test.each<[RequestState, RegExp]>([
  ["signed", /The HSM has signed it\. carol can now send it/],
  ["rejected", /^Rejected by bob: wrong amount\. Nothing was signed\.$/],
  ["cancelled", /^Cancelled by carol/],
  ["expired", /^It expired on .* carol can propose it again\.$/],
  ["void", /policy or the people changed/],
  ["failed", /could not sign it/],
])("%s ends in one sentence and no button", (state, sentence) => {
  const records = [sampleRecord("rejection", "bob", { reason: "wrong-amount" })];
  const standing = standingOf(sampleRequest({ state, records }), "alice", NOW);
  expect(standing.sentence).toMatch(sentence);
  expect(standing).toMatchObject({ state, open: false, mayApprove: false, mayReject: false });
});

test("a list does not say that somebody approved without saying that it was not received", () => {
  const words = (kind: "approval" | "rejection" | "withdrawal", received: boolean, now = NOW) =>
    standingOf(sampleRequest({ mine: [sampleMine(kind, { received })] }), "alice", now).didWords;
  expect(words("approval", false)).toBe("you approved, not received yet");
  expect(words("approval", false, NOW + 7200)).toBe("you approved, not received");
  expect(words("approval", true)).toBe("you approved");
  expect(words("rejection", false)).toBe("you rejected, not received yet");
  expect(words("withdrawal", true)).toBe("you withdrew");
  expect(standingOf(sampleRequest(), "alice", NOW).didWords).toBe("");
  // By another browser of theirs.
  const elsewhere = sampleRequest({ state: "pending", records: [sampleRecord("approval", "alice")] });
  expect(standingOf(elsewhere, "alice", NOW).didWords).toBe("you approved");
});

const EACH = [
  { vendor: "Ledger", atLeast: 1 },
  { vendor: "Trezor", atLeast: 1 },
] as const;

test("a quorum of different vendors: the sentence says which kind is still needed", () => {
  const quorum = { threshold: 2, people: ["alice", "bob", "dave"], vendors: [...EACH] };
  const sentence = (me: string, ...records: ReturnType<typeof sampleRecord>[]) =>
    standingOf(sampleRequest({ payload: { quorum }, state: "pending", records }), me, NOW);
  const on = (vendor: "Ledger" | "Trezor", person: string) => sampleRecord("approval", person, { vendor });
  expect(sentence("alice").sentence).toBe(
    "2 more approvals are needed, on a Ledger and a Trezor, from you, bob or dave.",
  );
  expect(sentence("bob", on("Ledger", "bob")).sentence).toBe("One more approval signs it, on a Trezor: alice or dave.");
  expect(sentence("alice", on("Ledger", "bob")).sentence).toBe(
    "Your approval on a Trezor signs it: one more is needed.",
  );
  // Two of one kind are enough people, and not enough.
  expect(sentence("bob", on("Ledger", "bob"), on("Ledger", "dave"))).toMatchObject({
    sentence: "One more approval signs it, on a Trezor: alice.",
    stillNeeded: 1,
    stillNeededOn: [{ vendor: "Trezor", atLeast: 1 }],
  });
  const mine = [sampleMine("approval", { vendor: "Ledger" })];
  expect(standingOf(sampleRequest({ payload: { quorum }, mine }), "alice", NOW).sentence).toBe(
    "Your approval is on its way; after it, one more approval is needed, on a Trezor, from bob or dave.",
  );
});
