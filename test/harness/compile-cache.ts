/**
 * Before all tests: a folder in which every Node that a test starts keeps what it has compiled, types stripped, for the next one. The
 * programs are the same, and start in half the time. The folder is this run's own, and goes with it.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const NAME = "NODE_COMPILE_CACHE";

/** Names the folder in the environment that workers and their programs inherit; returns what removes it. One that is named stays. */
export default function setup(): () => void {
  if (process.env[NAME] !== undefined) return () => undefined;
  const folder = mkdtempSync(join(tmpdir(), "opencustody-compiled-"));
  process.env[NAME] = folder;
  const remove = () => rmSync(folder, { recursive: true, force: true });
  // Also where the run is interrupted, and nothing is torn down.
  process.once("exit", remove);
  return () => {
    delete process.env[NAME];
    process.off("exit", remove);
    remove();
  };
}
