/** For the CLI's tests: the command line in this process, against a control socket that answers what a test says. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "./cli.ts";
import { type Command, serveControl } from "./control.ts";

/** What a run of the command line left. */
export interface Run {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the command line as it stands. */
export async function runCli(...argv: string[]): Promise<Run> {
  const { stdout, stderr } = process;
  const out = { stdout: "", stderr: "" };
  const written = { stdout: stdout.write.bind(stdout), stderr: stderr.write.bind(stderr) };
  const take = (stream: keyof typeof out) => (text: string | Uint8Array) => {
    out[stream] += String(text);
    return true;
  };
  stdout.write = take("stdout");
  stderr.write = take("stderr");
  try {
    return { code: await main(argv), ...out };
  } finally {
    stdout.write = written.stdout;
    stderr.write = written.stderr;
  }
}

export interface FakeAgent {
  readonly folder: string;
  /** A configuration file that names its data folder. */
  readonly config: string;
  /** The commands that it was given, oldest first. */
  readonly seen: Command[];
  /** What it answers, or throws. */
  answer: (command: Command) => unknown;
  stop(): void;
}

/** An agent that answers what a test says, and keeps what it was told. */
export async function startFakeAgent(): Promise<FakeAgent> {
  const folder = mkdtempSync(join(tmpdir(), "opencustody-cli-"));
  const config = join(folder, "opencustody.json");
  const settings = {
    data: ".",
    hsm: { module: "/nowhere.so", token: { label: "x" }, pin: { file: "pin" } },
    bridge: { url: "wss://bridge.example.com/" },
  };
  writeFileSync(config, JSON.stringify(settings));
  const seen: Command[] = [];
  const server = await serveControl(join(folder, "agent.sock"), async (command) => {
    seen.push(command);
    return agent.answer(command);
  });
  const agent: FakeAgent = {
    folder,
    config,
    seen,
    answer: () => null,
    stop: () => {
      server.close();
      server.closeAllConnections();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return agent;
}

/** What an agent of this identity answers to `status` when all is well. */
export function statusOf(hsm: string) {
  return {
    hsm: { fingerprint: "f", thumbprint: hsm, state: "up", since: 1_800_000_000, problem: null },
    bridge: { url: "wss://bridge.example.com/", state: "up" },
    record: { problem: null },
    log: { size: 9, checkpoint: 9 },
    witnesses: { needed: 0, seen: 0 },
    behind: null,
    restoredAt: null,
    backup: null,
    founded: true,
    act: 1,
    policy: 1,
    people: 1,
    open: 0,
    clock: { inDoubtSince: null },
    frozen: [],
    waitingFor: [],
  };
}
