/**
 * What a script knows as an extension: its two keys, a connection to the bridge, every message that came, and the charter as the acts
 * among them give it. It seals to the newest card and follows a rotation as an extension does. protocol/README.md, "Sealing", "Charter".
 */
import { ACT, applyAct, type Charter } from "../../protocol/charter.ts";
import { type Claims, type MessageType, openEnvelope, peekEnvelope } from "../../protocol/envelope.ts";
import type { Card } from "../../protocol/message.ts";
import { type PublicJwk, thumbprint } from "../../protocol/primitive.ts";
import { REQUEST } from "../../protocol/request.ts";
import { makeSealKey, publicSealJwk, seal, unseal } from "../../protocol/seal.ts";
import { BridgeClient, type Key, newJti, now } from "./bridge-client.ts";
import { claimsOf, frameIdOf, jtiOf, openCard, signerOf } from "./message.ts";
import { retry } from "./retry.ts";

/** A message that came, opened. */
export interface Opened<T> {
  readonly payload: T;
  readonly bytes: Uint8Array;
  readonly jws: string;
}

export class Mail {
  readonly key: Key;
  readonly port: number;
  /** Every message that came and was unsealed, oldest first. Nothing of it is verified here. */
  readonly messages: string[] = [];
  /** What could not be used: codes, oldest first. */
  readonly refused: string[] = [];
  /** What the acts that came make; null before the founding. */
  charter: Charter | null = null;
  /** Ids of the requests that those acts carried out. */
  readonly carriedOut: string[] = [];
  readonly #pinned = new Map<string, PublicJwk>();
  readonly #sealKeys = new Map<string, CryptoKey>();
  readonly #waiting = new Set<() => void>();
  #hsm: string;
  #seal: { n: number; key: PublicJwk };
  #client: BridgeClient;

  private constructor(parts: {
    key: Key;
    port: number;
    hsm: string;
    hsmJwk: PublicJwk;
    seal: { key: PublicJwk; secret: CryptoKey };
    client: BridgeClient;
  }) {
    this.key = parts.key;
    this.port = parts.port;
    this.#hsm = parts.hsm;
    this.#pinned.set(parts.hsm, parts.hsmJwk);
    this.#seal = { n: 1, key: parts.seal.key };
    this.#sealKeys.set(thumbprint(parts.seal.key), parts.seal.secret);
    this.#client = parts.client;
    void this.#pump(parts.client);
  }

  /** Logs in with a key that the roster has, or will have soon. */
  static async open(parts: {
    key: Key;
    port: number;
    hsm: string;
    hsmJwk: PublicJwk;
    seal: { key: PublicJwk; secret: CryptoKey };
  }): Promise<Mail> {
    const client = await retry(async () => await BridgeClient.connect(parts.port, parts.hsm, parts.key));
    return new Mail({ ...parts, client });
  }

  /** Thumbprint of the HSM identity that counts here now. */
  get hsm(): string {
    return this.#hsm;
  }

  /** The receiving key that was told last, and its number. */
  get seal(): { readonly n: number; readonly key: PublicJwk } {
    return this.#seal;
  }

  get isOpen(): boolean {
    return this.#client.isOpen;
  }

