/**
 * Reads what passes a bridge as nobody between two ends can: code that is loaded into the agent's process writes down what the agent
 * seals, and the private halves of its receiving keys. With it a test's attacker knows every message in the clear, which a bridge never
 * does, and still must get nowhere. It holds no key that signs, and changes nothing of what the agent does.
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { importJWK, type JWK } from "jose";
import { PAIR, SYNC } from "../../protocol/message.ts";
import { type PublicJwk, thumbprint } from "../../protocol/primitive.ts";
import { unseal } from "../../protocol/seal.ts";
import { VIEW } from "./forged-view.ts";
import { claimsOf, typOf } from "./message.ts";

type Line = { readonly iv: string; readonly text: string } | { readonly key: JWK };

export class Spy {
  /** To be loaded into the agent: an option of `makeWorld`. */
  readonly module: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "opencustody-spy-"));
  readonly #notes = join(this.#folder, "notes");
  #read = 0;
  #rest = "";
  /** What was sealed, by the iv of its seal. */
  readonly #sealed = new Map<string, string>();
  readonly #keys = new Map<string, CryptoKey>();
  /** The newest key that an extension receives with, by the key that it signs with. */
  readonly #receivers = new Map<string, PublicJwk>();

  constructor() {
    this.module = join(this.#folder, "spy.mjs");
    writeFileSync(this.#notes, "");
    writeFileSync(this.module, `const notes = ${JSON.stringify(this.#notes)};\n${PRELOADED}`);
  }

  /** The JWS in a sealed body, or undefined where it is not from or to the agent. */
  async read(body: string): Promise<string | undefined> {
    await this.#catchUp();
    const [, , iv = ""] = body.split(".");
    const jws = this.#sealed.get(iv) ?? (await unseal(body, (kid) => this.#keys.get(kid)).catch(() => undefined));
    if (jws !== undefined) this.#learn(jws);
    return jws;
  }

  /** The key that the extension with this thumbprint receives with. */
  sealOf(kid: string): PublicJwk {
    const key = this.#receivers.get(kid);
    if (key === undefined) throw new Error("that extension has not told its receiving key yet");
    return key;
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #learn(jws: string): void {
    const typ = typOf(jws);
    // It tells of no key.
    if (typ === VIEW.typ) return;
    const claims = claimsOf(jws);
    if (typ === PAIR.typ) this.#receivers.set(thumbprint(claims["key"] as PublicJwk), claims["seal"] as PublicJwk);
    if (typ === SYNC.typ) this.#receivers.set(String(claims["iss"]), (claims["seal"] as { key: PublicJwk }).key);
  }

  async #catchUp(): Promise<void> {
    const file = openSync(this.#notes, "r");
    const chunk = Buffer.alloc(1 << 16);
    for (let size = 1; size > 0; ) {
      size = readSync(file, chunk, 0, chunk.length, this.#read);
      this.#read += size;
      // All of it is ASCII.
      this.#rest += chunk.toString("latin1", 0, size);
    }
    closeSync(file);
    const lines = this.#rest.split("\n");
    this.#rest = lines.pop() ?? "";
    for (const text of lines) await this.#take(JSON.parse(text) as Line);
  }

  async #take(line: Line): Promise<void> {
    if ("iv" in line) {
      this.#sealed.set(line.iv, line.text);
      return;
    }
    const { x = "", y = "" } = line.key;
    const key = await importJWK(line.key, "ECDH-ES");
    if (!(key instanceof Uint8Array)) this.#keys.set(thumbprint({ kty: "EC", crv: "P-256", x, y }), key);
  }
}

/** Wraps what seals (AES-GCM) and what makes receiving keys (ECDH), in the agent's process only. */
const PRELOADED = `
import { appendFileSync } from "node:fs";
if (process.argv.at(-1) === "agent") {
  const { subtle } = globalThis.crypto;
  const { encrypt, generateKey } = subtle;
  const note = (line) => appendFileSync(notes, JSON.stringify(line) + "\\n");
  subtle.encrypt = async (how, key, data) => {
    const iv = Buffer.from(how.iv).toString("base64url");
    note({ iv, text: Buffer.from(data).toString("latin1").replace(/=+$/, "") });
    return await encrypt.call(subtle, how, key, data);
  };
  subtle.generateKey = async (how, extractable, uses) => {
    const made = await generateKey.call(subtle, how, extractable, uses);
    if (how.name === "ECDH" && extractable) note({ key: await subtle.exportKey("jwk", made.privateKey) });
    return made;
  };
}
`;
