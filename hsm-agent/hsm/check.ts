/**
 * `opencustody hsm check`: asks a PKCS#11 module step by step what it can do, in a process of its own, and leaves nothing behind. A
 * step that hangs or ends the process is reported, and the rest goes on in a new one.
 *
 * A PIN that was refused, or whose try was not answered, is never tried again. What the answers mean is in check-verdict.ts.
 */

import { randomBytes } from "node:crypto";
import * as v from "valibot";
import { CheckProcess, type Heard } from "./check-process.ts";
import { judge } from "./check-verdict.ts";
import {
  ANSWERS,
  CLEANUP,
  type Cleanup,
  type Outcome,
  type Outcomes,
  type Question,
  type Report,
  STEPS,
  type Step,
} from "./check-wire.ts";
import type { TokenChoice } from "./pkcs11.ts";

/** Milliseconds that a step may take before its process is ended. `open`: loading and initialising, and a login. */
export interface Limits {
  readonly open: number;
  readonly make: number;
  readonly other: number;
}

export interface CheckOptions {
  /** Path of the PKCS#11 module. */
  readonly module: string;
  readonly token: TokenChoice;
  readonly pin: string;
  /** Added to the environment of the process that loads the module. */
  readonly env?: Readonly<Record<string, string>>;
  readonly limits?: Partial<Limits>;
  /** Called before each step. */
  readonly onStep?: (step: Step | "cleanup") => void;
  /** Ends the check after the step that is under way, for which it waits five seconds; what is in the token is removed all the same. */
  readonly signal?: AbortSignal;
}

const LIMITS: Limits = { open: 30_000, make: 60_000, other: 15_000 };
/** Steps that put something into the token. */
const WRITING: readonly Step[] = ["token-p256", "token-secp256k1", "anchor"];
/** Steps that need no login. */
const OPEN: readonly Step[] = ["library", "slots", "token", "mechanisms"];
const QUICK: readonly Step[] = [...OPEN, "leftovers", "random", "sessions"];

/** Runs all steps. Never rejects for what the module does; only for a mistake of the check itself. */
export async function checkHsm(options: CheckOptions): Promise<Report> {
  const outcomes: Partial<Record<Step, Outcome<unknown>>> = {};
  const run = new Run(options);
  try {
    for (const step of STEPS) outcomes[step] = await run.step(step);
    const cleanup = await run.clean();
    const steps = outcomes as Outcomes;
    const verdicts = judge(steps, cleanup);
    const works = verdicts.every(
      ({ capability, verdict }) => capability === "backup" || capability === "solana" || verdict !== "does not work",
    );
    return { v: 1, module: options.module, steps, cleanup, verdicts, works };
  } finally {
    await run.end();
  }
}

class Run {
  readonly #options: CheckOptions;
  readonly #limits: Limits;
  readonly #label = `OpenCustody check ${randomBytes(8).toString("hex")}`;
  readonly #ids = { "token-p256": randomBytes(16).toString("hex"), "token-secp256k1": randomBytes(16).toString("hex") };
  /** Writing steps that were asked and did not answer: what they began may still come into being. */
  readonly #doubtful: string[] = [];
  #process: CheckProcess | undefined;
  #loggedIn = false;
  #wrote = false;
  /** Why nothing more can be asked at all, and why nothing that needs a login. */
  #gone: string | undefined;
  #shut: string | undefined;

  constructor(options: CheckOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
  }

