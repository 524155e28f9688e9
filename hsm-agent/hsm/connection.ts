/**
 * The connection to the HSM: one child process at a time, found dead or hanging, and brought back by itself.
 *
 * Two steps bring it back: new sessions and a new login in the child that is there; where the module does not answer that, or answered
 * it and failed again, a new child, whose module initialises afresh. Starts are spaced by a bounded backoff. No call is repeated here: what was
 * under way is rejected, and its caller knows whether to ask again. Implements protocol/README.md, "Keys".
 */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Fault, isFault } from "../../protocol/error.ts";
import { Condition, type Health } from "./health.ts";
import type { HsmOptions, Timeouts } from "./owner.ts";
import type { TokenInfo } from "./pkcs11.ts";
import { Watched } from "./watchdog.ts";
import type { Answer, Command } from "./wire.ts";

const SESSIONS = 8;
const TIMEOUTS: Timeouts = { open: 30_000, sign: 10_000, generate: 60_000, other: 10_000 };
const BACKOFF = { first: 250, most: 30_000 };
const PROBE = 15_000;
const PROGRAM = fileURLToPath(new URL("child.ts", import.meta.url));

export class Connection {
  readonly limits: Timeouts;
  readonly condition = new Condition();
  readonly #options: HsmOptions;
  readonly #program: string;
  #child: Watched | undefined;
  #token: TokenInfo | undefined;
  #starting: Promise<Watched> | undefined;
  /** Whether a call succeeded since the sessions were last opened: if none did, opening them again is not tried a second time. */
  #worked = false;
  #notBefore = 0;
  #retry: NodeJS.Timeout | undefined;
  readonly #probe: NodeJS.Timeout;
  #final: Fault | undefined;
  #busy = 0;
  #idle = Promise.withResolvers<void>();

  constructor(options: HsmOptions, program = PROGRAM) {
    this.#options = options;
    this.#program = program;
    this.limits = { ...TIMEOUTS, ...options.timeouts };
    this.#probe = setInterval(() => this.#ping(), options.probe ?? PROBE).unref();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get health(): Health {
    return this.condition.health;
  }

