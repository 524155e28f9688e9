/**
 * The child's sessions: a bounded number, one operation each, and the handles of the keys found in this login.
 *
 * Logs in once; handles live as long as the pool, because every new login is a new pool. Does not recover from a lost token: that
 * fault reaches the owner, which starts a new child. Implements protocol/README.md, "Keys".
 */

import { Fault, isFault } from "../../protocol/error.ts";
import { readAnchor, writeAnchor } from "./anchor.ts";
import { findKey, generateKey, type LoadedKey, listKeyIds } from "./keys.ts";
import type { Module, Session, Token } from "./pkcs11.ts";
import { isHandleDead, ModuleFault } from "./rv.ts";
import type { HsmKey, KeyRequest } from "./wire.ts";

export class Pool {
  readonly #module: Module;
  readonly #token: Token;
  /** Held open without work: the token logs out when its last session closes, and all handles would die. */
  readonly #keeper: Session;
  readonly #idle: Session[] = [];
  readonly #waiting: (() => void)[] = [];
  #free: number;
  /** Promises, so that callers who arrive together share one look-up (25 ms where a token has 500 keys). */
  readonly #keys = new Map<string, Promise<LoadedKey>>();

  /** Logs in with one attempt. `size` is the number of operations at a time. */
  constructor(module: Module, token: Token, pin: string, size: number) {
    this.#module = module;
    this.#token = token;
    this.#free = size;
    this.#keeper = module.openSession(token, "read-only");
    module.login(this.#keeper, token, pin);
  }

  /** Makes a key under a fresh random id. */
  async generate(request: KeyRequest): Promise<HsmKey> {
    const id = await this.#use((session) => this.#module.random(session, 16));
    const session = this.#module.openSession(this.#token, "read-write");
    try {
      const loaded = await generateKey(this.#module, session, id, request);
      this.#keys.set(loaded.key.id, Promise.resolve(loaded));
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

  /** Runs to its end before anything else of this process does, so writes that arrive together come one after the other. */
  async writeAnchor(text: string): Promise<void> {
    const session = this.#module.openSession(this.#token, "read-write");
    try {
      writeAnchor(this.#module, session, text);
    } finally {
      this.#close(session);
    }
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
    let session: Session | undefined;
    try {
      session = this.#idle.pop() ?? this.#module.openSession(this.#token, "read-only");
      const result = await work(session);
      this.#idle.push(session);
      return result;
    } catch (error) {
      // After a fault of the module nobody knows whether an operation is still active: that session is not handed out again.
      if (session !== undefined) {
        if (error instanceof ModuleFault) this.#close(session);
        else this.#idle.push(session);
      }
      throw error;
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }

  #close(session: Session): void {
    try {
      this.#module.closeSession(session);
    } catch {
      // It was dead already, which is as good as closed.
    }
  }
}

/** What makes one key unusable without saying anything about the HSM. */
const UNUSABLE = [
  "ERR_HSM_KEY_MISSING",
  "ERR_HSM_KEY_AMBIGUOUS",
  "ERR_HSM_KEY_ATTRIBUTES",
  "ERR_HSM_SIGNATURE",
] as const;
