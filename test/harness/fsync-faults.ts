/**
 * A disk that fails when a test says so: compiles fsync-faults.c and steers it. For programs that a test starts; it does nothing to the
 * test's own process. A process that is killed loses nothing that it wrote, synced or not: power cuts are not simulated.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("fsync-faults.c", import.meta.url));

/** `count` calls fail after `after` calls that succeed; all of them where it is "all". */
export interface DiskFault {
  /** fsync and fdatasync, or write and pwrite. */
  readonly call: "sync" | "write";
  readonly error: "EIO" | "ENOSPC";
  readonly count: number | "all";
  readonly after: number;
}

export class FaultyDisk {
  readonly #library: string;
  readonly #trigger: string;
  readonly #under: string;
  #settings = 0;

  /** `folder`: an empty folder of the test's for library and trigger. `under`: the file that fails, or the folder all files of which do. */
  constructor(folder: string, under: string) {
    this.#library = join(folder, "fsync-faults.so");
    this.#trigger = join(folder, "trigger");
    this.#under = under;
    execFileSync("gcc", ["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", this.#library, SOURCE, "-ldl"]);
  }

  /** For the program that is to meet the faults, and for the programs that it starts. */
  env(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
    // What is not there yet has no links in it but those of its folder.
    const under = join(realpathSync(join(this.#under, "..")), this.#under.slice(this.#under.lastIndexOf("/") + 1));
    return { ...env, LD_PRELOAD: this.#library, FAULTS_TRIGGER: this.#trigger, FAULTS_UNDER: under };
  }

  /** From now on; in every program that meets it the calls are counted from 0. */
  fail({ call, error, count, after }: DiskFault): void {
    this.#settings += 1;
    const line = `${call} ${constants.errno[error]} ${count === "all" ? -1 : count} ${after} ${this.#settings}\n`;
    writeFileSync(`${this.#trigger}.new`, line);
    renameSync(`${this.#trigger}.new`, this.#trigger);
  }

  heal(): void {
    rmSync(this.#trigger, { force: true });
  }

  /** The calls that failed so far, as "fdatasync /path". */
  fired(): string[] {
    try {
      return readFileSync(`${this.#trigger}.fired`, "utf8").split("\n").slice(0, -1);
    } catch {
      return [];
    }
  }
}
