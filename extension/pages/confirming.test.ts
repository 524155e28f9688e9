import { expect, test } from "vitest";
import { createConfirmation, type Ports, type Signed, type Stage } from "./confirming.ts";

const SIGNED: Signed = { address: "0xA", signature: "0xS" };
const DEVICE = { model: "flex" as const, appVersion: "1.22.0" };

/** A confirmation whose device answers when the test says so. */
function setUp(changes: Partial<Ports> = {}) {
  const stages: Stage[] = [];
  const calls: string[] = [];
  const device = Promise.withResolvers<Signed>();
  const confirmation = createConfirmation(
    {
      sign: async (onAsk) => {
        calls.push("sign");
        onAsk(DEVICE);
        return await device.promise;
      },
      approve: async () => void calls.push("approve"),
      withdraw: async () => void calls.push("withdraw"),
      explain: (error) => ({ code: "code", sentence: String(error), action: "" }),
      ...changes,
    },
    (stage) => stages.push(stage),
  );
  return { confirmation, stages, calls, device };
}

test("connecting, asking, keeping, kept", async () => {
  const { confirmation, stages, calls, device } = setUp();
  const done = confirmation.start();
  device.resolve(SIGNED);
  await done;
  expect(stages.map((stage) => stage.at)).toEqual(["connecting", "asking", "keeping", "kept"]);
  expect(stages[1]).toEqual({ at: "asking", device: DEVICE });
  expect(calls).toEqual(["sign", "approve"]);
});

test("a second click while the device asks sends no second prompt", async () => {
  const { confirmation, calls, device } = setUp();
  const done = [confirmation.start(), confirmation.start(), confirmation.start()];
  device.resolve(SIGNED);
  await Promise.all(done);
  expect(calls).toEqual(["sign", "approve"]);
});

test("declined on the device: one sentence, and it can be asked again", async () => {
  const { confirmation, stages, calls, device } = setUp();
  const done = confirmation.start();
  device.reject(new Error("declined"));
  await done;
  expect(stages.at(-1)).toEqual({
    at: "stopped",
    stop: { code: "code", sentence: "Error: declined", action: "" },
  });
  await confirmation.start();
  expect(calls).toEqual(["sign", "sign"]);
});

test("cancelled while the device asks: the late signature is thrown away", async () => {
  const { confirmation, stages, calls, device } = setUp();
  const done = confirmation.start();
  await confirmation.cancel();
  expect(stages.at(-1)).toEqual({ at: "withdrawn", device: "asking" });
  device.resolve(SIGNED);
  await done;
  expect(stages.at(-1)).toEqual({ at: "withdrawn", device: "signed" });
  await confirmation.start();
  expect(calls).toEqual(["sign", "withdraw"]);
});

test("a signature that arrives while the withdrawal is being stored is thrown away, too", async () => {
  const stored = Promise.withResolvers<void>();
  const { confirmation, calls, device } = setUp({ withdraw: async () => await stored.promise });
  const done = confirmation.start();
  const cancelled = confirmation.cancel();
  device.resolve(SIGNED);
  await done;
  stored.resolve();
  await cancelled;
  expect(calls).toEqual(["sign"]);
});

test("cancelled, then rejected on the device", async () => {
  const { confirmation, stages, device } = setUp();
  const done = confirmation.start();
  await confirmation.cancel();
  device.reject(new Error("declined"));
  await done;
  expect(stages.at(-1)).toEqual({ at: "withdrawn", device: "declined" });
});

test("there is nothing to cancel before the device asks, or after it signed", async () => {
  const { confirmation, calls, device } = setUp();
  await confirmation.cancel();
  const done = confirmation.start();
  device.resolve(SIGNED);
  await done;
  await confirmation.cancel();
  expect(calls).toEqual(["sign", "approve"]);
});

test("an approval that cannot be stored says why", async () => {
  const { confirmation, stages, device } = setUp({ approve: async () => await Promise.reject(new Error("no space")) });
  const done = confirmation.start();
  device.resolve(SIGNED);
  await done;
  expect(stages.at(-1)).toMatchObject({ at: "stopped", stop: { sentence: "Error: no space" } });
});
