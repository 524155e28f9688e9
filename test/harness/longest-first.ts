/**
 * In which order files of tests are run: those that are known to last begin first, so that no worker is left with a long one at the end.
 * Vitest itself goes by the last run, or, on a machine that has seen none, by the sizes of files: a long spec may be a few lines.
 * A list that is out of date costs time and nothing else.
 */
import { sep } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The longest first; whatever is not here comes after them, as Vitest orders it. */
const LONG = [
  "test/redteam/disk.spec.ts",
  "test/firefox.spec.ts",
  "test/redteam/computer.spec.ts",
  "test/devices-ledger.spec.ts",
  "test/devices-trezor.spec.ts",
  "test/crash.spec.ts",
  "test/redteam/bridge.spec.ts",
  "test/endurance.spec.ts",
  "test/redteam/log.spec.ts",
  "test/endings.spec.ts",
  "test/governance.spec.ts",
  "test/accessibility.spec.ts",
  "test/redteam/clock.spec.ts",
  "test/redteam/people.spec.ts",
  "test/hostile-bridge.spec.ts",
  "test/hostile-bridge-approvals.spec.ts",
  "test/soak.spec.ts",
  "hsm-agent/hsm/check.test.ts",
  "hsm-agent/hsm/loss.test.ts",
  "test/fuzz/fuzz.test.ts",
  "hsm-agent/cli-hsm.test.ts",
  "hsm-agent/hsm/owner.test.ts",
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // Sorting is stable, and groups stay apart: of each only the order inside changes.
    return (await super.sort(files)).sort((a, b) => groupOf(a) - groupOf(b) || placeOf(a) - placeOf(b));
  }
}

function groupOf({ project }: TestSpecification): number {
  return project.config.sequence.groupOrder;
}

function placeOf({ moduleId }: TestSpecification): number {
  const file = moduleId.split(sep).join("/");
  const at = LONG.findIndex((name) => file.endsWith(`/${name}`));
  return at < 0 ? LONG.length : at;
}
