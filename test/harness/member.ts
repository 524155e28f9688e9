/**
 * An approver without a browser: the protocol spoken by a script that holds its extension key and a device key in the clear.
 * It stands for a hostile computer (it sends what no page would) and for the speed of many approvers.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { addressOfPublicKey, personalMessageHash } from "../../protocol/device-signature.ts";
import {
  type Claims,
  type MessageType,
  openEnvelope,
  peekEnvelope,
  seal,
  signEnvelope,
  unseal,
} from "../../protocol/envelope.ts";
import { parseInvite } from "../../protocol/invite.ts";
import {
  APPROVAL,
  ENROLMENT,
  PAIR,
  RECEIPT,
  REFUSAL,
  type Receipt,
  type Refusal,
  SYNC,
  WELCOME,
} from "../../protocol/message.ts";
import type { PublicJwk } from "../../protocol/primitive.ts";
import { REQUEST, type RequestPayload, requestDigest } from "../../protocol/request.ts";
import type { Vendor } from "../../protocol/vendor.ts";
import { BridgeClient, type Key, keyOf, makeKey, newJti, now } from "./bridge-client.ts";
import type { World } from "./world.ts";

/** A device's key, which signs whatever it is told: the opposite of a device. */
export class LooseDevice {
  readonly #secret = secp256k1.keygen().secretKey;
  readonly address = addressOfPublicKey(secp256k1.getPublicKey(this.#secret, false));

  sign(statement: string): string {
    const signature = secp256k1.sign(personalMessageHash(statement), this.#secret, {
      prehash: false,
      format: "recovered",
    });
    return `0x${bytesToHex(signature.subarray(1))}${signature[0] === 1 ? "1c" : "1b"}`;
  }
}

export interface Arrived {
  readonly jws: string;
  readonly payload: RequestPayload;
  readonly digest: string;
  /** The statement as the request gives it; nothing is checked here. */
  readonly statement: string;
}

/** A paired approver. Messages are kept until they are asked for. */
export class Member {
  readonly key: Key;
  readonly device: LooseDevice;
  readonly hsm: string;
  readonly #hsmJwk: PublicJwk;
  readonly #client: BridgeClient;
  readonly #messages: string[] = [];

  private constructor(key: Key, device: LooseDevice, hsm: string, hsmJwk: PublicJwk, client: BridgeClient) {
    this.key = key;
    this.device = device;
    this.hsm = hsm;
    this.#hsmJwk = hsmJwk;
    this.#client = client;
  }

  /** Pairs with a fresh invite; with `enrol` also enrols a device and has the operator confirm it. */
  static async join(world: World, name: string, options: { enrol?: boolean; vendor?: Vendor } = {}): Promise<Member> {
    const { enrol = true, vendor = "Ledger" } = options;
    const { code } = await world.json<{ code: string }>("invite", name, "--role", "approver");
    const member = await Member.pair(world, code);
    if (enrol) await member.enrol(world, name, vendor);
    return member;
  }

  static async pair(world: Pick<World, "port">, code: string): Promise<Member> {
    const invite = parseInvite(code);
    const inviteKey = await keyOf({ ...invite.key, d: invite.d });
    const key = await makeKey();
    const invited = await retry(async () => await BridgeClient.connect(world.port, invite.hsm, inviteKey));
    const jws = await message(PAIR, inviteKey, invite.hsm, { key: key.jwk });
    invited.send({ v: 1, t: "send", id: newJti(), to: invite.hsm, body: seal(jws) });
    const frame = await invited.take((f) => f.t === "deliver");
    invited.close();
    if (frame.t !== "deliver") throw new Error("no welcome");
    const answer = unseal(frame.body);
    const claimed = JSON.parse(Buffer.from(answer.split(".")[1] ?? "", "base64url").toString()) as {
      hsm?: PublicJwk;
      code?: string;
    };
    if (claimed.hsm === undefined) throw Object.assign(new Error(claimed.code ?? "refused"), { code: claimed.code });
    const hsmJwk = claimed.hsm;
    await openEnvelope(answer, {
      type: WELCOME,
      keyOf: (kid) => (kid === invite.hsm ? hsmJwk : undefined),
      audience: key.signer.kid,
      now: now(),
    });
    const client = await retry(async () => await BridgeClient.connect(world.port, invite.hsm, key));
    return new Member(key, new LooseDevice(), invite.hsm, hsmJwk, client);
  }

