/**
 * For the tests of this folder only: an agent's desk over a real record in a temporary folder, people with keys in the clear, and
 * an HSM in memory that signs with noble's curves. SoftHSM itself is in test/*.spec.ts. No part of the program imports it.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { pino } from "pino";
import { addressOfPublicKey, personalMessageHash } from "../protocol/device-signature.ts";
import { type Claims, type MessageType, type Signer, signEnvelope } from "../protocol/envelope.ts";
import { Fault } from "../protocol/error.ts";
import { APPROVAL, PROPOSAL, REJECTION, type Role, WITHDRAWAL } from "../protocol/message.ts";
import { jwkOfPoint, type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import { type Desk, identityOf } from "./desk.ts";
import { changePeople, createVault, found, setPolicy } from "./directory.ts";
import type { Hsm } from "./hsm/owner.ts";
import type { HsmKey, KeyRequest } from "./hsm/wire.ts";
import { receive } from "./inbound.ts";
import { Journal } from "./journal.ts";
import { addDevice, addKey, confirmDevice } from "./people.ts";
import { propose } from "./proposals.ts";
import type { RequestRow } from "./rows.ts";
import { readBack } from "./verify.ts";

export const NETWORK = "eip155:1";
export const VAULT = "Treasury-1";
export const TO = "0x52908400098527886E0F7030069857D2E4169EE7";
export const USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48";
/** When every test begins. Seconds. */
export const START = 1_800_000_000;

export const newJti = (): string => randomBytes(16).toString("base64url");

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

  keys = async (): Promise<HsmKey[]> => [...this.#keys.values()].map(({ key }) => key);
  random = async (bytes: number): Promise<Uint8Array> => new Uint8Array(randomBytes(bytes));
  token = async () => ({ label: "memory", serial: "1", manufacturer: "none", model: "none" });
  state = (): "up" => "up";
  pid = (): undefined => undefined;
  close = async (): Promise<void> => {};
}

/** A P-256 key of an extension, an invite or a key file. */
export interface Key {
  readonly jwk: PublicJwk;
  readonly kid: string;
  readonly signer: Signer;
}

export function makeKey(): Key {
  const { secretKey } = p256.keygen();
  const jwk = jwkOfPoint(p256.getPublicKey(secretKey, false));
  const kid = thumbprint(jwk);
  return { jwk, kid, signer: { kid, sign: async (input) => p256.sign(input, secretKey) } };
}

/** A person with one key and one device, which signs whatever it is told. */
export interface Person {
  readonly name: string;
  readonly key: Key;
  readonly address: string;
  readonly sign: (statement: string) => string;
}

export function makePerson(name: string): Person {
  const { secretKey } = secp256k1.keygen();
  const address = addressOfPublicKey(secp256k1.getPublicKey(secretKey, false));
  const sign = (statement: string) => {
    const made = secp256k1.sign(personalMessageHash(statement), secretKey, { prehash: false, format: "recovered" });
    return `0x${bytesToHex(made.subarray(1))}${made[0] === 1 ? "1c" : "1b"}`;
  };
  return { name, key: makeKey(), address, sign };
}

/** An agent without link, socket and timers. `desk` is another one after `reopen`. */
export class Office {
  readonly folder = mkdtempSync(join(tmpdir(), "opencustody-agent-"));
  readonly path = join(this.folder, "agent.db");
  readonly hsm: MemoryHsm;
  now = START;
  desk: Desk;

  private constructor(key: HsmKey, hsm: MemoryHsm) {
    this.hsm = hsm;
    this.desk = {
      journal: new Journal(this.path),
      hsm,
      identity: identityOf(hsm, key),
      bridgeUrl: "wss://bridge.example.com/",
      log: pino({ level: "silent" }),
      now: () => this.now,
      wake: () => {},
    };
  }

  /** Vault with next nonce 7, Olga who proposes, and `approvers` with enrolled devices of whom `threshold` must approve. */
  static async open(approvers: readonly Person[], threshold = 2, olga = makePerson("Olga")): Promise<Office> {
    const hsm = new MemoryHsm();
    const office = new Office(await hsm.generateKey({ curve: "P-256", label: "identity", backup: "none" }), hsm);
    const { desk } = office;
    found(desk.journal, START);
    await createVault(desk, VAULT, "none", [{ network: NETWORK, nonce: 7 }]);
    office.add(olga, ["initiator"], "files");
    for (const person of approvers) {
      office.add(person);
      const device = { address: person.address, vendor: "Ledger", model: "nano-x" } as const;
      changePeople(desk, (people) => addDevice(people, person.name, device));
      changePeople(desk, (people) => confirmDevice(people, person.name, person.address));
    }
    office.setPolicy(
      approvers.map(({ name }) => name),
      threshold,
    );
    return office;
  }

