/** An agent whose machine's clock can be set, as an administrator or a time server would: it alone, nothing else of the world. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface MovableClock {
  /** Runs `make` so that an agent which it starts, and whatever restarts that agent, reads this clock. */
  around<T>(make: () => Promise<T>): Promise<T>;
  /** Sets the agent's clock so many seconds ahead of the others. */
  ahead(seconds: number): void;
  dispose(): void;
}

export function movableClock(): MovableClock {
  const folder = mkdtempSync(join(tmpdir(), "opencustody-clock-"));
  const seconds = join(folder, "seconds");
  const preload = join(folder, "clock.mjs");
  const ahead = (by: number) => writeFileSync(seconds, String(by));
  ahead(0);
  writeFileSync(
    preload,
    `import { readFileSync } from "node:fs";
    if (process.argv.at(-1) === "agent") {
      const real = Date.now;
      Date.now = () => real() + 1000 * Number(readFileSync(${JSON.stringify(seconds)}, "utf8"));
    }`,
  );
  return {
    ahead,
    around: async (make) => {
      const before = process.env["NODE_OPTIONS"];
      process.env["NODE_OPTIONS"] = `${before ?? ""} --import=${preload}`;
      try {
        return await make();
      } finally {
        if (before === undefined) delete process.env["NODE_OPTIONS"];
        else process.env["NODE_OPTIONS"] = before;
      }
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}
