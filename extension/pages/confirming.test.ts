import { expect, test } from "vitest";
import type { DeviceOutcome } from "../devices/device.ts";
import { createConfirmation, type Ports, type Signed, type Stage, type Stop } from "./confirming.ts";

const SIGNED: Signed = { address: "0xA", signature: "0xS" };
const DEVICE = { vendor: "Ledger" as const, model: "flex" as const, appVersion: "1.22.0" };

/** A confirmation whose device answers when the test says so. */
function setUp(changes: Partial<Ports> = {}) {
  const stages: Stage[] = [];
  const calls: string[] = [];
  const device = Promise.withResolvers<Signed>();
  const confirmation = createConfirmation(
    {
      sign: async (_vendor, onAsk) => {
        calls.push("sign");
        onAsk(DEVICE);
        return await device.promise;
      },
      approve: async () => void calls.push("approve"),
      withdraw: async () => void calls.push("withdraw"),
      explain: (error) => ({ code: "code", sentence: String(error), action: "" }),
      patience: () => () => undefined,
      ...changes,
    },
    (stage) => stages.push(stage),
  );
  return { confirmation, stages, calls, device };
}

test("connecting, asking, keeping, kept", async () => {
  const { confirmation, stages, calls, device } = setUp();
  const done = confirmation.start("Ledger");
  device.resolve(SIGNED);
  await done;
  expect(stages.map((stage) => stage.at)).toEqual(["connecting", "asking", "keeping", "kept"]);
  expect(stages[1]).toEqual({ at: "asking", device: DEVICE });
  expect(calls).toEqual(["sign", "approve"]);
});

test("a second click while the device asks sends no second prompt", async () => {
  const { confirmation, calls, device } = setUp();
  const done = [confirmation.start("Ledger"), confirmation.start("Ledger"), confirmation.start("Ledger")];
  device.resolve(SIGNED);
  await Promise.all(done);
  expect(calls).toEqual(["sign", "approve"]);
});

test("declined on the device: one sentence, and it can be asked again", async () => {
  const { confirmation, stages, calls, device } = setUp();
  const done = confirmation.start("Ledger");
  device.reject(new Error("declined"));
  await done;
  expect(stages.at(-1)).toEqual({
    at: "stopped",
    stop: { code: "code", sentence: "Error: declined", action: "" },
  });
  await confirmation.start("Ledger");
  expect(calls).toEqual(["sign", "sign"]);
});

test("cancelled while the device asks: the late signature is thrown away", async () => {
  const { confirmation, stages, calls, device } = setUp();
  const done = confirmation.start("Ledger");
  await confirmation.cancel();
  expect(stages.at(-1)).toEqual({ at: "withdrawn", vendor: "Ledger", device: "asking" });
  device.resolve(SIGNED);
  await done;
  expect(stages.at(-1)).toEqual({ at: "withdrawn", vendor: "Ledger", device: "signed" });
  await confirmation.start("Ledger");
  expect(calls).toEqual(["sign", "withdraw"]);
});

test("a signature that arrives while the withdrawal is being stored is thrown away, too", async () => {
  const stored = Promise.withResolvers<void>();
  const { confirmation, calls, device } = setUp({ withdraw: async () => await stored.promise });
  const done = confirmation.start("Ledger");
  const cancelled = confirmation.cancel();
  device.resolve(SIGNED);
  await done;
  stored.resolve();
  await cancelled;
  expect(calls).toEqual(["sign"]);
});

const ended = (outcome: DeviceOutcome): Stop => ({
  code: outcome,
  sentence: "",
  action: "",
  device: { vendor: "Ledger", outcome, detail: "" },
});