  /** The agent's newest card, verified. */
  async card(): Promise<Card> {
    return await retry(async () => {
      const jws = this.#client.card;
      if (jws === null) throw new Error("the bridge has no card of the agent");
      return await openCard(jws, this.#hsm);
    });
  }

  /** Seals any JWS to the newest card and sends it, as often as it is called: its frame's id is a new one each time. */
  async post(jws: string): Promise<void> {
    const card = await this.card();
    this.send(await seal(jws, card.seal), newJti());
  }

  /** The same as an extension does it: the bridge takes a message once for each card. */
  async postOnce(jws: string): Promise<void> {
    const card = await this.card();
    this.send(await seal(jws, card.seal), frameIdOf(jtiOf(jws), thumbprint(card.seal)));
  }

  /** Sends a body as it is. */
  send(body: string, id = newJti(), to = this.#hsm): void {
    this.#client.send({ v: 1, t: "send", id, to, body });
  }

  /** Makes a new receiving key, under the next number. It is to be told by a sync; the old ones still open. */
  async renewSeal(): Promise<void> {
    const pair = await makeSealKey(true);
    const key = await publicSealJwk(pair);
    this.#sealKeys.set(thumbprint(key), pair.privateKey);
    this.#seal = { n: this.#seal.n + 1, key };
  }

  /** Forgets a receiving key, by default the newest: what is sealed to it does not open any more. */
  forgetSeal(kid = thumbprint(this.#seal.key)): void {
    this.#sealKeys.delete(kid);
  }

  /** Waits for a message of a type of which `pick` makes something. All that came are looked at, oldest first. */
  async find<T extends Claims, R>(type: MessageType<T>, pick: (opened: Opened<T>) => R | undefined): Promise<R> {
    for (let at = 0; ; at += 1) {
      while (at >= this.messages.length) await this.#news();
      const jws = this.messages[at] ?? "";
      if (peekEnvelope(jws).typ !== type.typ) continue;
      const opened = await openEnvelope(jws, {
        type,
        keyOf: this.#keyFor(jws),
        audience: this.key.signer.kid,
        now: now(),
      });
      const picked = pick({ ...opened, jws });
      if (picked !== undefined) return picked;
    }
  }

  /** Resolves once an act has carried out this request. */
  async act(id: string): Promise<void> {
    while (!this.carriedOut.includes(id)) await this.#news();
  }

  async reconnect(): Promise<void> {
    this.#client.close();
    this.#client = await retry(async () => await BridgeClient.connect(this.port, this.#hsm, this.key));
    void this.#pump(this.#client);
  }

  close(): void {
    this.#client.close();
  }

  async #news(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  async #pump(client: BridgeClient): Promise<void> {
    for (;;) {
      const frame = await client.take(({ t }) => t === "deliver").catch(() => undefined);
      if (frame?.t !== "deliver") return;
      await this.#receive(frame.body).catch((error: unknown) => {
        this.refused.push(error instanceof Error && "code" in error ? String(error.code) : String(error));
      });
      if (client.isOpen) client.send({ v: 1, t: "ack", seq: frame.seq });
      for (const look of this.#waiting) look();
      this.#waiting.clear();
    }
  }

  async #receive(body: string): Promise<void> {
    const jws = await unseal(body, (kid) => this.#sealKeys.get(kid));
    if (peekEnvelope(jws).typ === ACT.typ) await this.#apply(jws);
    this.messages.push(jws);
  }

  /** One that is known already changes nothing; one that comes too early is asked for again by the next sync. */
  async #apply(jws: string): Promise<void> {
    const { n, iss } = claimsOf(jws);
    // The founding may be of an identity that was replaced since; the acts lead from it to the pinned one.
    const first = this.charter?.hsm ?? signerOf(jws, String(iss));
    if (first === undefined || Number(n) !== (this.charter?.n ?? 0) + 1) return;
    const before = thumbprint(first);
    const applied = await applyAct(this.charter, jws, first);
    this.charter = applied.charter;
    this.carriedOut.push(applied.request.request);
    const next = thumbprint(this.charter.hsm);
    if (before !== this.#hsm || next === before) return;
    this.#pinned.set(next, this.charter.hsm);
    this.#hsm = next;
    // Not awaited: this very message is acknowledged first.
    void this.reconnect().catch(() => undefined);
  }

  /** The pinned identities; and of a rotation the next one, which signs its own request where the old one is lost. */
  #keyFor(jws: string): (kid: string) => PublicJwk | undefined {
    const claims = peekEnvelope(jws).typ === REQUEST.typ ? claimsOf(jws) : {};
    const next = claims["verb"] === "ROTATE" ? (claims["change"] as { to: PublicJwk }).to : undefined;
    return (kid) => this.#pinned.get(kid) ?? (next !== undefined && thumbprint(next) === kid ? next : undefined);
  }
}
