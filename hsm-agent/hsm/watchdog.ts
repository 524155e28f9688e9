/**
 * One HSM child process on a watchdog: numbered calls over the fork's channel, each with its limit. A call that takes longer ends
 * the process with SIGKILL, the only thing that a hanging native call obeys. The calls of one turn of the event loop go in one message.
 *
 * Does not start a second process; when to do that is the owner's business (connection.ts).
 */

import { type ChildProcess, fork } from "node:child_process";
import { Fault } from "../../protocol/error.ts";
import { type Answer, type Command, type Envelope, isAnswer, parseReplies, type Reply } from "./wire.ts";

/** What a watched process is started with. */
export interface Program {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
  /** Calls that are sent at a time; the others wait here, where their clock does not run yet. */
  readonly window: number;
  /** Native calls that may run at a time. */
  readonly threads: number;
}

interface Pending {
  readonly command: Command;
  readonly limit: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (fault: Fault) => void;
  timer?: NodeJS.Timeout;
}

export class Watched {
  readonly #process: ChildProcess;
  readonly #window: number;
  readonly #onDeath: (fault: Fault) => void;
  readonly #queue: Pending[] = [];
  /** Sent at the end of this turn. */
  #outbox: Envelope[] = [];
  readonly #sent = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  #next = 1;
  #fault: Fault | undefined;

  /** Starts the process. `onDeath` is called once, however it ends. */
  constructor(program: Program, onDeath: (fault: Fault) => void) {
    this.#window = program.window;
    this.#onDeath = onDeath;
    const { NODE_OPTIONS: _, ...inherited } = process.env;
    this.#process = fork(program.path, [], {
      // What this process was told about debuggers and hooks is not for the one that holds the PIN.
      execArgv: [],
      env: { ...inherited, ...program.env, UV_THREADPOOL_SIZE: String(program.threads) },
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#process.on("message", (message) => this.#receive(message));
    this.#process.on("error", () => this.end(DIED));
    this.#process.on("disconnect", () => this.end(DIED));
    this.#exited = new Promise((resolve) => {
      this.#process.on("exit", () => {
        this.end(DIED);
        resolve();
      });
      this.#process.on("error", () => {
        if (this.#process.pid === undefined) resolve();
      });
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Resolves when the process is gone from the system. */
  get exited(): Promise<void> {
    return this.#exited;
  }

  /** Sends a command; `limit` in ms counts from when it is sent. Rejects with the child's Fault, ERR_HSM_TIMEOUT or ERR_HSM_DOWN. */
  call<C extends Command>(command: C, limit: number): Promise<Answer<C["call"]>> {
    return new Promise((resolve, reject) => {
      if (this.#fault !== undefined) return reject(this.#fault);
      const call: C["call"] = command.call;
      const settle = (value: unknown) => (isAnswer(call, value) ? resolve(value) : reject(malformed(call)));
      this.#queue.push({ command, limit, resolve: settle, reject });
      this.#pump();
    });
  }

  /** Ends the process now and rejects all that waits on it. Safe to repeat: the first fault stands. */
  end(fault: Fault): void {
    if (this.#fault !== undefined) return;
    this.#fault = fault;
    this.#process.kill("SIGKILL");
    for (const pending of [...this.#sent.values(), ...this.#queue]) {
      clearTimeout(pending.timer);
      pending.reject(fault);
    }
    this.#sent.clear();
    this.#queue.length = 0;
    this.#outbox = [];
    this.#onDeath(fault);
  }

  #pump(): void {
    while (this.#sent.size < this.#window) {
      const pending = this.#queue.shift();
      if (pending === undefined) return;
      const id = this.#next++;
      this.#sent.set(id, pending);
      pending.timer = setTimeout(() => this.end(timeout(pending)), pending.limit);
      if (this.#outbox.push({ id, command: pending.command }) === 1) setImmediate(() => this.#flush());
    }
  }

  #flush(): void {
    const message = this.#outbox;
    this.#outbox = [];
    if (this.#fault !== undefined) return;
    this.#process.send(message, (error) => {
      if (error !== null) this.end(DIED);
    });
  }

  #receive(message: unknown): void {
    const replies = parseReplies(message);
    for (const reply of replies ?? []) {
      const pending = this.#sent.get(reply.id);
      if (pending === undefined) return this.end(OUT_OF_TURN);
      this.#settle(pending, reply);
    }
    // After its end a process may still be heard; before it, whatever cannot be matched to a call is not trusted further.
    if (replies === undefined) return this.end(OUT_OF_TURN);
    this.#pump();
  }

  #settle(pending: Pending, reply: Reply): void {
    clearTimeout(pending.timer);
    this.#sent.delete(reply.id);
    if (reply.ok) pending.resolve(reply.value);
    else pending.reject(new Fault(reply.code, reply.message));
  }
}

const DIED = new Fault(
  "ERR_HSM_DOWN",
  "The HSM process ended in the middle of its work; the next call starts a new one. No signature was released.",
);

const OUT_OF_TURN = new Fault("ERR_INTERNAL", "The HSM process spoke out of turn; please report it.");

function malformed(call: string): Fault {
  return new Fault("ERR_INTERNAL", `The HSM process gave a malformed answer to "${call}"; please report it.`);
}

function timeout(pending: Pending): Fault {
  return new Fault(
    "ERR_HSM_TIMEOUT",
    `The HSM did not answer "${pending.command.call}" within ${pending.limit} ms; its process was ended and the next call starts a new one. Check the HSM and its network.`,
  );
}
