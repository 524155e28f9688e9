/** Every target for a moment: as many inputs as take about a minute in all. The million is `npm run fuzz`. */
import { expect, test } from "vitest";
import { runTarget } from "./engine.ts";
import { ENTRIES, shares } from "./targets.ts";

const INPUTS = 60_000;
/** Always the same: what fails here fails again. */
const SEED = 20_261_122;

/** The engine's watch is for what hangs; this is far beyond it. Milliseconds. */
const PATIENCE = 900_000;

test.each(ENTRIES)("$name", { timeout: PATIENCE }, async ({ name }) => {
  const inputs = shares(INPUTS).get(name) ?? 0;
  const { findings, accepted, refused } = await runTarget(name, SEED, 0, inputs);
  expect(findings).toEqual([]);
  expect(accepted + refused).toBe(inputs);
  // A target that never accepts anything fuzzes its own mistakes.
  expect(accepted).toBeGreaterThan(0);
  expect(refused).toBeGreaterThan(0);
});
