/**
 * What a script knows as an extension: its two keys, a connection to the bridge, every message that came, the charter as the acts among
 * them give it, and the log as the views show it. It seals to the newest card, says what it knows of the log at every login and to every
 * newer card, and follows a rotation as an extension does. protocol/README.md, "Sealing", "Charter", "View".
 */
import { ACT, applyAct, type Charter } from "../../protocol/charter.ts";
import { originOf } from "../../protocol/checkpoint.ts";
import { type Claims, type MessageType, openEnvelope, peekEnvelope } from "../../protocol/envelope.ts";
import type { Receipt } from "../../protocol/log-entry.ts";
import { type Card, SYNC, WELCOME, WITNESS } from "../../protocol/message.ts";
import { type PublicJwk, thumbprint } from "../../protocol/primitive.ts";
import { REQUEST } from "../../protocol/request.ts";
import { makeSealKey, publicSealJwk, seal, unseal } from "../../protocol/seal.ts";
import { isView } from "../../protocol/view.ts";
import { Asking } from "./asking.ts";
import { BridgeClient, type Key, newJti, now } from "./bridge-client.ts";
import { CardReader } from "./card-reader.ts";
import { Inbox, type Opened } from "./inbox.ts";
import { LogMemory } from "./log-memory.ts";
import { claimsOf, frameIdOf, jtiOf, message, nextKeyOf, openCard, signerOf } from "./message.ts";
import { retry } from "./retry.ts";

interface Parts {
  readonly key: Key;
  readonly port: number;
  readonly hsm: string;
  readonly hsmJwk: PublicJwk;
  readonly seal: { readonly key: PublicJwk; readonly secret: CryptoKey };
}

