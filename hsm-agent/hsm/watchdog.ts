/**
 * One HSM child process on a watchdog: numbered calls over the fork's channel, each with its limit. A call that takes longer ends
 * the process with SIGKILL, the only thing that a hanging native call obeys. Signatures have pipes of their own (lanes.ts).
 *
 * Does not start a second process; when to do that is the owner's business (connection.ts).
 */

import type { ChildProcess } from "node:child_process";
import { Duplex } from "node:stream";
import * as v from "valibot";
import { Fault } from "../../protocol/error.ts";
import { Lanes } from "./lanes.ts";
import { launch } from "./launch.ts";
import { ANSWER, type Answer, type Command, type Envelope, REPLY } from "./wire.ts";

/** What a watched process is started with. */
export interface Program {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
  /** Calls that are sent at a time, and as many signatures; the others wait here, where their clock does not run yet. */
  readonly window: number;
  /** Threads that may sign at a time. */
  readonly lanes: number;
  /** Milliseconds in which a lane must have started. */
  readonly begin: number;
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
  readonly #lanes: Lanes;
  readonly #queue: Pending[] = [];
  readonly #sent = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  #next = 1;
  #fault: Fault | undefined;

  /** Starts the process. `onDeath` is called once, however it ends. @throws Fault ERR_HSM_DOWN where there is none to be had */
  constructor(program: Program, onDeath: (fault: Fault) => void) {
    this.#window = program.window;
    this.#onDeath = onDeath;
    this.#process = launch(program.path, program.env, program.lanes);
    this.#lanes = new Lanes({
      pipes: this.#process.stdio.filter((pipe) => pipe instanceof Duplex),
      depth: Math.ceil(program.window / program.lanes),
      begin: async (lane) => this.call({ call: "lane", lane }, program.begin),
      fail: (fault) => this.end(fault),
    });
    this.#process.on("message", (message) => this.#answer(message));
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
  async call<C extends Command>(command: C, limit: number): Promise<Answer<C["call"]>> {
    const value = await new Promise<unknown>((resolve, reject) => {
      if (this.#fault !== undefined) return reject(this.#fault);
      this.#queue.push({ command, limit, resolve, reject });
      this.#pump();
    });
    const answer = v.safeParse(ANSWER[command.call], value);
    if (answer.success) return answer.output;
    throw new Fault("ERR_INTERNAL", `The HSM process gave a malformed answer to "${command.call}"; please report it.`);
  }

  /** A signature, as `Lanes.sign`. */
  sign(key: string, digest: Uint8Array, limit: number): Promise<Uint8Array> {
    return this.#lanes.sign(key, digest, limit);
  }

  /** New sessions and a new login, in the lanes too. */
  async reopen(limit: number): Promise<void> {
    await this.call({ call: "reopen" }, limit);
    await this.#lanes.reopen(limit);
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
    this.#lanes.end(fault);
    this.#onDeath(fault);
  }

  #pump(): void {
    while (this.#sent.size < this.#window) {
      const pending = this.#queue.shift();
      if (pending === undefined) return;
      const id = this.#next++;
      this.#sent.set(id, pending);
      pending.timer = setTimeout(() => this.end(timeout(pending)), pending.limit);
      this.#process.send({ id, command: pending.command } satisfies Envelope, (error) => {
        if (error !== null) this.end(DIED);
      });
    }
  }

  #answer(message: unknown): void {
    const parsed = v.safeParse(REPLY, message);
    const pending = parsed.success ? this.#sent.get(parsed.output.id) : undefined;
    if (!parsed.success || pending === undefined) {
      // After its end a process may still be heard; before it, whatever cannot be matched to a call is not trusted further.
      return this.end(new Fault("ERR_INTERNAL", "The HSM process spoke out of turn; please report it."));
    }
    const reply = parsed.output;
    clearTimeout(pending.timer);
    this.#sent.delete(reply.id);
    if (reply.ok) pending.resolve(reply.value);
    else pending.reject(new Fault(reply.code, reply.message));
    this.#pump();
  }
}

const DIED = new Fault(
  "ERR_HSM_DOWN",
  "The HSM process ended in the middle of its work; the next call starts a new one. No signature was released.",
);

function timeout(pending: Pending): Fault {
  return new Fault(
    "ERR_HSM_TIMEOUT",
    `The HSM did not answer "${pending.command.call}" within ${pending.limit} ms; its process was ended and the next call starts a new one. Check the HSM and its network.`,
  );
}