  async enrol(world: World, name: string, vendor: Vendor, address = this.device.address): Promise<void> {
    await this.announce(vendor, address);
    await retry(async () => await world.json("members", "confirm", name, address));
  }

  /** Sends the enrolment of a device, which the operator then confirms. */
  async announce(vendor: Vendor = "Ledger", address = this.device.address): Promise<void> {
    await this.post(ENROLMENT, {
      address,
      vendor,
      model: vendor === "Ledger" ? "nano-s-plus" : "trezor-one",
      path: "m/44'/60'/7'/0/0",
    });
  }

  /** Sends a message of this member and returns its jti. */
  async post<T extends Claims>(
    type: MessageType<T>,
    body: Omit<T, keyof Claims>,
    key: Key = this.key,
  ): Promise<string> {
    const jws = await message(type, key, this.hsm, body);
    this.postRaw(jws);
    return (JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString()) as { jti: string }).jti;
  }

  /** Sends any JWS as the body of a frame. */
  postRaw(jws: string): void {
    this.#client.send({ v: 1, t: "send", id: newJti(), to: this.hsm, body: seal(jws) });
  }

  async approve(
    arrived: Arrived,
    change: Partial<{ signature: string; digest: string; request: string; address: string }> = {},
  ): Promise<string> {
    const body = {
      request: arrived.payload.request,
      digest: arrived.digest,
      address: this.device.address,
      signature: this.device.sign(arrived.statement),
    };
    return await this.post(APPROVAL, { ...body, ...change });
  }

  /** The next request that comes, or the one with this id. */
  async request(id?: string): Promise<Arrived> {
    return await this.#find(REQUEST, ({ payload, jws, bytes }) => {
      if (id !== undefined && payload.request !== id) return undefined;
      const digest = requestDigest(bytes);
      return { jws, payload, digest, statement: payload.statement.replace("{digest}", digest) };
    });
  }

  /** The next receipt of a request that satisfies `until`. */
  async receipt(id: string, until: (receipt: Receipt) => boolean = () => true): Promise<Receipt> {
    return await this.#find(RECEIPT, ({ payload }) => (payload.request === id && until(payload) ? payload : undefined));
  }

  /** The refusal of the message `jti`. */
  async refusal(jti: string): Promise<Refusal> {
    return await this.#find(REFUSAL, ({ payload }) => (payload.of === jti ? payload : undefined));
  }

  async sync(known: string[] = []): Promise<void> {
    await this.post(SYNC, { known });
  }

  close(): void {
    this.#client.close();
  }

  async #find<T extends Claims, R>(
    type: MessageType<T>,
    pick: (opened: { payload: T; bytes: Uint8Array; jws: string }) => R | undefined,
  ): Promise<R> {
    for (let at = 0; ; at += 1) {
      const jws = this.#messages[at] ?? (await this.#next());
      if (peekEnvelope(jws).typ !== type.typ) continue;
      const opened = await openEnvelope(jws, {
        type,
        keyOf: (kid) => (kid === this.hsm ? this.#hsmJwk : undefined),
        audience: this.key.signer.kid,
        now: now(),
      });
      const picked = pick({ ...opened, jws });
      if (picked !== undefined) return picked;
    }
  }

  async #next(): Promise<string> {
    const frame = await this.#client.take((f) => f.t === "deliver");
    if (frame.t !== "deliver") throw new Error("not a delivery");
    this.#client.send({ v: 1, t: "ack", seq: frame.seq });
    const jws = unseal(frame.body);
    this.#messages.push(jws);
    return jws;
  }
}

async function message<T extends Claims>(
  type: MessageType<T>,
  key: Key,
  audience: string,
  body: Omit<T, keyof Claims>,
): Promise<string> {
  const iat = now();
  const claims: Claims = { v: 1, iss: key.signer.kid, aud: [audience], jti: newJti(), iat, exp: iat + 3600 };
  return await signEnvelope(type, { ...claims, ...body } as unknown as T, key.signer);
}

/** Tries again for a while: what is waited for happens in another process. */
export async function retry<T>(attempt: () => Promise<T>, tries = 100): Promise<T> {
  for (let left = tries; ; left -= 1) {
    try {
      return await attempt();
    } catch (error) {
      if (left <= 1) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
