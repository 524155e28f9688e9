/**
 * The HSM child process: answers the owner's commands over the fork's channel, and dies with it.
 *
 * A process of its own, because a native call that hangs cannot be ended in a thread. The PIN comes in a message, never in the
 * arguments or the environment, which other processes can read. Decides nothing and logs nothing.
 */

import { Fault } from "../../protocol/error.ts";
import { Disk } from "./disk.ts";
import { type Module, openModule, type TokenInfo } from "./pkcs11.ts";
import { Pool } from "./pool.ts";
import { letThreadsGiveWay } from "./threads.ts";
import { type Answer, type Command, parseCommands, type Reply } from "./wire.ts";

// Ctrl-C and a service manager's stop reach the whole process group: the parent decides when the HSM is let go.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});

// The parent is gone. Not process.exit: it would wait for a native call that hangs.
process.on("disconnect", die);

let module: Module | undefined;
let pool: Pool | undefined;
let threads = Number.POSITIVE_INFINITY;

const HOLD = 1;
const answers: Reply[] = [];
let held: NodeJS.Timeout | undefined;
let due: NodeJS.Immediate | undefined;

process.on("message", (message) => {
  // The schema's own words could quote the PIN, so a message that does not fit gets none.
  const commands = parseCommands(message);
  if (commands === undefined) return die();
  for (const { id, command } of commands) answer(id, command);
});

function answer(id: number, command: Command): void {
  run(command).then(
    (value) => reply({ id, ok: true, value }, command.call === "close"),
    (error: unknown) => {
      const fault =
        error instanceof Fault ? error : new Fault("ERR_INTERNAL", "The HSM process made a mistake; please report it.");
      reply({ id, ok: false, code: fault.code, message: fault.message }, false);
    },
  );
}

async function run(command: Command): Promise<Answer<Command["call"]>> {
  switch (command.call) {
    case "open": {
      if (module !== undefined) throw new Fault("ERR_INTERNAL", "The HSM process was opened twice.");
      module = openModule(command.module);
      return openPool(module, command);
    }
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
    case "sign":
      return opened().sign(command.key, command.digest);
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
  const { slot, ...info } = from.findToken(command.token);
  const disk = command.files === undefined ? undefined : new Disk(command.files);
  // What an earlier process made and could not sync is made durable before it is offered.
  await disk?.sync();
  threads = command.threads;
  if (disk !== undefined) letThreadsGiveWay();
  pool = new Pool(from, { slot, ...info }, command.pin, command.sessions, disk);
  return info;
}

function opened(): Pool {
  if (pool === undefined) throw new Fault("ERR_INTERNAL", "The HSM process was not opened.");
  return pool;
}

/**
 * Answers of one turn go in one message. While twice as many operations are under way as there are threads, the module has work without
 * the parent, and a message costs both as much as a twentieth of a signature: then answers wait for each other, `HOLD` ms at most.
 */
function reply(message: Reply, isLast: boolean): void {
  answers.push(message);
  if (isLast) return flush(true);
  if ((pool?.busy ?? 0) > 2 * threads) held ??= setTimeout(flush, HOLD);
  else due ??= setImmediate(flush);
}

function flush(isLast = false): void {
  clearTimeout(held);
  clearImmediate(due);
  held = due = undefined;
  process.send?.(answers.splice(0) satisfies Reply[], undefined, {}, (error) => {
    if (error !== null || isLast) die();
  });
}

function die(): void {
  process.kill(process.pid, "SIGKILL");
}
