/** Which requests call for this person: as the badge and the notifications count them. */
import { expect, test } from "vitest";
import type { RequestState } from "../protocol/message.ts";
import { NOW, sampleMine, sampleMotion, sampleRecord, sampleRequest, sampleTransfer } from "./pages/sample-request.ts";
import type { StoredRequest } from "./store.ts";
import { isWaiting } from "./waiting.ts";

const STATES: RequestState[] = [
  "proposed",
  "pending",
  "approved",
  "signed",
  "enacted",
  "rejected",
  "cancelled",
  "expired",
  "void",
  "failed",
];
const drill = sampleMotion({ verb: "DRILL", change: { vault: "Treasury-1" } });
const lift = sampleMotion({ verb: "UNFREEZE", change: { vault: null } });
const KINDS: [what: string, make: (state: RequestState) => StoredRequest, waiting: RequestState[]][] = [
  ["a transfer", (state) => sampleTransfer({ state }), ["proposed", "pending"]],
  ["a motion", (state) => sampleRequest({ motion: lift, state }), ["proposed", "pending"]],
  // It is to try every device, also after enough were.
  ["a drill", (state) => sampleRequest({ motion: drill, state }), ["proposed", "pending", "approved"]],
];

test.each(KINDS)("%s waits for who is asked, as long as it is open", (_what, make, waiting) => {
  expect(STATES.filter((state) => isWaiting(make(state), "alice", NOW))).toEqual(waiting);
  for (const stranger of ["carol", "Alice", null]) {
    expect(STATES.filter((state) => isWaiting(make(state), stranger, NOW))).toEqual([]);
  }
  const { exp } = make("pending").payload;
  expect([exp - 1, exp].map((now) => isWaiting(make("pending"), "alice", now))).toEqual([true, false]);
});

test("an approved drill waits for those who have not answered, and for nobody else", () => {
  const records = [
    sampleRecord("approval", "bob"),
    sampleRecord("approval", "dave"),
    sampleRecord("cancellation", "carol"),
  ];
  const approved = sampleRequest({ motion: drill, state: "approved", records });
  expect(["alice", "bob", "dave", "carol"].filter((name) => isWaiting(approved, name, NOW))).toEqual(["alice"]);
  const withdrawn = sampleRecord("withdrawal", "alice");
  expect(isWaiting(sampleRequest({ motion: drill, state: "approved", records: [withdrawn] }), "alice", NOW)).toBe(
    false,
  );
});

test("an answer on its way waits no more, unless the agent refused it", () => {
  const sent = (refusal: { code: "ERR_QUORUM"; message: string } | null) =>
    sampleRequest({ motion: drill, state: "approved", mine: [sampleMine("approval", { refusal })] });
  expect(isWaiting(sent(null), "alice", NOW)).toBe(false);
  expect(isWaiting(sent({ code: "ERR_QUORUM", message: "No." }), "alice", NOW)).toBe(true);
});
