/** Programs that the benches measure by: raw C_Sign (raw-sign.c) and whatever answers line by line. No part of the product. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ROOT } from "../harness/program.ts";
import { makeSoftHsm, type SoftHsm } from "../softhsm.ts";

/** A loop around C_Sign on a token of its own. */
export interface Raw {
  /** Signatures for each second of CPU, of one thread that signs for so many milliseconds. */
  perCpuSecond(milliseconds: number): Promise<number>;
  end(): Promise<void>;
}

/** In a folder under `parent`. Throws a sentence that names the program that is missing. */
export async function openRaw(parent: string): Promise<Raw> {
  const folder = mkdtempSync(join(parent, "raw-"));
  const token = makeSoftHsm("raw", folder);
  const { module, tokenLabel, pin, env } = token;
  const maker = start(process.execPath, [join(ROOT, "hsm-agent/testing-signing.ts")], token);
  const options = { module, token: { label: tokenLabel }, pin, env };
  const { id } = JSON.parse(await maker.ask(JSON.stringify({ options, id: null, keys: 1 }))) as { id: string };
  await maker.end();
  const loop = start(compile(folder), [module, tokenLabel, id, "1"], token);
  loop.say(pin);
  return {
    perCpuSecond: async (milliseconds) => {
      const before = loop.cpuSeconds();
      const [signatures = Number.NaN] = (await loop.ask(`${milliseconds}`)).split(" ").map(Number);
      return signatures / (loop.cpuSeconds() - before);
    },
    end: async () => {
      await loop.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Compiles the loop into `folder`; returns the program. Throws a sentence that names what is missing. */
export function compile(folder: string): string {
  const program = join(folder, "raw-sign");
  const source = join(import.meta.dirname, "raw-sign.c");
  try {
    execFileSync("gcc", ["-O2", "-pthread", "-o", program, source, "-ldl"], { stdio: ["ignore", "ignore", "pipe"] });
  } catch (cause) {
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    throw new Error(
      isMissing
        ? "gcc is not installed, and the raw loop is compiled with it. Install the package gcc (Debian, Ubuntu: apt install gcc libc6-dev)."
        : "The raw loop does not compile; are the C library's headers installed (Debian, Ubuntu: libc6-dev)?",
      { cause },
    );
  }
  return program;
}

export interface Started {
  say(line: string): void;
  /** Seconds of CPU so far. */
  cpuSeconds(): number;
  /** The next line after this one. */
  ask(line: string): Promise<string>;
  end(): Promise<void>;
}

/** Starts a program in the token's environment. */
export function start(program: string, args: readonly string[], { env }: SoftHsm): Started {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const say = (line: string) => child.stdin.write(`${line}\n`);
  return {
    say,
    cpuSeconds: () => {
      const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      // utime and stime, in ticks of a hundredth of a second.
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    ask: async (line) => {
      say(line);
      const next = await lines.next();
      if (next.done === true) throw new Error(`${program} ended early.`);
      return next.value;
    },
    end: async () => {
      child.stdin.end();
      await ended;
    },
  };
}
