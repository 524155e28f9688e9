/**
 * The child's sessions: a bounded number, one operation each, and the handles of the keys found in this login.
 *
 * Handles live as long as the login: `reopen` forgets them all. When to reopen, and when that does not help, is the owner's
 * business (connection.ts). Implements protocol/README.md, "Keys".
 */

import { Fault, isFault } from "../../protocol/error.ts";
import { readAnchor, writeAnchor } from "./anchor.ts";
import type { Disk } from "./disk.ts";
import { findKey, generateKey, type LoadedKey, listKeyIds, requireLogin } from "./keys.ts";
import type { Module, Session, Token } from "./pkcs11.ts";
import { isHandleDead, ModuleFault } from "./rv.ts";
import type { HsmKey, KeyRequest } from "./wire.ts";

export class Pool {
  readonly #module: Module;
  #token: Token;
  readonly #pin: string | undefined;
  readonly #disk: Disk | undefined;
  /** Held open without work: the token logs out when its last session closes, and all handles would die. */
  #keeper: Session | undefined;
  #idle: Session[] = [];
  readonly #waiting: (() => void)[] = [];
  #free: number;
  /** Counts the logins: sessions and handles of an earlier one are not used again. */
  #generation = 0;
  /** Promises, so that callers who arrive together share one look-up (25 ms where a token has 500 keys). */
  readonly #keys = new Map<string, Promise<LoadedKey>>();
  /** Keys made here that may not outlive a power cut; never offered, even where they could not be destroyed. */
  readonly #doubtful = new Set<string>();

  /**
   * Logs in with one attempt; without a PIN the login of the same process's first pool is used. `size` is the number of sessions; `disk`
   * where the token's files are, if they are files.
   */
  constructor(module: Module, token: Token, pin: string | undefined, size: number, disk?: Disk) {
    this.#module = module;
    this.#token = token;
    this.#pin = pin;
    this.#disk = disk;
    this.#free = size;
    this.#logIn();
  }

  #logIn(): void {
    if (this.#pin === undefined) return;
    this.#keeper = this.#module.openSession(this.#token, "read-only");
    this.#module.login(this.#keeper, this.#token, this.#pin);
  }