  add(person: Person, roles: readonly Role[] = ["approver"], kind: "extensions" | "files" = "extensions"): string[] {
    return changePeople(this.desk, (people) => addKey(people, person.name, roles, kind, person.key.jwk));
  }

  setPolicy(members: readonly string[], threshold: number): void {
    setPolicy(this.desk, policyOf(members, threshold));
  }

  /** A signed message to the agent. */
  async message<T extends Claims>(
    type: MessageType<T>,
    key: Key,
    body: Omit<T, keyof Claims>,
    claims: Partial<Claims> = {},
  ): Promise<string> {
    const aud = [this.desk.identity.signer.kid];
    const own = { v: 1, iss: key.kid, aud, jti: newJti(), iat: this.now, exp: this.now + 86_400, ...claims };
    return await signEnvelope(type, { ...own, ...body } as unknown as T, key.signer);
  }

  /** Proposes a transfer; the request is not issued yet. */
  async propose(by: Person, amount = "1.5"): Promise<string> {
    const gas = { limit: "21000", maxFeePerGas: "30000000000", maxPriorityFeePerGas: "1000000000" };
    const body = { vault: VAULT, network: NETWORK, asset: "ETH", amount, to: TO, gas };
    return (await propose(this.desk, await this.message(PROPOSAL, by.key, body))).request;
  }

  async approval(by: Person, id: string, claims: Partial<Claims> = {}): Promise<string> {
    const row = this.row(id);
    const signature = by.sign(readBack(row).statement);
    const body = { request: id, digest: row.digest, address: by.address, signature };
    return await this.message(APPROVAL, by.key, body, claims);
  }

  /** The message is received; returns the code of its refusal, or undefined where it was accepted. */
  async approve(by: Person, id: string): Promise<string | undefined> {
    return await this.receive(by.key, await this.approval(by, id));
  }

  async reject(by: Person, id: string): Promise<string | undefined> {
    const body = { request: id, digest: this.row(id).digest, reason: "suspicious" } as const;
    return await this.receive(by.key, await this.message(REJECTION, by.key, body));
  }

  async withdraw(by: Person, id: string): Promise<string | undefined> {
    const body = { request: id, digest: this.row(id).digest };
    return await this.receive(by.key, await this.message(WITHDRAWAL, by.key, body));
  }

  async receive(from: Key, body: string): Promise<string | undefined> {
    const before = this.sent("oc-refusal+jws").length;
    await receive(this.desk, from.kid, body);
    const refusal = this.sent("oc-refusal+jws").slice(before).at(-1);
    return typeof refusal?.["code"] === "string" ? refusal["code"] : undefined;
  }

  /** Payloads of this type in the outbox, oldest first. */
  sent(typ: string): Record<string, unknown>[] {
    return this.desk.journal
      .outbox(10_000)
      .map(({ jws, receiver }) => ({ parts: jws.split("."), receiver }))
      .filter(({ parts }) => decode(parts[0])["typ"] === typ)
      .map(({ parts, receiver }) => ({ ...decode(parts[1]), receiver }));
  }

  row(id: string): RequestRow {
    const row = this.desk.journal.request(id);
    if (row === undefined) throw new Error(`no request ${id}`);
    return row;
  }

  /** The agent was killed and starts again; `meanwhile` may change its record. */
  reopen(meanwhile: (path: string) => void = () => {}): void {
    this.desk.journal.close();
    meanwhile(this.path);
    this.desk = { ...this.desk, journal: new Journal(this.path) };
  }

  dispose(): void {
    this.desk.journal.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The operator's policy for the one vault. */
export function policyOf(members: readonly string[], threshold: number) {
  return {
    v: 1,
    networks: [{ id: NETWORK, name: "Ethereum", symbol: "ETH", decimals: 18 }],
    tokens: [{ network: NETWORK, contract: USDC, symbol: "USDC", decimals: 6 }],
    groups: [{ name: "Treasury", members: [...members] }],
    rules: [{ vault: VAULT, network: NETWORK, approvers: "Treasury", threshold, maxFee: "0.012", expiresAfter: 60 }],
  };
}

/** What a matcher of vitest compares a Fault with. */
export function fault(code: string): unknown {
  return { name: "Fault", code };
}

function decode(part = ""): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, "base64url").toString("utf8")) as Record<string, unknown>;
}
