/**
 * An HSM that can be lost: SoftHSM inside `p11-kit server`, a process group of its own that can be killed, stopped and started again.
 * SoftHSM by itself is a library in the agent's own process, where nothing can fail alone. p11-kit passes on neither Ed25519 nor
 * the AES key wraps: pkcs11-shim.ts is for those.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { SoftHsm } from "../softhsm.ts";
import { until } from "./retry.ts";

/** Where Debian and Ubuntu, Fedora and Arch put the client's module. */
const CLIENTS = [
  "/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so",
  "/usr/lib/aarch64-linux-gnu/pkcs11/p11-kit-client.so",
  "/usr/lib64/pkcs11/p11-kit-client.so",
  "/usr/lib/pkcs11/p11-kit-client.so",
];
const MISSING =
  "p11-kit is not installed. Install the packages p11-kit and p11-kit-modules (Debian, Ubuntu: apt install p11-kit p11-kit-modules).";

export interface P11Kit {
  /** The client's module, through which the agent uses the HSM. */
  readonly module: string;
  readonly env: Readonly<Record<string, string>>;
  /**
   * Ends the server and all that it started, at once, but for the instant in which SoftHSM has emptied its token's file, which it does
   * at each login, to write it anew: a real HSM that loses its power has its token still. Resolves when none of them lives.
   */
  kill(): Promise<void>;
  /** Stops them all: connections are taken, and nothing answers. */
  hang(): void;
  resume(): void;
  /** Starts it anew, after `kill`. */
  start(): Promise<void>;
  /** The server's processes that live. */
  processes(): number[];
  dispose(): Promise<void>;
}

/** Starts a server for this SoftHSM. Throws a sentence that names the packages where p11-kit is missing. */
export async function startP11Kit(soft: SoftHsm, parent = tmpdir()): Promise<P11Kit> {
  const module = CLIENTS.find((path) => existsSync(path));
  if (module === undefined) throw new Error(MISSING);
  const folder = mkdtempSync(join(parent, "opencustody-p11-"));
  const socket = join(folder, "sock");
  let server: ChildProcess;
  let group = 0;
  const signal = (name: NodeJS.Signals) => {
    // The group, not the server: each connection has a process of its own, which would go on signing.
    if (group !== 0 && living(group).length > 0) process.kill(-group, name);
  };
  const stopWhole = async () => {
    signal("SIGSTOP");
    await until(() => living(group).every(({ state }) => state === "T"));
    if (soft.isWhole()) return true;
    signal("SIGCONT");
    return false;
  };
  const end = async () => {
    signal("SIGKILL");
    await until(() => living(group).length === 0);
  };
  const kill = async () => {
    // One that stays empty was lost before, and whoever starts next says so.
    for (let tries = 0; tries < 100 && !(await stopWhole()); tries += 1) await sleep(1);
    await end();
  };
  const dispose = async () => {
    await end();
    rmSync(folder, { recursive: true, force: true });
  };
  const start = async () => {
    // A killed server leaves its socket.
    rmSync(socket, { force: true });
    const args = ["server", "--foreground", "--name", socket, "--provider", soft.module, "pkcs11:"];
    server = spawn("p11-kit", args, { env: { ...process.env, ...soft.env }, detached: true, stdio: "ignore" });
    await once(server, "spawn").catch((cause: unknown) => {
      throw new Error(MISSING, { cause });
    });
    group = server.pid ?? 0;
    await until(async () => {
      if (server.exitCode !== null) throw new Error(`p11-kit server ended with ${server.exitCode}`);
      return await answers(socket);
    });
  };
  try {
    await start();
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    module,
    env: { P11_KIT_SERVER_ADDRESS: `unix:path=${socket}` },
    kill,
    hang: () => signal("SIGSTOP"),
    resume: () => signal("SIGCONT"),
    start,
    processes: () => living(group).map(({ pid }) => pid),
    dispose,
  };
}

async function answers(socket: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const client = connect(socket, () => {
      client.destroy();
      resolve(true);
    });
    client.on("error", () => resolve(false));
  });
}

/** All processes of a group but zombies, each with its state: a letter, "T" where it is stopped. */
function living(group: number): { pid: number; state: string }[] {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        // After the name, which stands in parentheses and may hold anything: state, parent, group.
        const [state = "", , itsGroup] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        return Number(itsGroup) === group && !/^[ZX]/.test(state) ? [{ pid: Number(name), state }] : [];
      } catch {
        return [];
      }
    });
}
