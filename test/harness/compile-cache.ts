/**
 * Before all tests: a folder in which every Node that a test starts keeps what it has compiled, types stripped, for the next one. The
 * programs are the same, and start in half the time. The folder is this run's own, and goes with it.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const NAME = "NODE_COMPILE_CACHE";
/** These always end by SIGKILL, before Node would keep what it compiled. A lane cannot be loaded alone; by then it is compiled. */
const KILLED = ["child.ts", "lane-wire.ts", "lane.ts"].map(
  (name) => new URL(`../../hsm-agent/hsm/${name}`, import.meta.url),
);
const LOAD = "for (const file of process.argv.slice(1)) await import(file).catch(() => undefined);";

/** Names the folder in the environment that workers and their programs inherit; returns what removes it. One that is named stays. */
export default function setup(): () => void {
  if (process.env[NAME] !== undefined) return () => undefined;
  const folder = mkdtempSync(join(tmpdir(), "opencustody-compiled-"));
  process.env[NAME] = folder;
  execFileSync(process.execPath, ["--input-type=module", "--eval", LOAD, ...KILLED.map(String)]);
  const remove = () => rmSync(folder, { recursive: true, force: true });
  // Also where the run is interrupted, and nothing is torn down.
  process.once("exit", remove);
  return () => {
    delete process.env[NAME];
    process.off("exit", remove);
    remove();
  };
}
