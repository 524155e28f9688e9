/**
 * The agent's side of the HSM: owns the one child process that has the PKCS#11 module, and starts another when it is lost.
 *
 * Nothing is retried here: a call that was under way is rejected, and its caller knows whether to ask again. Signatures come as
 * the HSM made them; signer.ts is what the rest of the agent uses. Implements protocol/README.md, "Keys".
 */

import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { Fault, isFault } from "../../protocol/error.ts";
import type { TokenChoice, TokenInfo } from "./pkcs11.ts";
import { Watched } from "./watchdog.ts";
import { ANCHOR_TEXT, type Answer, type Command, type HsmKey, KEY_ID, KEY_LABEL, type KeyRequest } from "./wire.ts";

/** Milliseconds that a call may take before the child is ended. `open` includes loading, login and the module's own start. */
export interface Timeouts {
  readonly open: number;
  readonly sign: number;
  readonly generate: number;
  readonly other: number;
}

export interface HsmOptions {
  /** Path of the PKCS#11 module. */
  readonly module: string;
  /** The token by label, by serial or by both. */
  readonly token: TokenChoice;
  readonly pin: string;
  /** Added to the child's environment: client libraries find their configuration through it. */
  readonly env?: Readonly<Record<string, string>>;
  /** Operations at a time. */
  readonly sessions?: number;
  readonly timeouts?: Partial<Timeouts>;
  /** Milliseconds between starts: none after the first loss, then `first`, doubled up to `most`, until a call succeeds. */
  readonly backoff?: { readonly first: number; readonly most: number };
}

/** The HSM. Every call rejects with a Fault; ERR_HSM_TIMEOUT and ERR_HSM_DOWN say nothing about whether the HSM did its work. */
export interface Hsm {
  token(): Promise<TokenInfo>;
  /**
   * Makes a key pair, checks its attributes and has it sign once. Whether it outlives a power cut is the HSM's promise (SoftHSM makes no
   * fsync). After ERR_HSM_TIMEOUT a key that nobody knows may be left in the HSM.
   */
  generateKey(request: KeyRequest): Promise<HsmKey>;
  /** Finds a key by its id and checks it anew. ERR_HSM_KEY_MISSING, ERR_HSM_KEY_AMBIGUOUS, ERR_HSM_KEY_ATTRIBUTES. */
  findKey(id: string): Promise<HsmKey>;
  /** All keys that `findKey` would return. */
  keys(): Promise<HsmKey[]>;
  /** 64 bytes r || s over exactly 32 bytes (else ERR_HSM_DIGEST), s as the HSM gave it, not verified. */
  sign(id: string, digest: Uint8Array): Promise<Uint8Array>;
  /** 1 to 1,024 bytes from the HSM's generator. */
  random(bytes: number): Promise<Uint8Array>;
  /**
   * The text that the last `writeAnchor` kept in the token, undefined where none did. ERR_HSM_KEY_ATTRIBUTES or ERR_HSM_KEY_AMBIGUOUS
   * where an anchor is not one that this release wrote; only a person may remove it.
   */
  readAnchor(): Promise<string | undefined>;
  /**
   * Replaces the anchor by `text`: 1 to 2,048 printable ASCII characters (else ERR_USAGE). Calls take effect in their order. Killed at
   * any point, the token has either the former text or this one; after a rejection too, so read it again.
   */
  writeAnchor(text: string): Promise<void>;
  state(): "up" | "down" | "starting";
  /** The child's process id while there is one, for logs. */
  pid(): number | undefined;
  /** Lets what is under way finish, logs out and ends the child. Safe to repeat. */
  close(): Promise<void>;
}

const SESSIONS = 8;
const TIMEOUTS: Timeouts = { open: 30_000, sign: 10_000, generate: 60_000, other: 10_000 };
const BACKOFF = { first: 250, most: 30_000 };
const PROGRAM = fileURLToPath(new URL("child.ts", import.meta.url));

/**
 * Starts the child, opens the module and logs in: one attempt, so that the agent refuses to start on a wrong configuration.
 * ERR_HSM_CONFIG, ERR_HSM_TOKEN, ERR_HSM_PIN, ERR_HSM_TIMEOUT, ERR_HSM_DOWN. `program` is the child's; tests give their own.
 */
export async function openHsm(options: HsmOptions, program = PROGRAM): Promise<Hsm> {
  const owner = new Owner(options, program);
  await owner.start();
  return owner;
}

