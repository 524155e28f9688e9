/**
 * The HSM child process: answers the owner's commands over the fork's channel, and dies with it. Its lanes (lane.ts) sign.
 *
 * A process of its own, because a native call that hangs cannot be ended in a thread. The PIN comes in a message, never in the
 * arguments or the environment, which other processes can read. Decides nothing and logs nothing.
 */

import { Worker } from "node:worker_threads";
import * as v from "valibot";
import { Fault } from "../../protocol/error.ts";
import { Disk } from "./disk.ts";
import type { LaneStart, LaneWord } from "./lane.ts";
import { type Module, openModule, type TokenInfo } from "./pkcs11.ts";
import { Pool } from "./pool.ts";
import { type Answer, type Command, ENVELOPE, type Reply } from "./wire.ts";

// Ctrl-C and a service manager's stop reach the whole process group: the parent decides when the HSM is let go.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});

// The parent is gone. Not process.exit: it would wait for a native call that hangs.
process.on("disconnect", die);

let module: Module | undefined;
let pool: Pool | undefined;
let startLane: ((lane: number) => Promise<void>) | undefined;

process.on("message", (message) => {
  // The schema's own words could quote the PIN, so a message that does not fit gets none.
  const parsed = v.safeParse(ENVELOPE, message);
  if (!parsed.success) return die();
  const { id, command } = parsed.output;
  run(command).then(
    (value) => reply({ id, ok: true, value }, command.call === "close"),
    (error: unknown) => {
      const fault =
        error instanceof Fault ? error : new Fault("ERR_INTERNAL", "The HSM process made a mistake; please report it.");
      reply({ id, ok: false, code: fault.code, message: fault.message }, false);
    },
  );
});

async function run(command: Command): Promise<Answer<Command["call"]>> {
  switch (command.call) {
    case "open": {
      if (module !== undefined) throw new Fault("ERR_INTERNAL", "The HSM process was opened twice.");
      module = openModule(command.module);
      return openPool(module, command);
    }
    case "lane":
      opened();
      await startLane?.(command.lane);
      return null;
    case "reopen":
      opened().reopen();
      return null;
    case "ping":
      opened().ping();
      return null;
    case "generate":
      return opened().generate({ curve: command.curve, label: command.label, backup: command.backup });
    case "find":
      return opened().find(command.key);
    case "keys":
      return opened().list();
    case "random":
      return opened().random(command.bytes);
    case "read-anchor":
      return (await opened().readAnchor()) ?? null;
    case "write-anchor":
      await opened().writeAnchor(command.text);
      return null;
    case "close":
      module?.close();
      return null;
  }
}

async function openPool(from: Module, command: Extract<Command, { call: "open" }>): Promise<TokenInfo> {
  const token = from.findToken(command.token);
  const disk = command.files === undefined ? undefined : new Disk(command.files);
  // What an earlier process made and could not sync is made durable before it is offered.
  await disk?.sync();
  pool = new Pool(from, token, command.pin, command.sessions, disk);
  const { slot: _, ...info } = token;
  const start = { module: command.module, token: { label: info.label, serial: info.serial }, pin: command.pin };
  startLane = (lane) => runLane({ descriptor: FIRST_LANE + lane, ...start });
  return info;
}

/** Before it come the standard three and the fork's channel. */
const FIRST_LANE = 4;

function runLane(start: LaneStart): Promise<void> {
  const worker = new Worker(new URL("lane.ts", import.meta.url), { workerData: start });
  // It ends with the process and not before; whatever it died of, its requests would wait for ever.
  worker.on("error", die);
  worker.on("exit", die);
  return new Promise((resolve, reject) => {
    worker.once("message", (word: LaneWord) => {
      if (word === "ready") return resolve();
      // Said to the parent, which ends the process: one that died by itself would be started anew, with that PIN.
      worker.off("exit", die);
      reject(new Fault("ERR_HSM_PIN", word.refused));
    });
  });
}

function opened(): Pool {
  if (pool === undefined) throw new Fault("ERR_INTERNAL", "The HSM process was not opened.");
  return pool;
}

function reply(message: Reply, isLast: boolean): void {
  process.send?.(message, undefined, {}, (error) => {
    if (error !== null || isLast) die();
  });
}

function die(): void {
  process.kill(process.pid, "SIGKILL");
}