test.each([
  ["rejected on the device: nothing was signed", ended("declined"), "declined"],
  ["unplugged: it may still ask, and may have signed", ended("unplugged"), "unknown"],
  ["taken back here, before the device has answered", ended("cancelled"), "unknown"],
  ["a signature that is of something else", { code: "ERR_APPROVAL_SIGNATURE", sentence: "", action: "" }, "unknown"],
] as const)("cancelled, then %s", async (_what, stop, said) => {
  const { confirmation, stages, device } = setUp({ explain: () => stop });
  const done = confirmation.start("Ledger");
  await confirmation.cancel();
  device.reject(new Error("over"));
  await done;
  expect(stages.at(-1)).toEqual({ at: "withdrawn", vendor: "Ledger", device: said });
});

test("there is nothing to cancel before the device asks, or after it signed", async () => {
  const { confirmation, calls, device } = setUp();
  await confirmation.cancel();
  const done = confirmation.start("Ledger");
  device.resolve(SIGNED);
  await done;
  await confirmation.cancel();
  expect(calls).toEqual(["sign", "approve"]);
});

test("an approval that cannot be stored says why", async () => {
  const { confirmation, stages, device } = setUp({ approve: async () => await Promise.reject(new Error("no space")) });
  const done = confirmation.start("Ledger");
  device.resolve(SIGNED);
  await done;
  expect(stages.at(-1)).toMatchObject({ at: "stopped", stop: { sentence: "Error: no space" } });
});

const LATE: Stop = { code: "timed-out", sentence: "Nobody answered.", action: "" };
const LOCKED: Stop = {
  code: "locked",
  sentence: "It is locked.",
  action: "",
  device: { vendor: "Ledger", outcome: "locked", detail: "" },
};

test("nobody answers for long: it is said, nothing is sent again, and a late answer counts", async () => {
  let late = (_stop: Stop): void => undefined;
  let ended = 0;
  const { confirmation, stages, calls, device } = setUp({
    patience: (_vendor, tell) => {
      late = tell;
      return () => void (ended += 1);
    },
  });
  const done = confirmation.start("Ledger");
  late(LATE);
  expect(stages.at(-1)).toEqual({ at: "overdue", device: DEVICE, stop: LATE });
  await confirmation.start("Ledger");
  expect(calls).toEqual(["sign"]);
  device.resolve(SIGNED);
  await done;
  expect(calls).toEqual(["sign", "approve"]);
  expect(ended).toBe(1);
  late(LATE);
  expect(stages.at(-1)).toEqual({ at: "kept" });
});

test("overdue, then cancelled: the late signature is thrown away, and what can be taken back is", async () => {
  const taken: boolean[] = [];
  let late = (_stop: Stop): void => undefined;
  const device = Promise.withResolvers<Signed>();
  const { confirmation, stages, calls } = setUp({
    sign: async (_vendor, onAsk, signal) => {
      signal.addEventListener("abort", () => taken.push(true));
      onAsk(DEVICE);
      return await device.promise;
    },
    patience: (_vendor, tell) => {
      late = tell;
      return () => undefined;
    },
  });
  const done = confirmation.start("Ledger");
  late(LATE);
  await confirmation.cancel();
  device.resolve(SIGNED);
  await done;
  expect(stages.at(-1)).toEqual({ at: "withdrawn", vendor: "Ledger", device: "signed" });
  expect([taken, calls]).toEqual([[true], ["withdraw"]]);
});

test("what a look finds changes the sentence, and never asks", async () => {
  const { confirmation, stages, calls, device } = setUp({ explain: () => LOCKED });
  confirmation.found("Ledger", LOCKED);
  expect(stages).toEqual([]);
  const done = confirmation.start("Ledger");
  // Between the click and the answer a look has no say.
  confirmation.found("Ledger", null);
  device.reject(new Error("locked"));
  await done;
  confirmation.found("Trezor", null);
  expect(stages.at(-1)).toEqual({ at: "stopped", stop: LOCKED });
  confirmation.found("Ledger", null);
  expect(stages.at(-1)).toEqual({ at: "ready", after: "Ledger" });
  confirmation.found("Ledger", LOCKED);
  expect(stages.at(-1)).toEqual({ at: "stopped", stop: LOCKED });
  expect(calls).toEqual(["sign"]);
});
