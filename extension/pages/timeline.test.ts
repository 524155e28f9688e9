import { expect, test } from "vitest";
import { NOW, sampleMine, sampleMotion, sampleRecord, sampleRequest } from "./sample-request.ts";
import { standingOf } from "./standing.ts";
import { approvalSteps, deliverySteps, isHeldBack, type Post } from "./timeline.ts";

type Sample = ReturnType<typeof sampleRequest>;

/** All that is not received waits to be sent. */
function post({ mine, payload }: Sample, change: Partial<Post> = {}): Post {
  const outbox = mine.filter((one) => !one.received).map(({ jti }) => ({ jti, exp: payload.exp }));
  return { online: true, outbox, alarmed: false, ...change };
}

function steps(request: Sample, online = true, now = NOW) {
  return approvalSteps(request, standingOf(request, "alice", now), post(request, { online }), now).map(
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
  const late = approvalSteps(request, standingOf(request, "alice", NOW + 10), post(request), NOW + 10)[1];
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
  expect(approvalSteps(request, standingOf(request, "alice", NOW), post(request), NOW)[3]?.value).toBe(hash);
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
  expect(deliverySteps(request, post(request), NOW).map((step) => step.state)).toEqual(["late", "now"]);
  const received = sampleRequest({ mine: [sampleMine("rejection", { received: true })] });
  expect(deliverySteps(received, post(received), NOW)[0]).toMatchObject({
    state: "done",
    label: "Received by the agent",
  });
});

test("what is not sent any more is not said to be: it has expired, in the outbox or out of it", () => {
  const mine = [sampleMine("approval"), sampleMine("rejection", { jti: "B".repeat(22) })];
  const request = sampleRequest({ mine });
  const { exp } = request.payload;
  const rejection = { jti: "B".repeat(22), exp: exp + 3600 };
  const told = (outbox: Post["outbox"], now: number) => {
    const given = post(request, { outbox });
    return [
      ...approvalSteps(request, standingOf(request, "alice", now), given, now).slice(1, 2),
      ...deliverySteps(request, given, now),
    ];
  };
  const gone = {
    state: "late",
    label: "Not received",
    detail: expect.stringContaining("is not sent any more") as unknown,
  };
  const waits = { state: "late", label: "Not received yet" };
  expect(told([{ jti: "A".repeat(22), exp }, rejection], exp - 1)).toMatchObject([waits, waits]);
  expect(told([{ jti: "A".repeat(22), exp }, rejection], exp)).toMatchObject([gone, waits]);
  expect(told([rejection], exp + 3599)).toMatchObject([gone, waits]);
  expect(told([], exp + 3600)).toMatchObject([gone, gone]);
  expect(told([], exp + 3600).map(({ detail }) => detail.includes("sent again"))).toEqual([false, false]);
});

test("an approval that an alarm holds back is not said to be on its way; a stop is, and what ends the alarm", () => {
  const mine = [sampleMine("approval", { at: NOW - 60 }), sampleMine("rejection")];
  const request = sampleRequest({ mine });
  const alarmed = post(request, { alarmed: true });
  const [, held] = approvalSteps(request, standingOf(request, "alice", NOW), alarmed, NOW);
  expect(held).toMatchObject({ state: "late", label: "Held back" });
  expect(held?.detail).not.toContain("sent again");
  expect(deliverySteps(request, alarmed, NOW)).toMatchObject([{ label: "Sent, waiting for the agent's receipt" }]);
  const change = { log: { size: 4, root: "ab".repeat(32) }, seen: null, nonces: [] };
  const ending = sampleRequest({ mine, motion: sampleMotion({ verb: "RESTORE", change }) });
  expect([isHeldBack(request, alarmed), isHeldBack(request, post(request))]).toEqual([true, false]);
  const received = sampleRequest({ mine: [sampleMine("approval", { received: true })] });
  const undone = sampleRequest({ mine: [sampleMine("approval", { refusal: { code: "ERR_LOG", message: "" } })] });
  for (const one of [sampleRequest(), received, undone, ending]) expect(isHeldBack(one, alarmed)).toBe(false);
  const [, sent] = approvalSteps(ending, standingOf(ending, "alice", NOW), alarmed, NOW);
  expect(sent).toMatchObject({ label: "Not received yet" });
  expect(sent?.detail).toMatch(/While the alarm stands .*: ask your operator whether it has arrived\.$/);
});
