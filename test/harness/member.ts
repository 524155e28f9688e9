/**
 * A person without a browser: the protocol spoken by a script that holds its extension's keys and a device key in the clear.
 * It stands for a hostile computer (it sends what no page would) and for the speed of many people.
 */
import type { Charter } from "../../protocol/charter.ts";
import type { Claims, MessageType } from "../../protocol/envelope.ts";
import { parseInvite } from "../../protocol/invite.ts";
import type { Receipt } from "../../protocol/log-entry.ts";
import {
  APPROVAL,
  type Approval,
  ENROLMENT,
  FREEZE,
  FREEZES,
  type Freezes,
  PAIR,
  REFUSAL,
  REJECTION,
  type Refusal,
  type RejectReason,
  WELCOME,
  type Welcome,
  WITHDRAWAL,
} from "../../protocol/message.ts";
import { thumbprint } from "../../protocol/primitive.ts";
import { REQUEST, type RequestPayload, requestDigest } from "../../protocol/request.ts";
import { makeSealKey, publicSealJwk, seal, unseal } from "../../protocol/seal.ts";
import type { Vendor } from "../../protocol/vendor.ts";
import { wordsOfPairing } from "../../protocol/words.ts";
import { BridgeClient, type Key, keyOf, makeKey, newJti } from "./bridge-client.ts";
import { LooseDevice } from "./loose-device.ts";
import { Mail } from "./mail.ts";
import { claimsOf, jtiOf, message, openCard } from "./message.ts";
import type { Participant } from "./participant.ts";
import { retry } from "./retry.ts";

export interface Arrived {
  readonly jws: string;
  readonly payload: RequestPayload;
  readonly digest: string;
  /** The statement as the request gives it; nothing is checked here. */
  readonly statement: string;
}

export interface MemberOptions {
  readonly vendor?: Vendor;
  /** The device at hand; a new one where it is not named. */
  readonly device?: LooseDevice;
}

type ApprovalChange = Partial<Pick<Approval, "signature" | "digest" | "request" | "address" | "log">>;

/** Messages are kept until they are asked for. */
export class Member implements Participant {
  readonly name: string;
  readonly device: LooseDevice;
  readonly vendor: Vendor;
  readonly #port: number;
  #mail: Mail | undefined;
  /** Thumbprint of the receiving key that went with PAIR: the words commit to it. */
  #paired: { key: Parameters<typeof wordsOfPairing>[0]["seal"] } | undefined;

  constructor(world: { readonly port: number }, name: string, options: MemberOptions = {}) {
    this.#port = world.port;
    this.name = name;
    this.device = options.device ?? new LooseDevice();
    this.vendor = options.vendor ?? "Ledger";
  }

