/**
 * A power cut for a program that was killed: a killed program loses nothing that it wrote, synced or not, so what was never synced is
 * taken back here. Without it a record that never called fsync would pass every kill. Compiles power.c, which keeps the notes.
 */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("power.c", import.meta.url));
const HEAD = 24;

export class Power {
  readonly #library: string;
  readonly #folder: string;
  readonly #data: string;
  readonly #prefix: string;

  /** `folder`: of the test's, for library and notes. `prefix`: what the files' names in the folder `data` begin with. */
  constructor(folder: string, data: string, prefix: string) {
    this.#folder = folder;
    this.#data = realpathSync(data);
    this.#prefix = prefix;
    this.#library = join(folder, "power.so");
    execFileSync("gcc", ["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", this.#library, SOURCE, "-ldl"]);
  }

  /** For the program. Other libraries that are preloaded already stand behind this one. */
  env(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
    const others = env["LD_PRELOAD"];
    return {
      ...env,
      LD_PRELOAD: others === undefined ? this.#library : `${this.#library}:${others}`,
      POWER_FILES: join(this.#data, this.#prefix),
      POWER_NOTES: join(this.#folder, "notes-"),
    };
  }

  /** Takes back what was not synced. The program must have ended. Returns how many writes. */
  cut(): number {
    let taken = 0;
    for (const name of this.#notes()) {
      // SQLite has removed what it needs no more.
      if (!existsSync(join(this.#data, name))) continue;
      const file = openSync(join(this.#data, name), "r+");
      for (const { at, size, bytes } of notesIn(readFileSync(join(this.#folder, `notes-${name}`))).toReversed()) {
        writeSync(file, bytes, 0, bytes.length, at);
        ftruncateSync(file, size);
        taken += 1;
      }
      closeSync(file);
    }
    this.forget();
    return taken;
  }

  /** No power cut this time: what was written stays. */
  forget(): void {
    for (const name of this.#notes()) rmSync(join(this.#folder, `notes-${name}`));
  }

  #notes(): string[] {
    return readdirSync(this.#folder)
      .filter((name) => name.startsWith("notes-"))
      .map((name) => name.slice("notes-".length));
  }
}

/** Notes of writes, oldest first. One that the kill cut short tells of a write that was not made. */
function notesIn(data: Buffer): { at: number; size: number; bytes: Buffer }[] {
  const found: { at: number; size: number; bytes: Buffer }[] = [];
  for (let from = 0; from + HEAD <= data.length; ) {
    const [at, size, length] = [0, 8, 16].map((offset) => Number(data.readBigUInt64LE(from + offset)));
    const end = from + HEAD + (length ?? 0);
    if (end > data.length) break;
    found.push({ at: at ?? 0, size: size ?? 0, bytes: data.subarray(from + HEAD, end) });
    from = end;
  }
  return found;
}
