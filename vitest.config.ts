import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/harness/longest-first.ts";

/**
 * Two kinds of tests: units beside the code, and specs that start programs, SoftHSM and Chromium, so at most two at once. Two of the
 * units also where there are two processors: Vitest would leave one idle.
 */
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: "unit",
          include: ["{protocol,bridge,hsm-agent,extension,scripts,test}/**/*.test.{ts,tsx,mjs}"],
          globalSetup: "test/harness/compile-cache.ts",
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: Math.max(2, availableParallelism() - 1),
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/**/*.spec.ts"],
          globalSetup: "test/harness/compile-cache.ts",
          testTimeout: 240_000,
          hookTimeout: 240_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
