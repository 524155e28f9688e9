/** The parent's side of the lanes against lanes that the test plays; with the real ones: owner.test.ts and loss.test.ts. */
import { type Duplex, duplexPair } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { Fault } from "../../protocol/error.ts";
import { encodeAnswer, type LaneAnswer, parseRequests, type Request } from "./lane-wire.ts";
import { Lanes } from "./lanes.ts";

const KEY = "0123456789abcdef".repeat(2);
const DIGEST = new Uint8Array(32).fill(7);
const LONG = 3_600_000;

/** Lanes that start when the test says so, what each was sent, and why the process was to be ended. */
function stage(count: number, depth: number) {
  const pairs = Array.from({ length: count }, () => duplexPair());
  const sent: Request[][] = pairs.map(() => []);
  const failed: Fault[] = [];
  const starts: (() => void)[] = [];
  const refusals: (() => void)[] = [];
  const begun: number[] = [];
  for (const [at, [, lane]] of pairs.entries()) {
    lane.on("data", (data: Buffer) => sent[at]?.push(...(parseRequests(data)?.frames ?? [])));
  }
  const lanes = new Lanes({
    pipes: pairs.map(([parent]) => parent),
    depth,
    begin: (lane) =>
      new Promise<void>((resolve, reject) => {
        begun.push(lane);
        starts[lane] = resolve;
        refusals[lane] = () => reject(new Fault("ERR_INTERNAL", "no thread"));
      }),
    fail: (fault) => {
      failed.push(fault);
      lanes.end(fault);
    },
  });
  const end = (lane: number): Duplex => pairs[lane]?.[1] ?? expect.unreachable();
  return {
    lanes,
    sent,
    failed,
    starts,
    refusals,
    begun,
    say: (lane: number, bytes: Uint8Array) => end(lane).write(bytes),
    answer: (lane: number, answer: LaneAnswer) => end(lane).write(encodeAnswer(answer)),
    sign: () => lanes.sign(KEY, DIGEST, LONG),
  };
}

const turns = async () => {
  for (let n = 0; n < 10; n += 1) await turn();
};
const numberOf = (request: Request | undefined) => request?.number ?? expect.unreachable();
const signature = (fill: number) => new Uint8Array(64).fill(fill);

test("a lane is started for the first request, another where all have work, and each answer finds its asker", async () => {
  const { sign, sent, starts, answer } = stage(2, 4);
  const [first, second] = [sign(), sign()];
  await turns();
  expect([sent[0], starts.length]).toEqual([[], 1]);
  starts[0]?.();
  await turns();
  expect([sent[0]?.length, starts.length]).toEqual([2, 2]);
  expect(sent[0]?.[0]).toMatchObject({ kind: "sign", key: KEY, digest: DIGEST });
  starts[1]?.();
  await turns();
  const third = sign();
  await turns();
  expect([sent[0]?.length, sent[1]?.length]).toEqual([2, 1]);
  answer(1, { number: numberOf(sent[1]?.[0]), kind: "signed", signature: signature(3) });
  answer(0, { number: numberOf(sent[0]?.[1]), kind: "signed", signature: signature(2) });
  const fault = new Fault("ERR_HSM_KEY_MISSING", "gone");
  answer(0, { number: numberOf(sent[0]?.[0]), kind: "failed", fault });
  expect(await third).toEqual(signature(3));
  expect(await second).toEqual(signature(2));
  await expect(first).rejects.toMatchObject({ code: "ERR_HSM_KEY_MISSING", message: "gone" });
});

test("no more than its depth is sent to a lane; the rest goes when there is room", async () => {
  const { sign, sent, starts, answer } = stage(1, 2);
  const asked = Array.from({ length: 5 }, sign);
  starts[0]?.();
  for (let done = 0; done < 5; done += 1) {
    await turns();
    expect(sent[0]).toHaveLength(Math.min(done + 2, 5));
    answer(0, { number: numberOf(sent[0]?.[done]), kind: "signed", signature: signature(done) });
  }
  expect(await Promise.all(asked)).toEqual([0, 1, 2, 3, 4].map(signature));
});

