import { defineConfig } from "vitest/config";

/** Two kinds of tests: units beside the code, and specs that start programs, SoftHSM and Chromium, so at most two at once. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["{protocol,bridge,hsm-agent,extension,scripts,test}/**/*.test.{ts,tsx,mjs}"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/**/*.spec.ts"],
          testTimeout: 240_000,
          hookTimeout: 240_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