  /** The first start: one attempt. Nothing is left behind where it fails. */
  async start(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      this.#final ??= CLOSED;
      this.#rest();
      throw error;
    }
  }

  /** What the token said of itself at the last start. */
  async token(): Promise<TokenInfo> {
    await this.#ready();
    if (this.#token === undefined) throw new Fault("ERR_INTERNAL", "The HSM is up without a token; please report it.");
    return this.#token;
  }

  /** Asks as soon as the HSM is up and `before` has settled; that must not reject. While it is down: ERR_HSM_DOWN at once. */
  call<C extends Command>(command: C, limit: number, before?: Promise<unknown>): Promise<Answer<C["call"]>> {
    return this.#use((child) => child.call(command, limit), before);
  }

  /** A signature; likewise. */
  sign(key: string, digest: Uint8Array): Promise<Uint8Array> {
    return this.#use((child) => child.sign(key, digest, this.limits.sign));
  }

  async #use<T>(ask: (child: Watched) => Promise<T>, before?: Promise<unknown>): Promise<T> {
    this.#busy += 1;
    try {
      const up = this.#final === undefined && this.#starting === undefined ? this.#child : undefined;
      const child = up ?? (await this.#ready());
      if (before !== undefined) await before;
      return await this.#ask(child, ask);
    } finally {
      this.#busy -= 1;
      if (this.#busy === 0 && this.#final !== undefined) this.#idle.resolve();
    }
  }

  /** Lets what is under way finish, logs out and ends the child. To be called once. */
  async close(): Promise<void> {
    this.#final = CLOSED;
    this.#rest();
    if (this.#busy > 0) await this.#idle.promise;
    await this.#starting?.catch(() => {});
    const child = this.#child;
    if (child === undefined) return;
    // Ends the child in any case; a module that does not finalize in time is not waited for.
    await child.call({ call: "close" }, this.limits.other).catch(() => {});
    child.end(CLOSED);
    await child.exited;
  }

  async #ask<T>(child: Watched, ask: (child: Watched) => Promise<T>): Promise<T> {
    try {
      const answer = await ask(child);
      this.#worked = true;
      this.condition.worked();
      return answer;
    } catch (error) {
      if (isFault(error, "ERR_HSM_DOWN")) this.#fail(child, error);
      throw error;
    }
  }

  /** The child is well and the HSM is not. Called by each call that failed of it; the first one begins the recovery. */
  #fail(child: Watched, fault: Fault): void {
    if (child !== this.#child || this.#starting !== undefined) return;
    if (!this.#worked || this.#final !== undefined) return child.end(fault);
    this.#worked = false;
    this.condition.fault(fault);
    void this.#begin(this.#reopen(child));
  }

  /** The first step. Where it fails, the child ends, and the second one follows by `#lost`. */
  async #reopen(child: Watched): Promise<Watched> {
    try {
      await child.reopen(this.limits.open);
      return child;
    } catch (error) {
      throw this.#end(child, error);
    }
  }

  #ping(): void {
    const child = this.#child;
    if (child === undefined || this.#starting !== undefined || this.#final !== undefined) return;
    this.call({ call: "ping" }, this.limits.other).catch(() => {
      // Whatever it found, `#ask` or the watchdog has acted on it.
    });
  }

  async #ready(): Promise<Watched> {
    if (this.#final !== undefined) throw this.#final;
    if (this.#starting !== undefined) return this.#starting;
    if (this.#child !== undefined) return this.#child;
    const wait = Math.ceil(this.#notBefore - performance.now());
    if (wait > 0) {
      throw new Fault(
        "ERR_HSM_DOWN",
        `The HSM is down; it is tried again in ${wait} ms. Check the HSM and its network.`,
      );
    }
    return this.#connect();
  }

  #connect(): Promise<Watched> {
    clearTimeout(this.#retry);
    return this.#begin(this.#open());
  }

  #begin(work: Promise<Watched>): Promise<Watched> {
    const starting = work.finally(() => {
      this.#starting = undefined;
      this.#tell();
      this.#schedule();
    });
    this.#starting = starting;
    this.#tell();
    // Whoever waits for it hears of it too.
    starting.catch(() => {});
    return starting;
  }

  async #open(): Promise<Watched> {
    const { module, token, pin, sessions = SESSIONS, files } = this.#options;
    this.condition.started();
    const child = this.#launch();
    // After the first start only the same token will do, not another one with its label.
    const choice = this.#token === undefined ? token : { label: this.#token.label, serial: this.#token.serial };
    const disk = files === undefined ? {} : { files };
    try {
      const open = { call: "open", module, token: choice, pin, sessions, ...disk } as const;
      this.#token = await child.call(open, this.limits.open);
    } catch (error) {
      const fault = this.#end(child, error);
      await child.exited;
      throw fault;
    }
    this.#worked = false;
    this.#child = child;
    return child;
  }

  #launch(): Watched {
    const { env = {}, sessions = SESSIONS, files } = this.#options;
    // A device answers while a thread waits: one a session. A token that keeps files computes in the child itself: more threads than
    // cores, and one that is between two signatures, only wait for its locks.
    const lanes = files === undefined ? sessions : Math.min(sessions, availableParallelism() + 1);
    const program = { path: this.#program, env, window: 2 * sessions, lanes, begin: this.limits.open };
    try {
      const child: Watched = new Watched(program, (fault) => this.#lost(child, fault));
      return child;
    } catch (error) {
      const fault = error instanceof Fault ? error : DOWN;
      // Counted as one that died, or it would be tried again without a pause.
      this.#lost(undefined, fault);
      throw fault;
    }
  }

  #end(child: Watched, error: unknown): Fault {
    const fault = error instanceof Fault ? error : DOWN;
    this.#heed(fault);
    child.end(fault);
    return fault;
  }

  /** A second wrong try could lock the token: this process never tries that PIN again. */
  #heed(fault: Fault): void {
    if (fault.code === "ERR_HSM_PIN") this.#final ??= fault;
  }

  /** A child ended, in the middle of its work or of its start, or there was none to be had. */
  #lost(child: Watched | undefined, fault: Fault): void {
    if (this.#child === child) this.#child = undefined;
    this.#heed(fault);
    const failures = this.condition.fail(fault);
    const { first, most } = this.#options.backoff ?? BACKOFF;
    const wait = Math.min(failures === 1 ? 0 : first * 2 ** (failures - 2), most);
    this.#notBefore = performance.now() + wait;
    this.#tell();
    this.#schedule();
  }

  /** Comes back by itself, whether or not anybody asks. A start that is under way schedules the next one when it fails. */
  #schedule(): void {
    clearTimeout(this.#retry);
    if (this.#final !== undefined || this.#child !== undefined || this.#starting !== undefined) return;
    const wait = Math.max(0, this.#notBefore - performance.now());
    this.#retry = setTimeout(() => void this.#connect(), wait).unref();
  }

  #rest(): void {
    clearTimeout(this.#retry);
    clearInterval(this.#probe);
  }

  #tell(): void {
    this.condition.become(this.#starting !== undefined ? "starting" : this.#child === undefined ? "down" : "up");
  }
}

const CLOSED = new Fault("ERR_HSM_DOWN", "The HSM was closed.");
const DOWN = new Fault("ERR_HSM_DOWN", "The HSM could not be opened. Check the HSM and its network.");
