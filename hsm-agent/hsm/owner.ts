/**
 * The HSM as the agent sees it: what can be asked of it, each question checked before it is sent to the child process that has the
 * PKCS#11 module. How that process is kept and brought back: connection.ts.
 *
 * Nothing is retried here: a call that was under way is rejected, and its caller knows whether to ask again. Signatures come as
 * the HSM made them; signer.ts is what the rest of the agent uses. Implements protocol/README.md, "Keys".
 */

import * as v from "valibot";
import { Fault } from "../../protocol/error.ts";
import { Connection } from "./connection.ts";
import type { Health } from "./health.ts";
import type { TokenChoice, TokenInfo } from "./pkcs11.ts";
import { ANCHOR_TEXT, type HsmKey, KEY_ID, KEY_LABEL, type KeyRequest } from "./wire.ts";

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
  /**
   * Folder in which a software token keeps its files; every file and folder in it is synced to the disk at each start and after a key or
   * an anchor was made, before anybody hears of it. Says too that the module computes on this machine: as many threads sign as it has cores, and one.
   */
  readonly files?: string;
  /** Milliseconds between two looks at an HSM that is up, so that one that died idle is found. */
  readonly probe?: number;
  /** Milliseconds between starts: none after the first loss, then `first`, doubled up to `most`, until a call succeeds. */
  readonly backoff?: { readonly first: number; readonly most: number };
}

/** The HSM. Every call rejects with a Fault; ERR_HSM_TIMEOUT and ERR_HSM_DOWN say nothing about whether the HSM did its work. */
export interface Hsm {
  token(): Promise<TokenInfo>;
  /**
   * Makes a key pair, checks its attributes and has it sign once. Whether it outlives a power cut is the HSM's promise; SoftHSM makes
   * none, so with `files` it is synced here. After ERR_HSM_TIMEOUT or ERR_HSM_DOWN a key that nobody knows may be left in the HSM.
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
  state(): Health["state"];
  /** How it is and what it was last lost by, for `status` and the metrics. */
  health(): Health;
  /** Calls `listener` after each change of state; the answer ends that. */
  onState(listener: (health: Health) => void): () => void;
  /** The child's process id while there is one, for logs. */
  pid(): number | undefined;
  /** Lets what is under way finish, logs out and ends the child. Safe to repeat. */
  close(): Promise<void>;
}

/**
 * Starts the child, opens the module and logs in: one attempt, so that the agent refuses to start on a wrong configuration.
 * ERR_HSM_CONFIG, ERR_HSM_TOKEN, ERR_HSM_PIN, ERR_HSM_TIMEOUT, ERR_HSM_DOWN. Once open, it comes back by itself. `program` is the
 * child's; tests give their own.
 */
export async function openHsm(options: HsmOptions, program?: string): Promise<Hsm> {
  const connection = new Connection(options, program);
  await connection.start();
  return new Owner(connection);
}

class Owner implements Hsm {
  readonly #connection: Connection;
  /** The last write of the anchor, settled or not; never rejects. */
  #written: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  token(): Promise<TokenInfo> {
    return this.#connection.token();
  }

  async generateKey({ curve, label, backup }: KeyRequest): Promise<HsmKey> {
    if (!v.is(KEY_LABEL, label)) throw new Fault("ERR_USAGE", "A key's label is 1 to 64 printable ASCII characters.");
    return this.#connection.call({ call: "generate", curve, label, backup }, this.#connection.limits.generate);
  }

  async findKey(id: string): Promise<HsmKey> {
    return this.#connection.call({ call: "find", key: checkId(id) }, this.#connection.limits.other);
  }

  async keys(): Promise<HsmKey[]> {
    return this.#connection.call({ call: "keys" }, this.#connection.limits.generate);
  }

  async sign(id: string, digest: Uint8Array): Promise<Uint8Array> {
    if (digest.length !== 32) {
      throw new Fault("ERR_HSM_DIGEST", `The HSM signs digests of exactly 32 bytes; this one has ${digest.length}.`);
    }
    return this.#connection.sign(checkId(id), digest);
  }

  async random(bytes: number): Promise<Uint8Array> {
    if (!Number.isInteger(bytes) || bytes < 1 || bytes > 1024) {
      throw new Fault("ERR_USAGE", "Between 1 and 1024 random bytes can be had at a time.");
    }
    const random = await this.#connection.call({ call: "random", bytes }, this.#connection.limits.other);
    if (random.length !== bytes) throw new Fault("ERR_INTERNAL", "The HSM gave another number of random bytes.");
    return random;
  }

  async readAnchor(): Promise<string | undefined> {
    return (
      (await this.#connection.call({ call: "read-anchor" }, this.#connection.limits.other, this.#written)) ?? undefined
    );
  }

  async writeAnchor(text: string): Promise<void> {
    if (!v.is(ANCHOR_TEXT, text)) throw new Fault("ERR_USAGE", "An anchor is 1 to 2048 printable ASCII characters.");
    const work = this.#connection.call({ call: "write-anchor", text }, this.#connection.limits.other, this.#written);
    this.#written = work.catch(() => {});
    await work;
  }

  state(): Health["state"] {
    return this.#connection.health.state;
  }

  health(): Health {
    return this.#connection.health;
  }

  onState(listener: (health: Health) => void): () => void {
    return this.#connection.condition.onState(listener);
  }

  pid(): number | undefined {
    return this.#connection.pid;
  }

  close(): Promise<void> {
    this.#closing ??= this.#connection.close();
    return this.#closing;
  }
}

function checkId(id: string): string {
  if (v.is(KEY_ID, id)) return id;
  throw new Fault("ERR_HSM_KEY_MISSING", "A key's id is 32 lower-case hex digits; there is no other key.");
}
