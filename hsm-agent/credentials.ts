/**
 * Who the agent is to the bridge: a login key of its own, and the numbered card, signed by the HSM identity, that certifies it and the key
 * that the agent receives with. The HSM identity key never signs a login. README.md of protocol/, "Card" and "Login to the bridge".
 */
import { randomBytes, webcrypto } from "node:crypto";
import { type Signer, signEnvelope } from "../protocol/envelope.ts";
import { CARD, LOGIN } from "../protocol/message.ts";
import { jwkOfPoint, type PublicJwk, thumbprint } from "../protocol/primitive.ts";
import { type Desk, issue } from "./desk.ts";
import { CARD_LIFE, makeAgentSealKey, type SealKeys } from "./sealing.ts";

/** A new card, with a new receiving key, comes every day. Seconds. */
const RENEW = 86_400;

interface Login {
  readonly signer: Signer;
  readonly link: PublicJwk;
  readonly card: string;
  /** When a new one is due, and until when this one is valid. Seconds. */
  readonly renew: number;
  readonly until: number;
}

export class Credentials {
  readonly #desk: Desk;
  readonly #keys: SealKeys;
  #login: Login | undefined;

  constructor(desk: Desk, keys: SealKeys) {
    this.#desk = desk;
    this.#keys = keys;
  }

  /** The newest card's JWS, where there is one. */
  get card(): string | undefined {
    return this.#login?.card;
  }

  /** A login over this nonce of the bridge, and the card that goes with it. */
  async logIn(bridgeNonce: string): Promise<{ jws: string; card: string }> {
    const desk = this.#desk;
    const { signer, card } = await this.#current();
    const iat = desk.now();
    const jws = await signEnvelope(
      LOGIN,
      {
        v: 1 as const,
        iss: signer.kid,
        aud: [desk.bridgeUrl],
        jti: randomBytes(16).toString("base64url"),
        iat,
        exp: iat + 60,
        agent: desk.identity.signer.kid,
        clientNonce: randomBytes(32).toString("base64url"),
        bridgeNonce,
      },
      signer,
    );
    return { jws, card };
  }

  /** A new one where it is time; while the HSM is away the one before, as long as its card is valid. */
  async #current(): Promise<Login> {
    const before = this.#login;
    if (before !== undefined && this.#desk.now() < before.renew) return before;
    try {
      this.#login = await this.#makeLogin();
      return this.#login;
    } catch (error) {
      if (before === undefined || this.#desk.now() >= before.until) throw error;
      return before;
    }
  }

  /** A newer card for the same login key, where it is time: its JWS. */
  async renew(): Promise<string | undefined> {
    const login = this.#login;
    if (login === undefined || this.#desk.now() < login.renew) return undefined;
    this.#login = { ...login, ...(await this.#makeCard(login.link)) };
    return this.#login.card;
  }

  /** A login key is in this process's memory only. */
  async #makeLogin(): Promise<Login> {
    const algorithm = { name: "ECDSA", namedCurve: "P-256" };
    const pair = await webcrypto.subtle.generateKey(algorithm, false, ["sign", "verify"]);
    const link = jwkOfPoint(new Uint8Array(await webcrypto.subtle.exportKey("raw", pair.publicKey)));
    const sign = async (input: Uint8Array) =>
      new Uint8Array(
        await webcrypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, pair.privateKey, new Uint8Array(input)),
      );
    return { signer: { kid: thumbprint(link), sign }, link, ...(await this.#makeCard(link)) };
  }

  /** Each card has a higher number than any before it, whatever key it certifies. */
  async #makeCard(link: PublicJwk): Promise<Pick<Login, "card" | "renew" | "until">> {
    const desk = this.#desk;
    const { jwk: seal, keep } = await makeAgentSealKey();
    // By the time as well, so that a restored record does not number below what the bridge has seen.
    const n = Math.max(Number(desk.journal.meta("card") ?? "0") + 1, desk.now());
    const until = desk.now() + CARD_LIFE;
    const body = { n, hsm: desk.identity.jwk, link, seal };
    const { jws: card } = await issue(desk, CARD, [desk.bridgeUrl], body, until);
    // Durable before anybody hears of it, and only where the HSM signed: a failed try leaves nothing.
    keep(this.#keys, desk, () => desk.journal.setMeta("card", String(n)));
    return { card, renew: desk.now() + RENEW, until };
  }
}