class Owner implements Hsm {
  readonly #options: HsmOptions;
  readonly #program: string;
  readonly #limits: Timeouts;
  #child: Watched | undefined;
  #token: TokenInfo | undefined;
  #starting: Promise<Watched> | undefined;
  /** Losses and failed starts since a call last succeeded. */
  #failures = 0;
  #notBefore = 0;
  #final: Fault | undefined;
  /** The last write of the anchor, settled or not; never rejects. */
  #written: Promise<unknown> = Promise.resolve();
  readonly #busy = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(options: HsmOptions, program: string) {
    this.#options = options;
    this.#program = program;
    this.#limits = { ...TIMEOUTS, ...options.timeouts };
  }

  async start(): Promise<void> {
    await this.#connect();
  }

  async token(): Promise<TokenInfo> {
    await this.#ready();
    if (this.#token === undefined) throw new Fault("ERR_INTERNAL", "The HSM is up without a token; please report it.");
    return this.#token;
  }

  async generateKey({ curve, label, backup }: KeyRequest): Promise<HsmKey> {
    if (!v.is(KEY_LABEL, label)) throw new Fault("ERR_USAGE", "A key's label is 1 to 64 printable ASCII characters.");
    return this.#call({ call: "generate", curve, label, backup }, this.#limits.generate);
  }

  async findKey(id: string): Promise<HsmKey> {
    return this.#call({ call: "find", key: checkId(id) }, this.#limits.other);
  }

  async keys(): Promise<HsmKey[]> {
    return this.#call({ call: "keys" }, this.#limits.generate);
  }

  async sign(id: string, digest: Uint8Array): Promise<Uint8Array> {
    if (digest.length !== 32) {
      throw new Fault("ERR_HSM_DIGEST", `The HSM signs digests of exactly 32 bytes; this one has ${digest.length}.`);
    }
    return this.#call({ call: "sign", key: checkId(id), digest }, this.#limits.sign);
  }

  async random(bytes: number): Promise<Uint8Array> {
    if (!Number.isInteger(bytes) || bytes < 1 || bytes > 1024) {
      throw new Fault("ERR_USAGE", "Between 1 and 1024 random bytes can be had at a time.");
    }
    const random = await this.#call({ call: "random", bytes }, this.#limits.other);
    if (random.length !== bytes) throw new Fault("ERR_INTERNAL", "The HSM gave another number of random bytes.");
    return random;
  }

  async readAnchor(): Promise<string | undefined> {
    return (await this.#call({ call: "read-anchor" }, this.#limits.other, this.#written)) ?? undefined;
  }

  async writeAnchor(text: string): Promise<void> {
    if (!v.is(ANCHOR_TEXT, text)) throw new Fault("ERR_USAGE", "An anchor is 1 to 2048 printable ASCII characters.");
    const work = this.#call({ call: "write-anchor", text }, this.#limits.other, this.#written);
    this.#written = work.catch(() => {});
    await work;
  }

  state(): "up" | "down" | "starting" {
    if (this.#starting !== undefined) return "starting";
    return this.#child === undefined ? "down" : "up";
  }

  pid(): number | undefined {
    return this.#child?.pid;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#final = new Fault("ERR_HSM_DOWN", "The HSM was closed.");
    await Promise.allSettled([...this.#busy, this.#starting]);
    const child = this.#child;
    if (child === undefined) return;
    // Ends the child in any case; a module that does not finalize in time is not waited for.
    await child.call({ call: "close" }, this.#limits.other).catch(() => {});
    child.end(this.#final);
    await child.exited;
  }

  /** Asks as soon as the HSM is up and `before` has settled; it must not reject. */
  #call<C extends Command>(command: C, limit: number, before?: Promise<unknown>): Promise<Answer<C["call"]>> {
    const work = this.#ready().then(async (child) => {
      await before;
      return this.#ask(child, command, limit);
    });
    this.#busy.add(work);
    return work.finally(() => this.#busy.delete(work));
  }

  async #ask<C extends Command>(child: Watched, command: C, limit: number): Promise<Answer<C["call"]>> {
    try {
      const answer = await child.call(command, limit);
      this.#failures = 0;
      return answer;
    } catch (error) {
      // The child is well and the HSM is not: a new child initialises the module and logs in afresh.
      if (isFault(error, "ERR_HSM_DOWN")) child.end(error);
      throw error;
    }
  }

  async #ready(): Promise<Watched> {
    if (this.#final !== undefined) throw this.#final;
    if (this.#child !== undefined) return this.#child;
    if (this.#starting !== undefined) return this.#starting;
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
    this.#starting = this.#open().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  async #open(): Promise<Watched> {
    const { module, token, pin, env = {}, sessions = SESSIONS } = this.#options;
    const child: Watched = new Watched(
      // Two threads more than sessions: one for making a key, one for Node's own files.
      { path: this.#program, env, window: 2 * sessions, threads: sessions + 2 },
      () => this.#lost(child),
    );
    // After the first start only the same token will do, not another one with its label.
    const choice = this.#token === undefined ? token : { label: this.#token.label, serial: this.#token.serial };
    try {
      this.#token = await child.call({ call: "open", module, token: choice, pin, sessions }, this.#limits.open);
    } catch (error) {
      const fault = error instanceof Fault ? error : DOWN;
      // A second wrong try could lock the token: this process never tries that PIN again.
      if (fault.code === "ERR_HSM_PIN") this.#final = fault;
      child.end(fault);
      await child.exited;
      throw fault;
    }
    this.#child = child;
    return child;
  }

  #lost(child: Watched): void {
    if (this.#child === child) this.#child = undefined;
    this.#failures += 1;
    const { first, most } = this.#options.backoff ?? BACKOFF;
    const wait = this.#failures === 1 ? 0 : first * 2 ** (this.#failures - 2);
    this.#notBefore = performance.now() + Math.min(wait, most);
  }
}

const DOWN = new Fault("ERR_HSM_DOWN", "The HSM could not be opened. Check the HSM and its network.");

function checkId(id: string): string {
  if (v.is(KEY_ID, id)) return id;
  throw new Fault("ERR_HSM_KEY_MISSING", "A key's id is 32 lower-case hex digits; there is no other key.");
}
