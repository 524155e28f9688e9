import { expect, test } from "vitest";
import { NOW, sampleMine, sampleRecord, sampleRequest } from "./sample-request.ts";
import { standingOf } from "./standing.ts";
import { approvalSteps, deliverySteps } from "./timeline.ts";

function steps(request: ReturnType<typeof sampleRequest>, online = true, now = NOW) {
  return approvalSteps(request, standingOf(request, "alice", now), online, now).map(
    (step) => `${step.state} ${step.label}`,
  );
}

test("nothing before an approval, and nothing for a refused one", () => {
  expect(steps(sampleRequest())).toEqual([]);
  const refusal = { code: "ERR_APPROVAL_DUPLICATE", message: "" };
  expect(steps(sampleRequest({ mine: [sampleMine("approval", { refusal })] }))).toEqual([]);
});

test("sent is no tick; after ten seconds without a receipt the person is told to call", () => {
  const request = sampleRequest({ mine: [sampleMine("approval", { at: NOW })] });
  expect(steps(request)).toEqual([
    "done Signed on your Ledger",
    "now Sent, waiting for the agent's receipt",
    "later Approved by 0 of 2",
    "later Signed by the HSM",
  ]);
  expect(steps(request, false)[1]).toBe("now Kept, waiting for the connection");
  expect(steps(request, true, NOW + 9)[1]).toContain("now");
  const late = approvalSteps(request, standingOf(request, "alice", NOW + 10), true, NOW + 10)[1];
  expect(late).toMatchObject({ state: "late", label: "Not received yet" });
  expect(late?.detail).toContain("sent again by itself; call your operator");
});

test("each tick follows a verified receipt", () => {
  const mine = [sampleMine("approval", { received: true })];
  const one = [sampleRecord("approval", "alice")];
  const two = [...one, sampleRecord("approval", "bob")];
  expect(steps(sampleRequest({ mine, state: "pending", records: one })).slice(1)).toEqual([
    "done Received by the agent",
    "now Approved by 1 of 2",
    "later Signed by the HSM",
  ]);
  expect(steps(sampleRequest({ mine, state: "approved", records: two })).slice(2)).toEqual([
    "done Approved by 2 of 2",
    "now Signed by the HSM",
  ]);
  const hash = `0x${"ab".repeat(32)}`;
  const request = sampleRequest({ mine, state: "signed", records: two, hash });
  expect(steps(request).every((step) => step.startsWith("done"))).toBe(true);
  expect(approvalSteps(request, standingOf(request, "alice", NOW), true, NOW)[3]?.value).toBe(hash);
});

test("nothing is promised once it is over without a signature", () => {
  const mine = [sampleMine("approval", { received: true })];
  for (const state of ["rejected", "cancelled", "expired", "void", "failed"] as const) {
    expect(steps(sampleRequest({ mine, state, records: [sampleRecord("approval", "alice")] }))).toEqual([
      "done Signed on your Ledger",
      "done Received by the agent",
    ]);
  }
});

test("a withdrawal and a rejection have a receipt of their own", () => {
  const request = sampleRequest({ mine: [sampleMine("withdrawal", { at: NOW - 60 }), sampleMine("rejection")] });
  expect(deliverySteps(request, true, NOW).map((step) => step.state)).toEqual(["late", "now"]);
  const received = sampleRequest({ mine: [sampleMine("rejection", { received: true })] });
  expect(deliverySteps(received, true, NOW)[0]).toMatchObject({ state: "done", label: "Received by the agent" });
});