export class Mail {
  readonly key: Key;
  readonly port: number;
  readonly #inbox = new Inbox(
    async (type, jws) =>
      await openEnvelope(jws, { type, keyOf: this.#keyFor(jws), audience: this.key.signer.kid, now: now() }),
  );
  readonly messages = this.#inbox.messages;
  readonly log = new LogMemory();
  readonly views = this.log.views;
  readonly receipts = this.log.receipts;
  /** Whether it keeps what it knows to itself when an agent starts: somebody who is away, or whom the bridge cuts off. */
  isQuiet = false;
  /** What could not be used: codes. */
  readonly refused: string[] = [];
  /** What the acts that came make; null before the founding. */
  charter: Charter | null = null;
  /** Ids of the requests that those acts carried out. */
  readonly carriedOut: string[] = [];
  /** Ids of the requests that came and of which no end is known, and the identities that those for a rotation name. */
  readonly #asked = new Set<string>();
  readonly #next: PublicJwk[] = [];
  readonly #pinned = new Map<string, PublicJwk>();
  readonly #sealKeys = new Map<string, CryptoKey>();
  /** Thumbprint of the identity that signed the founding, once a welcome has said it. */
  #founder: string | undefined;
  #hsm: string;
  #seal: { n: number; key: PublicJwk };
  #client: BridgeClient;
  readonly #cards = new CardReader();
  /** The number of the card that was last told what is known here; before the first sync that is nobody. */
  #told: number | undefined;
  readonly asking = new Asking(async () => await this.#syncAll());

  private constructor(parts: Parts & { client: BridgeClient }) {
    this.key = parts.key;
    this.port = parts.port;
    this.#hsm = parts.hsm;
    this.#pinned.set(parts.hsm, parts.hsmJwk);
    this.#seal = { n: 1, key: parts.seal.key };
    this.#sealKeys.set(thumbprint(parts.seal.key), parts.seal.secret);
    this.#client = parts.client;
    this.#follow(parts.client);
  }

  /** Logs in with a key that the roster has, or will have soon. */
  static async open(parts: Parts): Promise<Mail> {
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
      return await this.#cards.read(jws, this.#hsm);
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

  /** Says what is known here, and asks for what is missing: of `known` requests the receipts. Returns its `jti`. */
  async sync(known: readonly string[] = []): Promise<string> {
    const card = await this.card();
    this.#told = card.n;
    this.asking.asked();
    const jws = await this.makeSync(known, card);
    this.send(await seal(jws, card.seal));
    return jtiOf(jws);
  }

  /** The sync that would be sent now, to the key of this card. */
  async makeSync(known: readonly string[], { seal: to }: Pick<Card, "seal">): Promise<string> {
    const { head, note } = this.log.known ?? { head: null, note: null };
    const witness = note === null ? null : await message(WITNESS, this.key, this.#hsm, { checkpoint: note });
    const body = {
      known: [...known],
      charter: this.charter?.n ?? 0,
      seal: this.#seal,
      card: thumbprint(to),
      log: head,
      witness,
    };
    return await message(SYNC, this.key, this.#hsm, body);
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
    return await this.#inbox.find(type, pick);
  }

  /** Gives each message of a type to `take`, those that came already first; one that comes, before it is acknowledged. */
  async follow<T extends Claims>(type: MessageType<T>, take: (opened: Opened<T>) => void): Promise<void> {
    await this.#inbox.follow(type, take);
  }

  /** Lets go of all that came, and keeps nothing of it any more: all that is of use is followed. `find` and `receipt` find nothing then. */
  keepNothing(): void {
    this.#inbox.keepNothing();
    this.log.keepNothing();
  }

  /** Waits for a receipt that satisfies `until`. All that came are looked at, oldest first. */
  async receipt(until: (receipt: Receipt) => boolean): Promise<Receipt> {
    for (;;) {
      const found = this.receipts.find(until);
      if (found !== undefined) return found;
      await this.#inbox.news();
    }
  }

  /** Resolves once an act has carried out this request. */
  async act(id: string): Promise<void> {
    while (!this.carriedOut.includes(id)) await this.#inbox.news();
  }

  async reconnect(): Promise<void> {
    this.#client.close();
    this.#client = await retry(async () => await BridgeClient.connect(this.port, this.#hsm, this.key));
    this.#follow(this.#client);
    this.asking.begin();
    if (this.#told !== undefined) await this.#syncAll();
  }

  /** Resolves once all that the bridge had for this member before is here. */
  async drained(): Promise<void> {
    const pong = this.#client.take(({ t }) => t === "pong");
    this.#client.send({ v: 1, t: "ping" });
    await pong;
  }

  close(): void {
    this.#client.close();
  }

  #follow(client: BridgeClient): void {
    client.onCard = () => void this.#greet(client).catch(() => undefined);
    void this.#pump(client);
  }

  /** A newer card is an agent that has started, or has a new key: it is told what is known here. */
  async #greet(client: BridgeClient): Promise<void> {
    const told = this.#told;
    if (told === undefined || this.isQuiet || client !== this.#client || client.card === null) return;
    const { n } = await openCard(client.card, this.#hsm);
    if (n > told) await this.#syncAll();
  }

  /** A sync by itself: every request that came is known, but for those that have ended. */
  async #syncAll(): Promise<void> {
    await this.sync([...this.#asked].slice(-500));
  }

  async #pump(client: BridgeClient): Promise<void> {
    for (;;) {
      // All but what `drained` waits for: what nobody takes would be kept for ever.
      const frame = await client.take(({ t }) => t !== "pong").catch(() => undefined);
      if (frame === undefined) return;
      if (frame.t !== "deliver") continue;
      await this.#receive(frame.body).catch((error: unknown) => {
        this.refused.push(error instanceof Error && "code" in error ? String(error.code) : String(error));
      });
      if (client.isOpen) client.send({ v: 1, t: "ack", seq: frame.seq });
      this.#inbox.tell();
    }
  }

  async #receive(body: string): Promise<void> {
    const text = await unseal(body, (kid) => this.#sealKeys.get(kid));
    if (isView(text)) return await this.#look(text);
    const { typ } = peekEnvelope(text);
    if (typ === ACT.typ) await this.#apply(text);
    if (typ === WELCOME.typ) await this.#meet(text);
    if (typ === REQUEST.typ) this.#note(text);
    await this.#inbox.add(text);
  }

  #note(request: string): void {
    this.#asked.add(String(claimsOf(request)["request"]));
    const next = nextKeyOf(request);
    if (next !== undefined) this.#next.push(next);
  }

  /** Whose log it is, from a welcome that the pinned identity signed. */
  async #meet(jws: string): Promise<void> {
    const expected = { type: WELCOME, keyOf: this.#keyFor(jws), audience: this.key.signer.kid, now: now() };
    this.#founder = (await openEnvelope(jws, expected)).payload.founder;
  }

  /** One that may go on from what is known has the agent asked from where. */
  async #look(text: string): Promise<void> {
    const keys = [...this.#pinned.values(), ...this.#next];
    const origin = originOf(this.#founder ?? this.#hsm);
    const { judged, receipts } = await this.log.look(text, { origin, keys, hsm: this.#hsm });
    for (const { request, state } of receipts) if (!OPEN.has(state)) this.#asked.delete(request);
    if (judged === "accepted") this.asking.proved();
    if (judged === "unproven") this.asking.want();
  }

  /** One that is known already changes nothing; one that comes too early is asked for again by the next sync. */
  async #apply(jws: string): Promise<void> {
    const { n, iss } = claimsOf(jws);
    // The founding may be of an identity that was replaced since; the acts lead from it to the pinned one.
    const first = this.charter?.hsm ?? signerOf(jws, String(iss));
    if (first === undefined || Number(n) !== (this.charter?.n ?? 0) + 1) return;
    const before = thumbprint(first);
    const { charter, request } = await applyAct(this.charter, jws, first);
    this.charter = charter;
    this.carriedOut.push(request.request);
    // The admins have decided from where the log goes on.
    if (request.verb === "RESTORE") this.log.known = { head: request.change.log, note: null };
    const next = thumbprint(this.charter.hsm);
    if (before !== this.#hsm || next === before) return;
    this.#pinned.set(next, this.charter.hsm);
    this.#hsm = next;
    // Not awaited: this very message is acknowledged first.
    void this.reconnect().catch(() => undefined);
  }

  /** The pinned identities; and of a rotation the next one, which signs its own request where the old one is lost. */
  #keyFor(jws: string): (kid: string) => PublicJwk | undefined {
    const next = peekEnvelope(jws).typ === REQUEST.typ ? nextKeyOf(jws) : undefined;
    return (kid) => this.#pinned.get(kid) ?? (next !== undefined && thumbprint(next) === kid ? next : undefined);
  }
}

const OPEN: ReadonlySet<string> = new Set(["proposed", "pending", "approved"]);
