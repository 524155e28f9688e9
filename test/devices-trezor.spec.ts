/** The shared suite on a Trezor One and on a Safe, in real Chromium with the built extension and the real client library. */
import { afterAll, beforeAll } from "vitest";
import { makeStage, type Stage } from "./harness/approval-device.ts";
import { openTrezorDevice } from "./harness/approval-trezor.ts";
import { drivesEveryOutcome } from "./harness/every-outcome.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await makeStage();
});
afterAll(async () => await stage?.world.dispose());

drivesEveryOutcome(
  "Trezor One",
  "Dave",
  () => stage,
  async () => await openTrezorDevice("T1B1"),
);
drivesEveryOutcome(
  "Trezor Safe",
  "Erin",
  () => stage,
  async () => await openTrezorDevice("T3B1"),
);