  async step(step: Step): Promise<Outcome<unknown>> {
    if (this.#options.signal?.aborted === true) return refuse("not asked: the check was stopped");
    this.#options.onStep?.(step);
    if (step === "library") return fit(step, await this.#begin());
    if (step === "login") return fit(step, await this.#login());
    const ready = await this.#ready(!OPEN.includes(step));
    if (ready !== undefined) return refuse(`not asked: ${ready}`);
    const writes = WRITING.includes(step);
    this.#wrote ||= writes;
    const limit = QUICK.includes(step) ? this.#limits.other : this.#limits.make;
    const heard = await this.#ask({ ask: "step", step }, limit, this.#options.signal);
    if (!heard.ok && writes && !heard.usable) this.#doubtful.push(this.#nameOf(step));
    // Without this token there is nothing to log in to.
    if (!heard.ok && step === "token") this.#shut ??= heard.reason;
    return fit(step, heard);
  }

  /** Removes what this run put into the token, and looks whether it is gone. Tries a second time in a new process. */
  async clean(): Promise<Outcome<Cleanup>> {
    const doubtful = this.#doubtful;
    if (!this.#wrote) return { ok: true, answer: { removed: 0, left: [], doubtful } };
    this.#options.onStep?.("cleanup");
    let reason = "";
    for (const _ of [1, 2]) {
      const ready = await this.#ready(true);
      if (ready !== undefined) return refuse(`${ready}; look for ${this.#all()}`);
      const heard = await this.#ask({ ask: "cleanup" }, this.#limits.make);
      const parsed = v.safeParse(FOUND, heard.ok ? heard.value : undefined);
      if (parsed.success) return { ok: true, answer: { ...parsed.output, doubtful } };
      reason = heard.ok ? "an answer of another form" : heard.reason;
      await this.end();
    }
    return refuse(`${reason}; look for ${this.#all()}`);
  }

  async end(): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    this.#loggedIn = false;
    await process?.end();
  }

  #nameOf(step: Step): string {
    if (step === "token-p256" || step === "token-secp256k1") return `CKA_ID ${this.#ids[step]}`;
    return `label "${this.#label}"`;
  }

  #all(): string {
    return ["anchor" as const, "token-p256" as const, "token-secp256k1" as const]
      .map((step) => this.#nameOf(step))
      .join(", ");
  }

  /** Undefined where a process can be asked; else why not. */
  async #ready(login: boolean): Promise<string | undefined> {
    if (this.#gone !== undefined) return this.#gone;
    if (this.#process === undefined) await this.#begin();
    if (this.#gone !== undefined) return this.#gone;
    if (!login) return undefined;
    if (this.#shut !== undefined) return this.#shut;
    if (!this.#loggedIn) await this.#login();
    return this.#shut;
  }

  async #begin(): Promise<Heard> {
    const { module, token, env = {} } = this.#options;
    this.#process = new CheckProcess(env);
    const choice = {
      ...(token.label === undefined ? {} : { label: token.label }),
      ...(token.serial === undefined ? {} : { serial: token.serial }),
    };
    const question: Question = { ask: "begin", module, token: choice, label: this.#label, ids: this.#ids };
    const heard = await this.#ask(question, this.#limits.open);
    if (!heard.ok) this.#gone = `the module could not be opened (${heard.reason})`;
    return heard;
  }

  async #login(): Promise<Heard> {
    const ready = await this.#ready(false);
    const reason = ready ?? this.#shut;
    if (reason !== undefined) return { ok: false, reason: `not asked: ${reason}`, usable: false };
    const heard = await this.#ask({ ask: "login", pin: this.#options.pin }, this.#limits.open);
    this.#loggedIn = heard.ok;
    // Refused or not answered: it may have cost a try, so it is not tried again.
    if (!heard.ok) this.#shut = `there is no login (${heard.reason})`;
    return heard;
  }

  async #ask(question: Question, limit: number, stop?: AbortSignal): Promise<Heard> {
    if (this.#process === undefined) throw new Error("asked without a process");
    const heard = await this.#process.ask(question, limit, stop);
    if (!heard.usable) await this.end();
    return heard;
  }
}

const FOUND = v.omit(CLEANUP, ["doubtful"]);

function refuse(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}

function fit(step: Step, heard: Heard): Outcome<unknown> {
  if (!heard.ok) return refuse(heard.reason);
  const parsed = v.safeParse(ANSWERS[step], heard.value);
  return parsed.success ? { ok: true, answer: parsed.output } : refuse("an answer of another form; please report it");
}
