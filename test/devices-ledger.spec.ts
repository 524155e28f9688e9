/** The shared suite on every Ledger, in real Chromium with the built extension. What it drives: harness/outcome-table.ts. */
import { afterAll, beforeAll } from "vitest";
import { makeStage, type Stage } from "./harness/approval-device.ts";
import { openLedger } from "./harness/approval-ledger.ts";
import { drivesEveryOutcome } from "./harness/every-outcome.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await makeStage();
});
afterAll(async () => await stage?.world.dispose());

drivesEveryOutcome(
  "Nano S Plus 1.22.0",
  "Alice",
  () => stage,
  async () => openLedger("nanosp", "1.22.0"),
);
drivesEveryOutcome(
  "Nano S Plus 1.10.4",
  "Bob",
  () => stage,
  async () => openLedger("nanosp", "1.10.4"),
);
drivesEveryOutcome(
  "Flex 1.22.0",
  "Carol",
  () => stage,
  async () => openLedger("flex", "1.22.0"),
);