test("reopening asks each lane that runs, and no other", async () => {
  const { lanes, sign, sent, starts, answer } = stage(2, 2);
  const asked = sign();
  starts[0]?.();
  await turns();
  answer(0, { number: numberOf(sent[0]?.[0]), kind: "signed", signature: signature(1) });
  await asked;
  const reopened = lanes.reopen(LONG);
  await turns();
  expect(sent.map((each) => each.map(({ kind }) => kind))).toEqual([["sign", "reopen"], []]);
  answer(0, { number: numberOf(sent[0]?.[1]), kind: "reopened" });
  await expect(reopened).resolves.toBeUndefined();
});

test("a limit that passes ends the process, with all that waits", async () => {
  const { lanes, sign, failed, starts } = stage(1, 1);
  const [late, queued] = [lanes.sign(KEY, DIGEST, 10), sign()];
  starts[0]?.();
  await expect(late).rejects.toMatchObject({ code: "ERR_HSM_TIMEOUT" });
  await expect(queued).rejects.toMatchObject({ code: "ERR_HSM_TIMEOUT" });
  await expect(sign()).rejects.toMatchObject({ code: "ERR_HSM_TIMEOUT" });
  expect(failed).toHaveLength(1);
});

test("where the first lane cannot start the process ends, with all that waits", async () => {
  const { sign, failed, refusals } = stage(2, 1);
  const asked = Promise.allSettled([sign(), sign()]);
  refusals[0]?.();
  const down: unknown = expect.objectContaining({ code: "ERR_HSM_DOWN" });
  expect(await asked).toEqual([
    { status: "rejected", reason: down },
    { status: "rejected", reason: down },
  ]);
  expect(failed).toEqual([down]);
});

test("a further lane that cannot start is not tried again, and takes down nothing that works", async () => {
  const { sign, sent, failed, starts, refusals, begun, answer } = stage(3, 1);
  const asked = Array.from({ length: 4 }, sign);
  starts[0]?.();
  await turns();
  refusals[1]?.();
  for (let done = 0; done < 4; done += 1) {
    await turns();
    answer(0, { number: numberOf(sent[0]?.[done]), kind: "signed", signature: signature(done) });
  }
  expect(await Promise.all(asked)).toEqual([0, 1, 2, 3].map(signature));
  expect([failed, begun]).toEqual([[], [0, 1]]);
});

test.each<[string, (number: number) => Uint8Array]>([
  ["nobody waits for", (number) => encodeAnswer({ number: number + 9, kind: "signed", signature: signature(1) })],
  [
    "comes a second time",
    (number) => {
      const once = encodeAnswer({ number, kind: "signed", signature: signature(1) });
      return Buffer.concat([once, once]);
    },
  ],
  ["does not fit", () => new Uint8Array(64).fill(0xff)],
])("an answer that %s ends the process", async (_, bytes) => {
  const { sign, sent, failed, starts, say } = stage(1, 2);
  const asked = Promise.allSettled([sign(), sign()]);
  starts[0]?.();
  await turns();
  say(0, bytes(numberOf(sent[0]?.[0])));
  const results = await asked;
  expect(results.some(({ status }) => status === "rejected")).toBe(true);
  expect(failed[0]).toMatchObject({ code: "ERR_INTERNAL" });
});

test("a reopening where a signature was asked is no signature", async () => {
  const { sign, sent, starts, answer } = stage(1, 1);
  const asked = sign();
  starts[0]?.();
  await turns();
  answer(0, { number: numberOf(sent[0]?.[0]), kind: "reopened" });
  await expect(asked).rejects.toMatchObject({ code: "ERR_INTERNAL" });
});
