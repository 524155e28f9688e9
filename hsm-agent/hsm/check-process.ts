/**
 * One process of `opencustody hsm check` on a watchdog: a question that is not answered within its limit ends the process with
 * SIGKILL, the only thing that a hanging native call obeys. Asks one question at a time, and starts no second process.
 */

import type { ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { isFault } from "../../protocol/error.ts";
import { type Question, REPLY } from "./check-wire.ts";
import { launch } from "./launch.ts";

/** An answer that fits no schema yet, or why there is none. `usable`: the process can be asked on. */
export type Heard =
  | { readonly ok: true; readonly value: unknown; readonly usable: true }
  | { readonly ok: false; readonly reason: string; readonly usable: boolean };

const PROGRAM = fileURLToPath(new URL("check-child.ts", import.meta.url));
/** Milliseconds in which a step can end once somebody has stopped the check: ended in the middle, it may leave something. */
const GRACE = 5_000;
/** As many native calls at a time as the check of speed has in flight, and two for Node itself. */
const THREADS = "10";

export class CheckProcess {
  readonly #process: ChildProcess | undefined;
  readonly #exited: Promise<string>;
  #ended = false;

  /** Starts it; `env` is added to its environment. */
  constructor(env: Readonly<Record<string, string>>) {
    let launched: ChildProcess;
    try {
      launched = launch(PROGRAM, { ...env, UV_THREADPOOL_SIZE: THREADS }, 0);
    } catch (error) {
      this.#ended = true;
      this.#exited = Promise.resolve(isFault(error) ? error.message : "no process could be started");
      return;
    }
    this.#process = launched;
    this.#exited = new Promise((resolve) => {
      launched.on("exit", (code, signal) => {
        this.#ended = true;
        resolve(`the module ended its process (${signal ?? `status ${code}`})`);
      });
      launched.on("error", (error) => {
        this.#ended = true;
        resolve(`no process could be started (${error.message})`);
      });
    });
  }

  /** Asks, and waits at most `limit` milliseconds, and at most GRACE after `stop`. Never rejects. */
  async ask(question: Question, limit: number, stop?: AbortSignal): Promise<Heard> {
    const dead = (reason: string): Heard => ({ ok: false, reason, usable: false });
    const asked = this.#process;
    if (asked === undefined || this.#ended) return dead(await this.#exited);
    const heard = await new Promise<Heard>((resolve) => {
      const late = (wait: number, when: string) =>
        setTimeout(() => settle(dead(`did not answer within ${wait / 1000} s${when}`)), wait);
      const timers = [late(limit, "")];
      const onStop = () => timers.push(late(GRACE, " after the check was stopped"));
      const settle = (value: Heard) => {
        for (const timer of timers) clearTimeout(timer);
        stop?.removeEventListener("abort", onStop);
        resolve(value);
      };
      stop?.addEventListener("abort", onStop);
      asked.once("message", (message) => {
        const parsed = v.safeParse(REPLY, message);
        if (!parsed.success) return settle(dead("the check's process spoke out of turn; please report it"));
        const reply = parsed.output;
        settle(reply.ok ? { ...reply, usable: true } : { ...reply, usable: !reply.lost });
      });
      void this.#exited.then((reason) => settle(dead(reason)));
      asked.send(question, (error) => {
        // It is dead or dying, and its end says why.
        if (error !== null) asked.kill("SIGKILL");
      });
    });
    if (!heard.usable) await this.end();
    return heard;
  }

  /** Ends it and waits for that. Safe to repeat. */
  async end(): Promise<void> {
    if (!this.#ended) this.#process?.kill("SIGKILL");
    await this.#exited;
  }
}