  /** Finds a session that died while nobody used it. ERR_HSM_DOWN. */
  ping(): void {
    if (this.#keeper !== undefined) requireLogin(this.#module, this.#keeper);
  }

  /**
   * New sessions and a new login in the module as it is; all handles are forgotten. Operations under way end on their old sessions,
   * which are not used again. One attempt, on the same token, in whatever slot it is: ERR_HSM_DOWN, ERR_HSM_PIN, ERR_HSM_TOKEN.
   */
  reopen(): void {
    const old = [...(this.#keeper === undefined ? [] : [this.#keeper]), ...this.#idle];
    this.#idle = [];
    this.#generation += 1;
    this.#keys.clear();
    for (const session of old) this.#close(session);
    const { label, serial } = this.#token;
    // Another token may be in that slot by now: the PIN is tried on none but its own.
    this.#token = this.#module.findToken({ label, serial });
    this.#logIn();
    this.ping();
  }

  /** Makes a key under a fresh random id, and makes it durable. A key of which that is not sure is destroyed: ERR_HSM_DOWN. */
  async generate(request: KeyRequest): Promise<HsmKey> {
    const id = await this.#use((session) => this.#module.random(session, 16));
    const session = this.#module.openSession(this.#token, "read-write");
    try {
      const name = id.toString("hex");
      // Not offered by a listing that runs meanwhile, either.
      this.#doubtful.add(name);
      const loaded = await generateKey(this.#module, session, id, request, async () => await this.#disk?.sync());
      this.#doubtful.delete(name);
      this.#keys.set(name, Promise.resolve(loaded));
      return loaded.key;
    } finally {
      this.#close(session);
    }
  }

  /** Looks the key up anew and checks it again, whatever is cached. */
  async find(id: string): Promise<HsmKey> {
    this.#keys.delete(id);
    const { key } = await this.#use((session) => this.#load(session, id));
    return key;
  }

  /** All keys that `find` would return; foreign, ambiguous and half-made ones are left out. */
  async list(): Promise<HsmKey[]> {
    const ids = await this.#use((session) => listKeyIds(this.#module, session));
    const keys: HsmKey[] = [];
    for (const id of ids) {
      try {
        keys.push(await this.find(id));
      } catch (error) {
        if (!UNUSABLE.some((code) => isFault(error, code))) throw error;
      }
    }
    return keys;
  }

  /** 64 bytes r || s over a digest of 32 bytes, not normalised and not verified here. */
  async sign(id: string, digest: Uint8Array): Promise<Uint8Array> {
    if (digest.length !== 32) throw new Fault("ERR_HSM_DIGEST", "Only digests of exactly 32 bytes are signed.");
    try {
      return await this.#signOnce(id, digest);
    } catch (error) {
      if (!isHandleDead(error)) throw error;
      // The object moved, not the key: one more look. Nothing was signed.
      this.#keys.delete(id);
      return this.#signOnce(id, digest);
    }
  }

  random(bytes: number): Promise<Uint8Array> {
    return this.#use((session) => this.#module.random(session, bytes));
  }

  readAnchor(): Promise<string | undefined> {
    return this.#use((session) => readAnchor(this.#module, session));
  }

  /** Written before anything else of this process runs, so writes that arrive together come one after the other; then made durable. */
  async writeAnchor(text: string): Promise<void> {
    const session = this.#module.openSession(this.#token, "read-write");
    try {
      writeAnchor(this.#module, session, text);
    } finally {
      this.#close(session);
    }
    await this.#disk?.sync();
  }

  #signOnce(id: string, digest: Uint8Array): Promise<Uint8Array> {
    return this.#use(async (session) => {
      const { handle } = await this.#load(session, id);
      const signature = await this.#module.sign(session, handle, digest);
      if (signature.length !== 64) throw new Fault("ERR_HSM_SIGNATURE", "The HSM's signature is not 64 bytes long.");
      return signature;
    });
  }

  #load(session: Session, id: string): Promise<LoadedKey> {
    const known = this.#keys.get(id);
    if (known !== undefined) return known;
    if (this.#doubtful.has(id)) throw unfinished(id);
    const loading = findKey(this.#module, session, id);
    this.#keys.set(id, loading);
    loading.catch(() => {
      if (this.#keys.get(id) === loading) this.#keys.delete(id);
    });
    return loading;
  }

  async #use<T>(work: (session: Session) => Promise<T> | T): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const generation = this.#generation;
    let session: Session | undefined;
    try {
      session = this.#idle.pop() ?? this.#module.openSession(this.#token, "read-only");
      const result = await work(session);
      this.#release(session, generation);
      return result;
    } catch (error) {
      // After a fault of the module nobody knows whether an operation is still active: that session is not handed out again.
      if (session !== undefined) {
        if (error instanceof ModuleFault) this.#close(session);
        else this.#release(session, generation);
      }
      throw error;
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }

  /** Only sessions of the present login are used again. */
  #release(session: Session, generation: number): void {
    if (generation === this.#generation) this.#idle.push(session);
    else this.#close(session);
  }

  #close(session: Session): void {
    try {
      this.#module.closeSession(session);
    } catch {
      // It was dead already, which is as good as closed.
    }
  }
}

function unfinished(id: string): Fault {
  return new Fault("ERR_HSM_KEY_MISSING", `The HSM's key ${id} was not made to its end; it is not used.`);
}

/** What makes one key unusable without saying anything about the HSM. */
const UNUSABLE = [
  "ERR_HSM_KEY_MISSING",
  "ERR_HSM_KEY_AMBIGUOUS",
  "ERR_HSM_KEY_ATTRIBUTES",
  "ERR_HSM_SIGNATURE",
] as const;
