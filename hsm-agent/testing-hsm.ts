/** For the tests of this folder only: an HSM in memory that signs with noble's curves. SoftHSM itself is in agent.test.ts and test/. */
import { randomBytes } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import * as v from "valibot";
import { Fault } from "../protocol/error.ts";
import type { Hsm } from "./hsm/owner.ts";
import { ANCHOR_TEXT, type HsmKey, type KeyRequest } from "./hsm/wire.ts";

/** Signs with keys in memory. `before` may wait or throw in the place of the HSM. */
export class MemoryHsm implements Hsm {
  before: (key: HsmKey) => Promise<void> | void = () => {};
  readonly signatures: { readonly id: string; readonly digest: string }[] = [];
  readonly #keys = new Map<string, { key: HsmKey; secret: Uint8Array }>();

  async generateKey({ curve, label, backup }: KeyRequest): Promise<HsmKey> {
    const kind = curve === "P-256" ? p256 : secp256k1;
    const { secretKey } = kind.keygen();
    const id = randomBytes(16).toString("hex");
    const key = { id, curve, label, backup, publicKey: kind.getPublicKey(secretKey, false) };
    this.#keys.set(id, { key, secret: secretKey });
    return key;
  }

  async sign(id: string, digest: Uint8Array): Promise<Uint8Array> {
    const found = this.#keys.get(id);
    if (found === undefined) throw new Fault("ERR_HSM_KEY_MISSING", "There is no such key.");
    await this.before(found.key);
    this.signatures.push({ id, digest: bytesToHex(digest) });
    const kind = found.key.curve === "P-256" ? p256 : secp256k1;
    // Randomised, as HSMs do it: two signatures of the same bytes differ.
    return kind.sign(digest, found.secret, { prehash: false, extraEntropy: true });
  }

  async findKey(id: string): Promise<HsmKey> {
    const found = this.#keys.get(id);
    if (found === undefined) throw new Fault("ERR_HSM_KEY_MISSING", "There is no such key.");
    return found.key;
  }

  /** The key is gone from the HSM. */
  lose(id: string): void {
    this.#keys.delete(id);
  }

  /** Another token with the same keys and anchor. */
  copy(): MemoryHsm {
    const copy = new MemoryHsm();
    for (const [id, row] of this.#keys) copy.#keys.set(id, row);
    copy.anchor = this.anchor;
    return copy;
  }

  /** What the token keeps against rollback; a test may put an older one back. */
  anchor: string | undefined;

  async readAnchor(): Promise<string | undefined> {
    return this.anchor;
  }

  async writeAnchor(text: string): Promise<void> {
    if (!v.is(ANCHOR_TEXT, text)) throw new Fault("ERR_USAGE", "An anchor is 1 to 2048 printable ASCII characters.");
    this.anchor = text;
  }

  keys = async (): Promise<HsmKey[]> => [...this.#keys.values()].map(({ key }) => key);
  random = async (bytes: number): Promise<Uint8Array> => new Uint8Array(randomBytes(bytes));
  token = async () => ({ label: "memory", serial: "1", manufacturer: "none", model: "none" });
  state = (): "up" => "up";
  health = () => ({ state: "up" as const, since: 0, failures: 0, lastFault: null, restarts: 0 });
  onState = () => (): void => {};
  pid = (): undefined => undefined;
  close = async (): Promise<void> => {};
}

/** What an HSM that is away answers: for `before`. */
export function away(): never {
  throw new Fault("ERR_HSM_DOWN", "The HSM is down.");
}