  get mail(): Mail {
    if (this.#mail === undefined) throw new Error(`${this.name} is not paired`);
    return this.#mail;
  }

  get key(): Key {
    return this.mail.key;
  }

  /** Thumbprint of the HSM identity that counts here now. */
  get hsm(): string {
    return this.mail.hsm;
  }

  get charter(): Charter | null {
    return this.mail.charter;
  }

  /** Uses an invite. Rejects with the agent's code where it is refused. */
  async pair(code: string): Promise<void> {
    const invite = parseInvite(code);
    const { hsm } = invite;
    const once = await keyOf({ ...invite.key, d: invite.d });
    const key = await makeKey();
    const pair = await makeSealKey(true);
    const own = { key: await publicSealJwk(pair), secret: pair.privateKey };
    const invited = await retry(async () => await BridgeClient.connect(this.#port, hsm, once));
    const card = await retry(async () => await openCard(invited.card ?? "", hsm));
    const jws = await message(PAIR, once, hsm, { key: key.jwk, seal: own.key });
    invited.send({ v: 1, t: "send", id: newJti(), to: hsm, body: await seal(jws, card.seal) });
    // Either the roster has the new key soon, or the invite is told why not.
    const refusal = invited
      .take(({ t }) => t === "deliver")
      .then(async (frame) => {
        const answer = frame.t === "deliver" ? await unseal(frame.body, () => own.secret) : "";
        const claimed = String(claimsOf(answer)["code"]);
        throw Object.assign(new Error(claimed), { code: claimed });
      });
    const refused = refusal.catch((error: unknown) => {
      if (error instanceof Error && "code" in error) throw error;
      return new Promise<never>(() => {});
    });
    try {
      this.#mail = await Promise.race([
        Mail.open({ key, port: this.#port, hsm, hsmJwk: card.hsm, seal: own }),
        refused,
      ]);
    } finally {
      invited.close();
    }
    this.#paired = own;
    await this.sync();
    await this.welcome();
  }

  async begin(code: string): Promise<string> {
    await this.pair(code);
    await this.announce();
    return await this.words();
  }

  /** Sends the enrolment of a device; returns the message's `jti`. */
  async announce(address = this.device.address, vendor = this.vendor): Promise<string> {
    const model = vendor === "Ledger" ? "nano-s-plus" : "trezor-one";
    return await this.post(ENROLMENT, { address, vendor, model, path: "m/44'/60'/7'/0/0" });
  }

  /** The six words, once the agent has the device. `change` says them of something else than what is so. */
  async words(change: Partial<Parameters<typeof wordsOfPairing>[0]> = {}): Promise<string> {
    const { name, roles } = await this.welcome(({ devices }) => devices.length > 0);
    if (this.#paired === undefined) throw new Error(`${this.name} is not paired`);
    const { address } = this.device;
    const facts = { hsm: this.hsm, key: this.key.jwk, seal: this.#paired.key, name, roles, address };
    return wordsOfPairing({ ...facts, ...change });
  }

  async counted(): Promise<void> {
    const isMine = ({ address, state }: Welcome["devices"][number]) =>
      address === this.device.address && state === "enrolled";
    await this.welcome(({ standing, devices }) => standing === "member" && devices.some(isMine));
  }

  async decide(id: string): Promise<void> {
    const of = await this.approve(await this.request(id));
    const named = this.receipt(id, ({ records }) => records.some((record) => record.of === of));
    // Of a rotation that it completes there is the act alone: the next identity speaks from then on.
    await Promise.race([named, this.mail.act(id)]);
  }

  /** Sends a message of this member and returns its `jti`. */
  async post<T extends Claims>(
    type: MessageType<T>,
    body: Omit<T, keyof Claims>,
    key: Key = this.key,
    exp?: number,
  ): Promise<string> {
    const jws = await message(type, key, this.hsm, body, exp);
    await this.postRaw(jws);
    return jtiOf(jws);
  }

  /** Seals any JWS to the agent and sends it. */
  async postRaw(jws: string): Promise<void> {
    await this.mail.post(jws);
  }

  async approve(arrived: Arrived, change: ApprovalChange = {}): Promise<string> {
    const jws = await this.approval(arrived, change);
    await this.postRaw(jws);
    return jtiOf(jws);
  }

  /** What approves it, not sent yet. */
  async approval(arrived: Arrived, change: ApprovalChange = {}): Promise<string> {
    const body = {
      request: arrived.payload.request,
      digest: arrived.digest,
      address: this.device.address,
      signature: this.device.sign(arrived.statement),
      log: this.mail.log.head,
    };
    // An approval lasts as long as its request.
    return await message(APPROVAL, this.key, this.hsm, { ...body, ...change }, arrived.payload.exp);
  }

  async reject({ payload, digest }: Arrived, reason: RejectReason = "other"): Promise<string> {
    return await this.post(REJECTION, { request: payload.request, digest, reason });
  }

  async withdraw({ payload, digest }: Arrived): Promise<string> {
    return await this.post(WITHDRAWAL, { request: payload.request, digest });
  }

  /** Stops a vault, or everything where it is null. */
  async freeze(vault: string | null): Promise<string> {
    return await this.post(FREEZE, { vault });
  }

  /** Asks for all that was missed, tells the receiving key, and shows what is known of the log. */
  async sync(known: string[] = []): Promise<string> {
    return await this.mail.sync(known);
  }

  /** Receives with a new key from now on. */
  async renewSeal(): Promise<void> {
    await this.mail.renewSeal();
    await this.sync();
  }

  /** The next request that comes, or the one with this id. */
  async request(id?: string): Promise<Arrived> {
    return await this.mail.find(REQUEST, ({ payload, jws, bytes }) => {
      if (id !== undefined && payload.request !== id) return undefined;
      const digest = requestDigest(bytes);
      return { jws, payload, digest, statement: payload.statement.replace("{digest}", digest) };
    });
  }

  /** A receipt of a request that satisfies `until`. */
  async receipt(id: string, until: (receipt: Receipt) => boolean = () => true): Promise<Receipt> {
    return await this.mail.receipt((receipt) => receipt.request === id && until(receipt));
  }

  /** The refusal of the message `jti`. */
  async refusal(jti: string): Promise<Refusal> {
    return await this.mail.find(REFUSAL, ({ payload }) => (payload.of === jti ? payload : undefined));
  }

  async welcome(until: (welcome: Welcome) => boolean = () => true): Promise<Welcome> {
    return await this.mail.find(WELCOME, ({ payload }) => (until(payload) ? payload : undefined));
  }

  /** A list of what is frozen that satisfies `until`. */
  async freezes(until: (freezes: Freezes) => boolean = () => true): Promise<Freezes> {
    return await this.mail.find(FREEZES, ({ payload }) => (until(payload) ? payload : undefined));
  }

  /** Thumbprint of the signing key: its routing address at the bridge. */
  get kid(): string {
    return thumbprint(this.key.jwk);
  }

  close(): void {
    this.#mail?.close();
  }
}
